// HeapAllocator: standard containers on a Heap, so that what they hold counts as used memory.
#pragma once

#include <cstddef>
#include <string>

#include "store/heap.h"

namespace holdfast::store {

template <typename T>
class HeapAllocator {
 public:
  using value_type = T;

  // NOLINTNEXTLINE(google-explicit-constructor): a container is given its heap
  HeapAllocator(Heap& heap) : heap_(&heap) {}
  template <typename U>
  // NOLINTNEXTLINE(google-explicit-constructor): containers allocate other things than their elements
  HeapAllocator(const HeapAllocator<U>& other) : heap_(other.heap()) {}

  T* allocate(size_t count) { return static_cast<T*>(heap_->allocate(count * sizeof(T))); }
  void deallocate(T* block, size_t count) { heap_->release(block, count * sizeof(T)); }
  Heap* heap() const { return heap_; }
  template <typename U>
  bool operator==(const HeapAllocator<U>& other) const {
    return heap_ == other.heap();
  }

 private:
  Heap* heap_;
};

using HeapString = std::basic_string<char, std::char_traits<char>, HeapAllocator<char>>;

}  // namespace holdfast::store
