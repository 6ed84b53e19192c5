// IntSet: a sorted array of distinct integers, all held in the narrowest of 2, 4 or 8 bytes that fits every one ever
// added.
//
// The owner passes the same Heap to every call and frees with clear().
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "store/heap.h"

namespace holdfast::store {

class IntSet {
 public:
  IntSet() = default;
  IntSet(IntSet&& other) noexcept { *this = std::move(other); }
  IntSet& operator=(IntSet&& other) noexcept;
  IntSet(const IntSet&) = delete;
  IntSet& operator=(const IntSet&) = delete;
  /// Asserts that clear() was called.
  ~IntSet();

  uint32_t size() const { return size_; }
  /// Ascending.
  int64_t at(uint32_t index) const;
  bool contains(int64_t value) const;
  /// True if new.
  bool insert(Heap& heap, int64_t value);
  bool erase(Heap& heap, int64_t value);
  void clear(Heap& heap);
  IntSet clone(Heap& heap) const;
  /// Moves the block if the heap wants it elsewhere.
  void compact(Heap& heap);
  size_t memory() const;
  void check_invariants() const;

 private:
  uint32_t lower_bound(int64_t value) const;
  void put(uint32_t index, int64_t value);
  void widen(Heap& heap, uint32_t width);
  void reserve(Heap& heap, uint32_t elements);

  char* block_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;  // elements
  uint32_t width_ = 2;     // bytes per element
};

}  // namespace holdfast::store
