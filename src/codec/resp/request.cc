#include "codec/resp/request.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"

namespace holdfast::codec {
namespace {

constexpr int64_t kUnauthenticatedArgs = 10;
constexpr int64_t kUnauthenticatedBulk = 16 * 1024;
constexpr int64_t kReserveArgs = 1024;  // more are reserved only as they arrive

}  // namespace

RequestParser::Status RequestParser::fail(std::string text) {
  error_ = "Protocol error: " + std::move(text);
  return Status::kError;
}

void RequestParser::reset() {
  pieces_.clear();
  args_.clear();
  inline_args_.clear();
  position_ = 0;
  remaining_ = -1;
  bulk_length_ = -1;
}

size_t RequestParser::missing_hint(size_t have) const {
  if (bulk_length_ < 0) return 0;
  const size_t wanted = position_ + static_cast<size_t>(bulk_length_) + 2;
  return wanted > have ? wanted - have : 0;
}

RequestParser::Status RequestParser::parse(std::string_view buffer, const RequestLimits& limits) {
  if (buffer.empty()) return Status::kNeedMore;
  return buffer[0] == '*' ? parse_array(buffer, limits) : parse_inline(buffer, limits);
}

RequestParser::Status RequestParser::parse_array(std::string_view buffer, const RequestLimits& limits) {
  if (remaining_ < 0) {
    const size_t cr = buffer.find('\r');
    if (cr == std::string_view::npos || cr + 1 >= buffer.size()) {
      if (cr == std::string_view::npos && buffer.size() > limits.inline_max) return fail("too big mbulk count string");
      return Status::kNeedMore;
    }
    const auto count = parse_int64(buffer.substr(1, cr - 1));
    if (!count || *count > limits.multibulk_max) return fail("invalid multibulk length");
    if (*count > kUnauthenticatedArgs && !limits.authenticated) return fail("unauthenticated multibulk length");
    position_ = cr + 2;
    remaining_ = std::max<int64_t>(*count, 0);
    pieces_.reserve(static_cast<size_t>(std::min(remaining_, kReserveArgs)));
  }
  while (remaining_ > 0) {
    if (bulk_length_ < 0) {
      const Status header = parse_bulk_header(buffer, limits);
      if (header != Status::kRequest) return header;
    }
    const auto length = static_cast<size_t>(bulk_length_);
    if (buffer.size() - position_ < length + 2) return Status::kNeedMore;
    pieces_.push_back({position_, length});
    position_ += length + 2;  // COMPAT: the two bytes after a bulk string are skipped unread, as the original does
    bulk_length_ = -1;
    --remaining_;
  }
  args_.reserve(pieces_.size());
  for (const Piece& piece : pieces_) args_.push_back(buffer.substr(piece.begin, piece.length));
  return Status::kRequest;
}

RequestParser::Status RequestParser::parse_bulk_header(std::string_view buffer, const RequestLimits& limits) {
  if (position_ >= buffer.size()) return Status::kNeedMore;
  const size_t cr = buffer.find('\r', position_);
  if (cr == std::string_view::npos || cr + 1 >= buffer.size()) {
    if (cr == std::string_view::npos && buffer.size() - position_ > limits.inline_max) {
      return fail("too big bulk count string");
    }
    return Status::kNeedMore;
  }
  if (buffer[position_] != '$') {
    return fail(std::string("expected '$', got '") + buffer[position_] + "'");
  }
  const auto length = parse_int64(buffer.substr(position_ + 1, cr - position_ - 1));
  if (!length || *length < 0 || *length > limits.bulk_max) return fail("invalid bulk length");
  if (*length > kUnauthenticatedBulk && !limits.authenticated) return fail("unauthenticated bulk length");
  bulk_length_ = *length;
  position_ = cr + 2;
  return Status::kRequest;
}

RequestParser::Status RequestParser::parse_inline(std::string_view buffer, const RequestLimits& limits) {
  const size_t newline = buffer.find('\n');
  if (newline == std::string_view::npos) {
    return buffer.size() > limits.inline_max ? fail("too big inline request") : Status::kNeedMore;
  }
  std::string_view line = buffer.substr(0, newline);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (!split_quoted(line, inline_args_)) return fail("unbalanced quotes in request");
  args_.assign(inline_args_.begin(), inline_args_.end());
  position_ = newline + 1;
  return Status::kRequest;
}

void RequestStream::feed(std::string_view chunk) {
  HF_ASSERT(begin_ == 0 && !delivered_ && !feeding_);
  feeding_ = true;
  if (pending_.empty()) {
    current_ = chunk;
    return;
  }
  if (const size_t missing = parser_.missing_hint(pending_.size()); missing > chunk.size()) {
    // Room for the whole bulk string at once, but never more than double what has really arrived.
    pending_.reserve(pending_.size() + std::min(missing, pending_.size() + chunk.size()));
  }
  pending_.append(chunk);
  current_ = pending_;
}

RequestParser::Status RequestStream::next(const RequestLimits& limits) {
  if (delivered_) {
    begin_ += parser_.consumed();
    parser_.reset();
    delivered_ = false;
  }
  const RequestParser::Status status = parser_.parse(current_.substr(begin_), limits);
  delivered_ = status == RequestParser::Status::kRequest;
  return status;
}

void RequestStream::finish() {
  if (delivered_) {
    begin_ += parser_.consumed();
    parser_.reset();
    delivered_ = false;
  }
  if (begin_ >= current_.size()) {
    std::string().swap(pending_);
  } else if (current_.data() == pending_.data()) {
    if (begin_ > 0) pending_.erase(0, begin_);
  } else {
    pending_.assign(current_.substr(begin_));
  }
  current_ = {};
  begin_ = 0;
  feeding_ = false;
}

void RequestStream::postpone() {
  HF_ASSERT(delivered_);
  parser_.reset();
  delivered_ = false;
}

}  // namespace holdfast::codec
