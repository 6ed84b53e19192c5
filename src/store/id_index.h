// IdIndex: items in the order of their stream ids, in chunks of bounded size; cheap to append to and to take from the
// front, logarithmic to find, bounded work to insert anywhere.
//
// T is trivially copyable and has a member `id`; what an item points to is its owner's. A Place dies at the next write.
// Invariants (check_invariants): ids ascend strictly; no chunk is empty; a chunk holds at most kChunkMax items.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/assert.h"
#include "store/heap.h"
#include "store/ring.h"
#include "store/stream_id.h"

namespace holdfast::store {

template <typename T>
class IdIndex {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  static constexpr uint32_t kChunkMax = 128;

  explicit IdIndex(Heap& heap) : heap_(&heap), chunks_(heap) {}
  IdIndex(const IdIndex&) = delete;
  IdIndex& operator=(const IdIndex&) = delete;
  ~IdIndex() { clear(); }

  struct Place {
    size_t chunk = 0;
    uint32_t item = 0;
    bool operator==(const Place&) const = default;
  };

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Place begin() const { return {}; }
  Place end() const { return {chunks_.size(), 0}; }
  /// The index must not be empty.
  Place last() const { return {chunks_.size() - 1, chunks_[chunks_.size() - 1].count - 1}; }
  T& at(Place place) { return chunks_[place.chunk].items[place.item]; }
  const T& at(Place place) const { return chunks_[place.chunk].items[place.item]; }
  void forward(Place& place) const {
    if (++place.item == chunks_[place.chunk].count) place = {place.chunk + 1, 0};
  }
  /// False before the first.
  bool backward(Place& place) const {
    if (place.item > 0) {
      --place.item;
    } else if (place.chunk > 0) {
      place = {place.chunk - 1, chunks_[place.chunk - 1].count - 1};
    } else {
      return false;
    }
    return true;
  }

  /// The first item that is not before `id`; end() if there is none.
  Place lower_bound(StreamId id) const {
    size_t low = 0;
    size_t high = chunks_.size();
    while (low < high) {
      const size_t middle = (low + high) / 2;
      const Chunk& chunk = chunks_[middle];
      chunk.items[chunk.count - 1].id < id ? low = middle + 1 : high = middle;
    }
    if (low == chunks_.size()) return end();
    const Chunk& chunk = chunks_[low];
    const T* const found =
        std::lower_bound(chunk.items, chunk.items + chunk.count, id, [](const T& a, StreamId b) { return a.id < b; });
    return {low, static_cast<uint32_t>(found - chunk.items)};
  }
  T* find(StreamId id) {
    const Place place = lower_bound(id);
    return place != end() && at(place).id == id ? &at(place) : nullptr;
  }
  const T* find(StreamId id) const { return const_cast<IdIndex*>(this)->find(id); }

  /// False if the id is present.
  bool insert(const T& item) {
    if (size_ == 0 || at(last()).id < item.id) {
      append(item);
      return true;
    }
    Place place = lower_bound(item.id);
    if (at(place).id == item.id) return false;
    if (chunks_[place.chunk].count == kChunkMax) {
      split(place.chunk);
      place = lower_bound(item.id);
    }
    Chunk& chunk = chunks_[place.chunk];
    reserve(chunk);
    std::memmove(chunk.items + place.item + 1, chunk.items + place.item, (chunk.count - place.item) * sizeof(T));
    chunk.items[place.item] = item;
    ++chunk.count;
    ++size_;
    return true;
  }

  void erase(Place place) {
    Chunk& chunk = chunks_[place.chunk];
    HF_ASSERT(place.item < chunk.count);
    --chunk.count;
    --size_;
    std::memmove(chunk.items + place.item, chunk.items + place.item + 1, (chunk.count - place.item) * sizeof(T));
    if (chunk.count == 0) {
      drop(place.chunk);
    } else if (chunk.count < chunk.capacity / 4) {
      resize(chunk, chunk.capacity / 2);
      join(place.chunk);
    }
  }
  bool erase(StreamId id) {
    const Place place = lower_bound(id);
    if (place == end() || at(place).id != id) return false;
    erase(place);
    return true;
  }
  /// Does not touch what items point to.
  void clear() {
    while (!chunks_.empty()) drop(chunks_.size() - 1);
    size_ = 0;
  }

  size_t memory() const {
    size_t bytes = chunks_.capacity() * sizeof(Chunk);
    for (size_t i = 0; i < chunks_.size(); ++i) bytes += Heap::class_bytes(chunks_[i].capacity * sizeof(T));
    return bytes;
  }
  void check_invariants() const {
    size_t items = 0;
    const StreamId* before = nullptr;
    for (size_t i = 0; i < chunks_.size(); ++i) {
      const Chunk& chunk = chunks_[i];
      HF_ASSERT(chunk.count > 0 && chunk.count <= chunk.capacity && chunk.capacity <= kChunkMax);
      for (uint32_t j = 0; j < chunk.count; ++j) {
        HF_ASSERT(before == nullptr || *before < chunk.items[j].id);
        before = &chunk.items[j].id;
      }
      items += chunk.count;
    }
    HF_ASSERT(items == size_);
  }

 private:
  struct Chunk {
    T* items = nullptr;
    uint32_t count = 0;
    uint32_t capacity = 0;
  };

  void append(const T& item) {
    if (chunks_.empty() || chunks_.back().count == kChunkMax) chunks_.push_back({});
    Chunk& chunk = chunks_.back();
    reserve(chunk);
    chunk.items[chunk.count++] = item;
    ++size_;
  }
  void reserve(Chunk& chunk) {
    if (chunk.count == chunk.capacity) resize(chunk, chunk.capacity == 0 ? 1 : chunk.capacity * 2);
  }
  void resize(Chunk& chunk, uint32_t capacity) {
    HF_ASSERT(capacity >= chunk.count && capacity > 0);
    T* const items = static_cast<T*>(heap_->allocate(capacity * sizeof(T)));
    if (chunk.count > 0) std::memcpy(items, chunk.items, chunk.count * sizeof(T));
    if (chunk.items != nullptr) heap_->release(chunk.items, chunk.capacity * sizeof(T));
    chunk.items = items;
    chunk.capacity = capacity;
  }
  /// A full chunk in two halves.
  void split(size_t index) {
    Chunk right;
    resize(right, kChunkMax / 2);
    Chunk& left = chunks_[index];
    right.count = kChunkMax / 2;
    left.count -= right.count;
    std::memcpy(right.items, left.items + left.count, right.count * sizeof(T));
    resize(left, left.count);
    chunks_.insert(index + 1, right);
  }
  /// With the next chunk, if the two are small.
  void join(size_t index) {
    if (index + 1 >= chunks_.size()) return;
    Chunk& left = chunks_[index];
    const Chunk right = chunks_[index + 1];
    const uint32_t total = left.count + right.count;
    if (total > kChunkMax / 2) return;
    if (left.capacity < total) resize(left, kChunkMax / 2);
    std::memcpy(left.items + left.count, right.items, right.count * sizeof(T));
    left.count = total;
    drop(index + 1);
  }
  void drop(size_t index) {
    Chunk& chunk = chunks_[index];
    if (chunk.items != nullptr) heap_->release(chunk.items, chunk.capacity * sizeof(T));
    chunks_.erase(index);
  }

  Heap* heap_;
  Ring<Chunk> chunks_;
  size_t size_ = 0;
};

}  // namespace holdfast::store
