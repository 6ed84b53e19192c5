// The primitives of RdbReader: lengths, strings and doubles out of the buffer, each taken whole or not at all.
#include <fmt/format.h>

#include <limits>

#include "codec/crc64.h"
#include "codec/lzf.h"
#include "codec/rdb/read.h"
#include "codec/rdb/score.h"

namespace holdfast::codec::rdb {

bool Reader::peek(size_t bytes, std::string_view& view) const {
  if (buffer_.size() - at_ < bytes) return false;
  view = std::string_view(buffer_).substr(at_, bytes);
  return true;
}

uint64_t Reader::little_endian(std::string_view bytes) const {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) value |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return value;
}

void Reader::consume(size_t bytes) {
  if (source_ == Source::kFile) crc_ = crc64(crc_, std::string_view(buffer_).substr(at_, bytes));
  at_ += bytes;
}

Reader::Step Reader::take_length(Length& length) {
  std::string_view view;
  if (!peek(1, view)) return Step::kNeedMore;
  const auto first = static_cast<uint8_t>(view[0]);
  size_t bytes = 1;
  switch (first >> 6) {
    case kLength6:
      length = {first & 0x3fU, false};
      break;
    case kLengthSpecial:
      length = {first & 0x3fU, true};
      break;
    case kLength14:
      if (!peek(bytes = 2, view)) return Step::kNeedMore;
      length = {uint64_t{first & 0x3fU} << 8 | static_cast<uint8_t>(view[1]), false};
      break;
    default: {
      if (first != kLength32Byte && first != kLength64Byte) {
        return fail(fmt::format("Unknown length encoding {} in rdbLoadLen()", first));
      }
      if (!peek(bytes = first == kLength32Byte ? 5 : 9, view)) return Step::kNeedMore;
      uint64_t value = 0;
      for (const char c : view.substr(1)) value = value << 8 | static_cast<uint8_t>(c);
      length = {value, false};
    }
  }
  consume(bytes);
  return Step::kContinue;
}

Reader::Step Reader::take_plain_length(uint64_t& length) {
  Length taken;
  const Step step = take_length(taken);
  if (step != Step::kContinue) return step;
  if (taken.special) return fail("Unexpected string encoding where a length belongs");
  length = taken.value;
  return step;
}

namespace {

/// Size and value of the length at the start of `bytes`; size 0 = not whole yet or not a plain length.
struct PlainLength {
  size_t size = 0;
  uint64_t value = 0;
  bool bad = false;
};

PlainLength look_at_length(std::string_view bytes) {
  if (bytes.empty()) return {};
  const auto first = static_cast<uint8_t>(bytes[0]);
  size_t size = 1;
  if (first >> 6 == kLength6) return {1, first, false};
  if (first >> 6 == kLength14) {
    size = 2;
  } else if (first == kLength32Byte) {
    size = 5;
  } else if (first == kLength64Byte) {
    size = 9;
  } else {
    return {0, 0, true};
  }
  if (bytes.size() < size) return {};
  uint64_t value = size == 2 ? first & 0x3fU : 0;
  for (size_t i = 1; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return {size, value, false};
}

}  // namespace

Reader::Step Reader::take_string(std::string_view& text, std::string& owned) {
  std::string_view view;
  if (!peek(1, view)) return Step::kNeedMore;
  const auto first = static_cast<uint8_t>(view[0]);
  if (first >> 6 == kLengthSpecial) return take_special(first & 0x3fU, 1, text, owned);
  const PlainLength length = look_at_length(std::string_view(buffer_).substr(at_));
  if (length.bad) return fail(fmt::format("Unknown length encoding {} in rdbLoadLen()", first));
  if (length.size == 0) return Step::kNeedMore;
  if (length.value > limits_.string_bytes_max)
    return fail(fmt::format("String of {} bytes is over the limit", length.value));
  if (!peek(length.size + length.value, view)) return Step::kNeedMore;
  text = view.substr(length.size);
  consume(view.size());
  return Step::kContinue;
}

Reader::Step Reader::take_special(uint64_t encoding, size_t at, std::string_view& text, std::string& owned) {
  std::string_view view;
  if (encoding <= static_cast<uint64_t>(StringEncoding::kInt32)) {
    const size_t bytes = size_t{1} << encoding;
    if (!peek(at + bytes, view)) return Step::kNeedMore;
    const unsigned shift = static_cast<unsigned>(64 - bytes * 8);
    owned = std::to_string(static_cast<int64_t>(little_endian(view.substr(at)) << shift) >> shift);
    text = owned;
    consume(view.size());
    return Step::kContinue;
  }
  if (encoding != static_cast<uint64_t>(StringEncoding::kLzf)) {
    return fail(fmt::format("Unknown RDB string encoding type {}", encoding));
  }
  const std::string_view all = std::string_view(buffer_).substr(at_);
  const PlainLength packed = look_at_length(all.substr(at));
  if (packed.bad) return fail("Invalid LZF compressed string");
  if (packed.size == 0) return Step::kNeedMore;
  const PlainLength plain = look_at_length(all.substr(at + packed.size));
  if (plain.bad) return fail("Invalid LZF compressed string");
  if (plain.size == 0) return Step::kNeedMore;
  if (packed.value > limits_.string_bytes_max || plain.value > limits_.string_bytes_max) {
    return fail(fmt::format("String of {} bytes is over the limit", plain.value));
  }
  const size_t head = at + packed.size + plain.size;
  if (!peek(head + packed.value, view)) return Step::kNeedMore;
  if (!lzf_decompress(view.substr(head), plain.value, owned)) return fail("Invalid LZF compressed string");
  text = owned;
  consume(view.size());
  return Step::kContinue;
}

Reader::Step Reader::take_ascii_double(double& value) {
  std::string_view view;
  if (!peek(1, view)) return Step::kNeedMore;
  const auto size = static_cast<uint8_t>(view[0]);
  switch (size) {
    case 253:
      value = std::numeric_limits<double>::quiet_NaN();
      break;
    case 254:
      value = std::numeric_limits<double>::infinity();
      break;
    case 255:
      value = -std::numeric_limits<double>::infinity();
      break;
    default:
      if (!peek(size_t{size} + 1, view)) return Step::kNeedMore;
      if (!parse_score(view.substr(1), value)) return fail("Zset with a score that is not a number");
  }
  consume(view.size());
  return Step::kContinue;
}

}  // namespace holdfast::codec::rdb
