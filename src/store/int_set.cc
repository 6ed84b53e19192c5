#include "store/int_set.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace holdfast::store {

namespace {

uint32_t width_of(int64_t value) {
  if (value >= INT16_MIN && value <= INT16_MAX) return 2;
  return value >= INT32_MIN && value <= INT32_MAX ? 4 : 8;
}

}  // namespace

IntSet& IntSet::operator=(IntSet&& other) noexcept {
  std::swap(block_, other.block_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  std::swap(width_, other.width_);
  return *this;
}

IntSet::~IntSet() { HF_ASSERT(block_ == nullptr); }

int64_t IntSet::at(uint32_t index) const {
  HF_ASSERT(index < size_);
  const char* const from = block_ + size_t{index} * width_;
  int16_t two = 0;
  int32_t four = 0;
  int64_t eight = 0;
  switch (width_) {
    case 2:
      std::memcpy(&two, from, 2);
      return two;
    case 4:
      std::memcpy(&four, from, 4);
      return four;
    default:
      std::memcpy(&eight, from, 8);
      return eight;
  }
}

void IntSet::put(uint32_t index, int64_t value) {
  // Little-endian: the low bytes of the two's complement are the narrow number.
  std::memcpy(block_ + size_t{index} * width_, &value, width_);
}

uint32_t IntSet::lower_bound(int64_t value) const {
  uint32_t low = 0;
  uint32_t high = size_;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (at(middle) < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

bool IntSet::contains(int64_t value) const {
  const uint32_t index = lower_bound(value);
  return index < size_ && at(index) == value;
}

void IntSet::reserve(Heap& heap, uint32_t elements) {
  if (elements <= capacity_) return;
  const size_t wanted = size_t{std::max(elements, capacity_ + capacity_ / 4)} * width_;
  const size_t bytes = Heap::class_bytes(wanted) / width_ * width_;
  auto* const fresh = static_cast<char*>(heap.allocate(bytes));
  if (block_ != nullptr) {
    std::memcpy(fresh, block_, size_t{size_} * width_);
    heap.release(block_, size_t{capacity_} * width_);
  }
  block_ = fresh;
  capacity_ = static_cast<uint32_t>(bytes / width_);
}

void IntSet::widen(Heap& heap, uint32_t width) {
  IntSet wide;
  wide.width_ = width;
  wide.reserve(heap, size_ + 1);
  wide.size_ = size_;
  for (uint32_t i = 0; i < size_; ++i) wide.put(i, at(i));
  *this = std::move(wide);
  wide.clear(heap);
}

bool IntSet::insert(Heap& heap, int64_t value) {
  const uint32_t index = lower_bound(value);
  if (index < size_ && at(index) == value) return false;
  if (width_of(value) > width_) widen(heap, width_of(value));
  reserve(heap, size_ + 1);
  char* const to = block_ + size_t{index} * width_;
  std::memmove(to + width_, to, size_t{size_ - index} * width_);
  ++size_;
  put(index, value);
  return true;
}

bool IntSet::erase(Heap& heap, int64_t value) {
  const uint32_t index = lower_bound(value);
  if (index >= size_ || at(index) != value) return false;
  char* const to = block_ + size_t{index} * width_;
  std::memmove(to, to + width_, size_t{size_ - index - 1} * width_);
  if (--size_ == 0) clear(heap);
  return true;
}

void IntSet::clear(Heap& heap) {
  if (block_ != nullptr) heap.release(block_, size_t{capacity_} * width_);
  block_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

void IntSet::compact(Heap& heap) {
  if (block_ != nullptr) block_ = static_cast<char*>(heap.compact(block_, size_t{capacity_} * width_));
}

IntSet IntSet::clone(Heap& heap) const {
  IntSet copy;
  copy.width_ = width_;
  copy.reserve(heap, size_);
  copy.size_ = size_;
  if (size_ > 0) std::memcpy(copy.block_, block_, size_t{size_} * width_);
  return copy;
}

size_t IntSet::memory() const { return capacity_ == 0 ? 0 : Heap::class_bytes(size_t{capacity_} * width_); }

void IntSet::check_invariants() const {
  HF_ASSERT(size_ <= capacity_ && (block_ == nullptr) == (capacity_ == 0));
  for (uint32_t i = 1; i < size_; ++i) HF_ASSERT(at(i - 1) < at(i));
}

}  // namespace holdfast::store
