#include "codec/aof/reader.h"

#include <algorithm>
#include <cstdlib>

namespace holdfast::codec::aof {
namespace {

/// atoi as the original reads lengths.
int64_t leading_number(std::string_view text) { return std::strtoll(std::string(text).c_str(), nullptr, 10); }

constexpr int64_t kWordsMax = INT32_MAX;

}  // namespace

void Reader::feed(std::string_view bytes) {
  if (held_.empty()) {
    bytes_ = bytes;
    reading_held_ = false;
  } else {
    held_.append(bytes);
    bytes_ = held_;
    reading_held_ = true;
  }
}

size_t Reader::line_end() const {
  const std::string_view rest = bytes_.substr(scan_);
  const size_t end = rest.substr(0, kLineMax).find('\n');
  if (end != std::string_view::npos) return scan_ + end + 1;
  if (rest.size() >= kLineMax) return scan_ + kLineMax;
  return finishing_ && !rest.empty() ? bytes_.size() : 0;
}

Reader::Status Reader::deliver(size_t end) {
  offset_ += end - begin_;
  begin_ = scan_ = end;
  missing_ = 0;
  return Status::kCommand;
}

Reader::Status Reader::next() {
  if (failed_) return Status::kFormatError;
  if (missing_ == 0) {
    const size_t end = line_end();
    if (end == 0) {
      // What is left is kept for the next feed.
      std::string rest(bytes_.substr(begin_));
      held_ = std::move(rest);
      bytes_ = held_;
      reading_held_ = true;
      begin_ = scan_ = 0;
      return Status::kNeedMore;
    }
    const std::string_view line = bytes_.substr(scan_, end - scan_);
    if (line[0] == '#') {
      line_ = line;
      deliver(end);
      return Status::kAnnotation;
    }
    const int64_t words = line[0] == '*' ? leading_number(line.substr(1)) : 0;
    const bool cut = line == "*" && finishing_;  // nothing follows: short rather than wrong
    if (cut) return Status::kNeedMore;
    if (words < 1 || words > kWordsMax) {
      failed_ = true;
      return Status::kFormatError;
    }
    missing_ = words;
    scan_ = end;
    found_.clear();
  }
  while (missing_ > 0) {
    const Status status = next_word();
    if (status != Status::kCommand) return status;
  }
  words_.clear();
  for (const Word& word : found_) words_.push_back(bytes_.substr(begin_ + word.begin, word.length));
  return deliver(scan_);
}

/// kCommand: one more word is understood.
Reader::Status Reader::next_word() {
  const size_t end = line_end();
  if (end != 0 && bytes_[scan_] != '$') {
    failed_ = true;
    return Status::kFormatError;
  }
  const int64_t length = end == 0 ? 0 : leading_number(bytes_.substr(scan_ + 1, end - scan_ - 1));
  if (length < 0) {
    failed_ = true;
    return Status::kFormatError;
  }
  const auto size = static_cast<uint64_t>(length);
  if (end == 0 || size > bytes_.size() - end || bytes_.size() - end - size < 2) {
    if (begin_ > 0 || !reading_held_) {
      std::string rest(bytes_.substr(begin_));
      held_ = std::move(rest);
      scan_ -= begin_;
      begin_ = 0;
      bytes_ = held_;
      reading_held_ = true;
    }
    return Status::kNeedMore;
  }
  found_.push_back({end - begin_, static_cast<size_t>(size)});
  scan_ = end + static_cast<size_t>(size) + 2;
  --missing_;
  return Status::kCommand;
}

Reader::End Reader::finish() {
  finishing_ = true;
  Status status = next();
  while (status == Status::kAnnotation) status = next();
  if (failed_) return End::kBroken;
  return begin_ == bytes_.size() && missing_ == 0 ? End::kWhole : End::kShort;
}

}  // namespace holdfast::codec::aof
