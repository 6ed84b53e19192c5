#include "codec/resp/reply.h"

#include <algorithm>

#include "base/text.h"

namespace holdfast::codec {
namespace {

constexpr int64_t kAggregateMax = 1LL << 31;
constexpr int64_t kBulkMax = 512LL * 1024 * 1024;
constexpr size_t kLineMax = 64 * 1024;
constexpr size_t kHeaderMax = 64;  // a number or a length, with its type
constexpr uint64_t kRemainingMax = 1ULL << 40;

struct Line {
  char type;
  std::string_view text;
  size_t next;  // position after CRLF
};

/// The line at `position`; nullopt when its end is not there yet.
std::optional<Line> line_at(std::string_view buffer, size_t position) {
  const size_t end = buffer.find("\r\n", position);
  if (end == std::string_view::npos || end == position) return std::nullopt;
  return Line{buffer[position], buffer.substr(position + 1, end - position - 1), end + 2};
}

bool is_any_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

  bool value(Reply& out, int depth) {
    if (depth > kReplyDepthMax) return false;
    const auto line = line_at(bytes_, position_);
    if (!line) return false;
    position_ = line->next;
    switch (line->type) {
      case '+':
        return text(out, Reply::Type::kSimple, line->text);
      case '-':
        return text(out, Reply::Type::kError, line->text);
      case ',':
        return text(out, Reply::Type::kDouble, line->text);
      case '(':
        return text(out, Reply::Type::kBigNumber, line->text);
      case '_':
        return text(out, Reply::Type::kNull, {});
      case '#':
        out.integer = line->text == "t";
        return text(out, Reply::Type::kBoolean, line->text);
      case ':':
        return integer(out, line->text);
      case '$':
        return bulk(out, Reply::Type::kBulk, line->text);
      case '!':
        return bulk(out, Reply::Type::kError, line->text);
      case '=':
        return bulk(out, Reply::Type::kVerbatim, line->text);
      case '*':
        return items(out, Reply::Type::kArray, line->text, 1, depth);
      case '~':
        return items(out, Reply::Type::kSet, line->text, 1, depth);
      case '>':
        return items(out, Reply::Type::kPush, line->text, 1, depth);
      case '%':
        return items(out, Reply::Type::kMap, line->text, 2, depth);
      case '|': {  // attributes describe the value that follows; they are read and dropped
        Reply attributes;
        return items(attributes, Reply::Type::kMap, line->text, 2, depth) && value(out, depth + 1);
      }
      default:
        return false;
    }
  }

 private:
  static bool text(Reply& out, Reply::Type type, std::string_view content) {
    out.type = type;
    out.text = content;
    return true;
  }
  static bool integer(Reply& out, std::string_view content) {
    const auto number = parse_int64(content);
    if (!number) return false;
    out.type = Reply::Type::kInteger;
    out.integer = *number;
    return true;
  }
  bool bulk(Reply& out, Reply::Type type, std::string_view header) {
    const auto length = parse_int64(header);
    if (!length || *length < -1) return false;
    if (*length == -1) return text(out, Reply::Type::kNull, {});
    const auto size = static_cast<size_t>(*length);
    if (bytes_.size() - position_ < size + 2) return false;
    std::string_view content = bytes_.substr(position_, size);
    position_ += size + 2;
    if (type == Reply::Type::kVerbatim) content.remove_prefix(std::min<size_t>(4, content.size()));
    return text(out, type, content);
  }
  bool items(Reply& out, Reply::Type type, std::string_view header, int64_t per_item, int depth) {
    const auto count = parse_int64(header);
    if (!count || *count < -1 || *count > kAggregateMax) return false;
    if (*count == -1) return text(out, Reply::Type::kNull, {});
    out.type = type;
    for (int64_t i = 0; i < *count * per_item; ++i) {
      if (!value(out.items.emplace_back(), depth + 1)) return false;
    }
    return true;
  }

  std::string_view bytes_;
  size_t position_ = 0;
};

}  // namespace

void ReplyFramer::reset() {
  position_ = 0;
  remaining_ = 1;
}

ReplyFramer::Status ReplyFramer::scan(std::string_view buffer) {
  while (remaining_ > 0) {
    if (position_ >= buffer.size()) return Status::kNeedMore;
    const char type = buffer[position_];
    if (!is_any_of(type, "+-:$*_#,(!=~>%|")) return Status::kError;
    const auto line = line_at(buffer, position_);
    if (!line) {
      const size_t limit = is_any_of(type, "+-(") ? kLineMax : kHeaderMax;
      return buffer.size() - position_ > limit ? Status::kError : Status::kNeedMore;
    }
    if (!is_any_of(type, "$!=*~>%|")) {
      position_ = line->next;
      --remaining_;
      continue;
    }
    const auto count = parse_int64(line->text);
    if (!count || *count < -1) return Status::kError;
    if (is_any_of(type, "$!=")) {
      if (*count > kBulkMax) return Status::kError;
      const size_t body = *count < 0 ? 0 : static_cast<size_t>(*count) + 2;
      if (buffer.size() - line->next < body) return Status::kNeedMore;
      position_ = line->next + body;
      --remaining_;
      continue;
    }
    if (*count > kAggregateMax) return Status::kError;
    const auto children = static_cast<uint64_t>(std::max<int64_t>(*count, 0)) * (is_any_of(type, "%|") ? 2 : 1);
    position_ = line->next;
    remaining_ += children;
    if (type != '|') --remaining_;  // attributes precede the value they describe
    if (remaining_ > kRemainingMax) return Status::kError;
  }
  return Status::kComplete;
}

std::optional<Reply> decode_reply(std::string_view bytes) {
  Reply reply;
  if (!Decoder(bytes).value(reply, 0)) return std::nullopt;
  return reply;
}

std::optional<Reply> ReplyReader::next() {
  if (failed_ || begin_ >= buffer_.size()) return std::nullopt;
  const std::string_view waiting = rest();
  switch (framer_.scan(waiting)) {
    case ReplyFramer::Status::kNeedMore:
      failed_ = waiting.size() > limit_;
      if (begin_ > 0) {
        buffer_.erase(0, begin_);
        begin_ = 0;
      }
      return std::nullopt;
    case ReplyFramer::Status::kError:
      failed_ = true;
      return std::nullopt;
    case ReplyFramer::Status::kComplete:
      break;
  }
  auto reply = decode_reply(waiting.substr(0, framer_.length()));
  failed_ = !reply.has_value();
  begin_ += framer_.length();
  framer_.reset();
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
  }
  return reply;
}

void ReplyReader::clear() {
  buffer_.clear();
  begin_ = 0;
  framer_.reset();
  failed_ = false;
}

}  // namespace holdfast::codec
