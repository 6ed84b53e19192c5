// Packed values inside RDB files: ziplist, listpack, intset and zipmap as a stream of elements.
//
// Sources: the formats as Redis 2.4-7.2 write them. Nothing of a blob is trusted: every length is checked against the
// bytes that are there, declared totals against the whole, and the end mark must be the last byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::codec::rdb {

enum class PackedKind : uint8_t { kZiplist, kListpack, kIntset, kZipmap };

/// One element: `bytes` borrowed from the blob or, for numbers, from the element itself.
class PackedElement {
 public:
  std::string_view text() const { return number_ ? std::string_view(digits_, digit_count_) : bytes_; }
  std::optional<int64_t> number() const {
    if (!number_) return std::nullopt;
    return value_;
  }
  void set(std::string_view bytes) {
    bytes_ = bytes;
    number_ = false;
  }
  void set(int64_t value);

 private:
  std::string_view bytes_;
  int64_t value_ = 0;
  bool number_ = false;
  size_t digit_count_ = 0;
  char digits_[24];
};

class PackedReader {
 public:
  enum class Step : uint8_t { kElement, kEnd, kBroken };

  PackedReader() = default;
  /// Checks the frame; a broken one answers kBroken at the first next(). `blob` must outlive the reader.
  PackedReader(PackedKind kind, std::string_view blob);
  Step next(PackedElement& element);

 private:
  bool open_ziplist();
  bool open_listpack();
  bool open_intset();
  bool open_zipmap();
  Step next_ziplist(PackedElement& element);
  Step next_listpack(PackedElement& element);
  Step next_intset(PackedElement& element);
  Step next_zipmap(PackedElement& element);
  Step finish();
  bool has(size_t bytes) const { return blob_.size() - at_ >= bytes; }
  uint64_t little_endian(size_t at, size_t bytes) const;
  bool take(size_t bytes, PackedElement& element);
  bool take_number(size_t bytes, PackedElement& element);

  PackedKind kind_ = PackedKind::kListpack;
  std::string_view blob_;
  size_t at_ = 0;
  uint64_t declared_ = 0;  // elements by the header; kUnknown = count them
  uint64_t seen_ = 0;
  size_t previous_size_ = 0;  // ziplist
  int64_t last_ = 0;          // intset
  uint32_t width_ = 0;        // intset
  bool broken_ = false;
};

}  // namespace holdfast::codec::rdb
