// Ring: a sequence that is cheap at both ends and holds nothing while empty; a small list pays for one slot only.
//
// Capacity is a power of two. Inserting or erasing inside shifts the shorter side.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

#include "base/assert.h"
#include "store/heap.h"

namespace holdfast::store {

template <typename T>
class Ring {
 public:
  explicit Ring(Heap& heap) : heap_(&heap) {}
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  Ring(Ring&& other) noexcept
      : heap_(other.heap_),
        slots_(std::exchange(other.slots_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        head_(std::exchange(other.head_, 0)),
        size_(std::exchange(other.size_, 0)) {}
  ~Ring() {
    while (size_ > 0) pop_back();
    release();
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t capacity() const { return capacity_; }
  T& operator[](size_t index) { return *at(index); }
  const T& operator[](size_t index) const { return *at(index); }
  T& front() { return *at(0); }
  T& back() { return *at(size_ - 1); }

  void push_back(T value) { insert(size_, std::move(value)); }
  void push_front(T value) { insert(0, std::move(value)); }
  void pop_back() { erase(size_ - 1); }
  void pop_front() { erase(0); }

  void insert(size_t index, T value) {
    HF_ASSERT(index <= size_);
    if (size_ == capacity_) grow();
    const bool shift_front = index < size_ / 2 || index == 0;
    if (shift_front) {
      head_ = (head_ - 1) & (capacity_ - 1);
      new (at(0)) T;
      ++size_;
      for (size_t i = 0; i < index; ++i) *at(i) = std::move(*at(i + 1));
    } else {
      new (at(size_)) T;
      ++size_;
      for (size_t i = size_ - 1; i > index; --i) *at(i) = std::move(*at(i - 1));
    }
    *at(index) = std::move(value);
  }

  void erase(size_t index) {
    HF_ASSERT(index < size_);
    if (index < size_ / 2) {
      for (size_t i = index; i > 0; --i) *at(i) = std::move(*at(i - 1));
      at(0)->~T();
      head_ = (head_ + 1) & (capacity_ - 1);
    } else {
      for (size_t i = index; i + 1 < size_; ++i) *at(i) = std::move(*at(i + 1));
      at(size_ - 1)->~T();
    }
    if (--size_ == 0) release();
  }

  /// Moves the slots if the heap wants them elsewhere.
  void compact() {
    const size_t bytes = capacity_ * sizeof(T);
    if (slots_ == nullptr || !heap_->should_move(slots_, bytes)) return;
    T* const fresh = static_cast<T*>(heap_->allocate(bytes));
    for (size_t i = 0; i < size_; ++i) {
      new (fresh + i) T(std::move(*at(i)));
      at(i)->~T();
    }
    heap_->release(slots_, bytes);
    slots_ = fresh;
    head_ = 0;
  }

 private:
  T* at(size_t index) const { return slots_ + ((head_ + index) & (capacity_ - 1)); }
  void grow() {
    const size_t wide = capacity_ == 0 ? 1 : capacity_ * 2;
    T* const fresh = static_cast<T*>(heap_->allocate(wide * sizeof(T)));
    for (size_t i = 0; i < size_; ++i) {
      new (fresh + i) T(std::move(*at(i)));
      at(i)->~T();
    }
    release();
    slots_ = fresh;
    capacity_ = wide;
    head_ = 0;
  }
  void release() {
    if (slots_ != nullptr) heap_->release(slots_, capacity_ * sizeof(T));
    slots_ = nullptr;
    capacity_ = 0;
    head_ = 0;
  }

  Heap* heap_;
  T* slots_ = nullptr;
  size_t capacity_ = 0;
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace holdfast::store
