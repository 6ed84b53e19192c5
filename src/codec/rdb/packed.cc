#include "codec/rdb/packed.h"

#include <charconv>
#include <limits>

namespace holdfast::codec::rdb {

namespace {

constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();
constexpr uint8_t kEndMark = 0xff;

int64_t sign_extend(uint64_t value, unsigned bits) {
  const unsigned shift = 64 - bits;
  return static_cast<int64_t>(value << shift) >> shift;
}

/// Bytes of a listpack element's own length at its end.
size_t backlen_size(size_t size) {
  if (size <= 127) return 1;
  if (size < 16383) return 2;
  if (size < 2097151) return 3;
  return size < 268435455 ? 4 : 5;
}

}  // namespace

void PackedElement::set(int64_t value) {
  value_ = value;
  number_ = true;
  digit_count_ = static_cast<size_t>(std::to_chars(digits_, digits_ + sizeof(digits_), value).ptr - digits_);
}

PackedReader::PackedReader(PackedKind kind, std::string_view blob) : kind_(kind), blob_(blob) {
  switch (kind_) {
    case PackedKind::kZiplist:
      broken_ = !open_ziplist();
      break;
    case PackedKind::kListpack:
      broken_ = !open_listpack();
      break;
    case PackedKind::kIntset:
      broken_ = !open_intset();
      break;
    case PackedKind::kZipmap:
      broken_ = !open_zipmap();
      break;
  }
}

PackedReader::Step PackedReader::next(PackedElement& element) {
  if (broken_) return Step::kBroken;
  Step step = Step::kBroken;
  switch (kind_) {
    case PackedKind::kZiplist:
      step = next_ziplist(element);
      break;
    case PackedKind::kListpack:
      step = next_listpack(element);
      break;
    case PackedKind::kIntset:
      step = next_intset(element);
      break;
    case PackedKind::kZipmap:
      step = next_zipmap(element);
      break;
  }
  if (step == Step::kElement) ++seen_;
  if (step == Step::kBroken) broken_ = true;
  return step;
}

PackedReader::Step PackedReader::finish() {
  const bool at_end = at_ + 1 == blob_.size();
  return at_end && (declared_ == kUnknown || declared_ == seen_) ? Step::kEnd : Step::kBroken;
}

uint64_t PackedReader::little_endian(size_t at, size_t bytes) const {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value |= uint64_t{static_cast<uint8_t>(blob_[at + i])} << (8 * i);
  return value;
}

bool PackedReader::take(size_t bytes, PackedElement& element) {
  if (!has(bytes)) return false;
  element.set(blob_.substr(at_, bytes));
  at_ += bytes;
  return true;
}

bool PackedReader::take_number(size_t bytes, PackedElement& element) {
  if (!has(bytes)) return false;
  element.set(sign_extend(little_endian(at_, bytes), static_cast<unsigned>(bytes * 8)));
  at_ += bytes;
  return true;
}

// Ziplist: total 4, offset of the last element 4, count 2, elements [previous size 1|5][encoding][data], end mark.

bool PackedReader::open_ziplist() {
  constexpr size_t kHeader = 10;
  if (blob_.size() < kHeader + 1 || little_endian(0, 4) != blob_.size()) return false;
  declared_ = little_endian(8, 2);
  if (declared_ == UINT16_MAX) declared_ = kUnknown;
  at_ = kHeader;
  return static_cast<uint8_t>(blob_.back()) == kEndMark;
}

PackedReader::Step PackedReader::next_ziplist(PackedElement& element) {
  const size_t start = at_;
  auto byte = static_cast<uint8_t>(blob_[at_]);
  if (byte == kEndMark) return finish();
  size_t previous = byte;
  at_ += 1;
  if (byte == 0xfe) {
    if (!has(4)) return Step::kBroken;
    previous = little_endian(at_, 4);
    at_ += 4;
  }
  if (previous != previous_size_ || !has(1)) return Step::kBroken;
  byte = static_cast<uint8_t>(blob_[at_++]);
  bool ok = true;
  switch (byte >> 6) {
    case 0:
      ok = take(byte & 0x3f, element);
      break;
    case 1:
      ok = has(1);
      if (ok) {
        const size_t size = size_t{byte & 0x3fU} << 8 | static_cast<uint8_t>(blob_[at_]);
        ++at_;
        ok = take(size, element);
      }
      break;
    case 2:
      ok = has(4);
      if (ok) {
        const size_t size = __builtin_bswap32(static_cast<uint32_t>(little_endian(at_, 4)));
        at_ += 4;
        ok = take(size, element);
      }
      break;
    default:
      switch (byte) {
        case 0xc0:
          ok = take_number(2, element);
          break;
        case 0xd0:
          ok = take_number(4, element);
          break;
        case 0xe0:
          ok = take_number(8, element);
          break;
        case 0xf0:
          ok = take_number(3, element);
          break;
        case 0xfe:
          ok = take_number(1, element);
          break;
        default:
          ok = byte >= 0xf1 && byte <= 0xfd;  // 0 to 12 in the encoding byte itself
          if (ok) element.set(int64_t{byte & 0x0f} - 1);
      }
  }
  // The end mark must still follow.
  if (!ok || at_ >= blob_.size()) return Step::kBroken;
  previous_size_ = at_ - start;
  return Step::kElement;
}

// Listpack: total 4, count 2, elements [encoding][data][own size, read backwards], end mark.

bool PackedReader::open_listpack() {
  constexpr size_t kHeader = 6;
  if (blob_.size() < kHeader + 1 || little_endian(0, 4) != blob_.size()) return false;
  declared_ = little_endian(4, 2);
  if (declared_ == UINT16_MAX) declared_ = kUnknown;
  at_ = kHeader;
  return static_cast<uint8_t>(blob_.back()) == kEndMark;
}

PackedReader::Step PackedReader::next_listpack(PackedElement& element) {
  const size_t start = at_;
  const auto byte = static_cast<uint8_t>(blob_[at_]);
  if (byte == kEndMark) return finish();
  ++at_;
  bool ok = true;
  if (byte < 0x80) {
    element.set(int64_t{byte});
  } else if (byte < 0xc0) {
    ok = take(byte & 0x3f, element);
  } else if (byte < 0xe0) {
    ok = has(1);
    if (ok) element.set(sign_extend(uint64_t{byte & 0x1fU} << 8 | static_cast<uint8_t>(blob_[at_++]), 13));
  } else if (byte < 0xf0) {
    ok = has(1);
    if (ok) {
      const size_t size = size_t{byte & 0x0fU} << 8 | static_cast<uint8_t>(blob_[at_]);
      ++at_;
      ok = take(size, element);
    }
  } else {
    switch (byte) {
      case 0xf0:
        ok = has(4);
        if (ok) {
          const size_t size = little_endian(at_, 4);
          at_ += 4;
          ok = take(size, element);
        }
        break;
      case 0xf1:
        ok = take_number(2, element);
        break;
      case 0xf2:
        ok = take_number(3, element);
        break;
      case 0xf3:
        ok = take_number(4, element);
        break;
      case 0xf4:
        ok = take_number(8, element);
        break;
      default:
        ok = false;
    }
  }
  if (!ok) return Step::kBroken;
  const size_t size = at_ - start;
  const size_t back = backlen_size(size);
  if (!has(back + 1)) return Step::kBroken;
  uint64_t told = 0;
  for (size_t i = 0; i < back; ++i) told = told << 7 | (static_cast<uint8_t>(blob_[at_ + i]) & 0x7f);
  if (told != size) return Step::kBroken;
  at_ += back;
  return Step::kElement;
}

// Intset: width 4, count 4, ascending numbers.

bool PackedReader::open_intset() {
  constexpr size_t kHeader = 8;
  if (blob_.size() < kHeader) return false;
  width_ = static_cast<uint32_t>(little_endian(0, 4));
  declared_ = little_endian(4, 4);
  at_ = kHeader;
  if (width_ != 2 && width_ != 4 && width_ != 8) return false;
  return declared_ > 0 && declared_ * width_ == blob_.size() - kHeader;
}

PackedReader::Step PackedReader::next_intset(PackedElement& element) {
  if (at_ == blob_.size()) return Step::kEnd;
  if (!take_number(width_, element)) return Step::kBroken;
  const int64_t value = *element.number();
  if (seen_ > 0 && value <= last_) return Step::kBroken;
  last_ = value;
  return Step::kElement;
}

// Zipmap: count 1 (254 = count them), then [size][key] and [size][free][value][free bytes], end mark. Size: one byte
// below 254, or 254 and 4 bytes.

bool PackedReader::open_zipmap() {
  if (blob_.size() < 2 || static_cast<uint8_t>(blob_.back()) != kEndMark) return false;
  const auto count = static_cast<uint8_t>(blob_[0]);
  declared_ = count < 254 ? uint64_t{count} * 2 : kUnknown;
  at_ = 1;
  return true;
}

PackedReader::Step PackedReader::next_zipmap(PackedElement& element) {
  const bool is_value = seen_ % 2 == 1;
  size_t size = static_cast<uint8_t>(blob_[at_]);
  if (size == kEndMark) return is_value ? Step::kBroken : finish();
  ++at_;
  if (size == 254) {
    if (!has(4)) return Step::kBroken;
    size = little_endian(at_, 4);
    at_ += 4;
  }
  size_t unused = 0;
  if (is_value) {
    if (!has(1)) return Step::kBroken;
    unused = static_cast<uint8_t>(blob_[at_++]);
  }
  if (!take(size, element) || !has(unused + 1)) return Step::kBroken;
  at_ += unused;
  return Step::kElement;
}

}  // namespace holdfast::codec::rdb
