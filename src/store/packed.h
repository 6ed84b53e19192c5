// Packed: a sequence of byte strings in one allocation, walked from both ends; the compact form of collections.
//
// Layout: header {bytes, capacity, count} of 3 x 4 bytes, then elements [length varint][bytes][back varint]; back is
// the size of the two parts before it, its bytes reversed so that it can be read from its end. Offsets name elements:
// begin() is the first, end() one past the last; any write but replace-with-equal-size moves the elements behind it.
// The owner passes the same Heap to every call and frees with clear(); a moved-from block is empty. Invariants: bytes
// <= capacity <= 1 GiB; no block while count == 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "store/heap.h"

namespace holdfast::store {

class Packed {
 public:
  using Offset = uint32_t;
  static constexpr size_t kBytesMax = size_t{1} << 30;
  /// Owners turn to their large form here, whatever the configured limits allow.
  static constexpr size_t kBytesSafe = size_t{1} << 26;

  Packed() = default;
  Packed(Packed&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Packed& operator=(Packed&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  Packed(const Packed&) = delete;
  Packed& operator=(const Packed&) = delete;
  /// Asserts that clear() was called.
  ~Packed();

  uint32_t count() const { return block_ == nullptr ? 0 : header().count; }
  /// Bytes of all elements with their lengths.
  uint32_t bytes() const { return block_ == nullptr ? 0 : header().bytes; }
  size_t memory() const;
  bool has_room(size_t elements_size) const {
    return elements_size < kBytesSafe && bytes() < kBytesSafe - elements_size;
  }
  /// What one element of `size` bytes adds to bytes().
  static size_t element_bytes(size_t size);

  Offset begin() const { return 0; }
  Offset end() const { return bytes(); }
  Offset next(Offset at) const;
  Offset previous(Offset at) const;
  std::string_view get(Offset at) const;
  /// The offset of element `index` (<= count), walked from the nearer end.
  Offset seek(uint32_t index) const;
  /// First element equal to `bytes` among every `stride`-th, starting with the first; end() if none.
  Offset find(std::string_view bytes, uint32_t stride = 1) const;

  /// Before the element at `at`. `bytes` must not point into this block.
  void insert(Heap& heap, Offset at, std::string_view bytes);
  void push_back(Heap& heap, std::string_view bytes) { insert(heap, end(), bytes); }
  void replace(Heap& heap, Offset at, std::string_view bytes);
  void erase(Heap& heap, Offset at, uint32_t elements = 1);
  /// Moves the elements from `at` to the end into a new sequence.
  Packed split(Heap& heap, Offset at);
  void clear(Heap& heap);
  Packed clone(Heap& heap) const;
  /// Moves the block if the heap wants it elsewhere.
  void compact(Heap& heap);
  void check_invariants() const;

 private:
  struct Header {
    uint32_t bytes;
    uint32_t capacity;
    uint32_t count;
  };
  Header& header() const { return *reinterpret_cast<Header*>(block_); }
  char* data() const { return block_ + sizeof(Header); }
  void reserve(Heap& heap, size_t bytes);
  void shrink(Heap& heap);

  char* block_ = nullptr;
};

}  // namespace holdfast::store
