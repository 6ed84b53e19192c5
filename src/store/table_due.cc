// The due heap of a Table: a binary heap of segments by the earliest expiry that may be inside; samples of what
// expires.
#include <utility>

#include "base/assert.h"
#include "base/prng.h"
#include "store/table.h"

namespace holdfast::store {

void Table::note_due(const Key& key, int64_t due_ms) {
  Segment& segment = segment_of(key.hash);
  if (due_ms < segment.due_ms) set_due(segment, due_ms);
}

int64_t Table::next_due_ms() const { return due_heap_.empty() ? Segment::kNothingDue : due_heap_.front()->due_ms; }

void Table::set_due(Segment& segment, int64_t due_ms) {
  if (due_ms == segment.due_ms) return;
  if (due_ms == Segment::kNothingDue) {
    due_remove(segment);
    return;
  }
  if (segment.due_ms == Segment::kNothingDue) {
    segment.due_index = static_cast<uint32_t>(due_heap_.size());
    due_heap_.push_back(&segment);
  }
  segment.due_ms = due_ms;
  due_up(segment.due_index);
  due_down(segment.due_index);
}

void Table::due_remove(Segment& segment) {
  const uint32_t index = segment.due_index;
  HF_ASSERT(due_heap_[index] == &segment);
  Segment* const last = due_heap_.back();
  due_heap_.pop_back();
  segment.due_ms = Segment::kNothingDue;
  if (last == &segment) return;
  due_heap_[index] = last;
  last->due_index = index;
  due_up(index);
  due_down(last->due_index);
}

void Table::due_up(uint32_t index) {
  while (index > 0) {
    const uint32_t parent = (index - 1) / 2;
    if (due_heap_[parent]->due_ms <= due_heap_[index]->due_ms) return;
    std::swap(due_heap_[parent], due_heap_[index]);
    due_heap_[parent]->due_index = parent;
    due_heap_[index]->due_index = index;
    index = parent;
  }
}

void Table::due_down(uint32_t index) {
  const auto size = static_cast<uint32_t>(due_heap_.size());
  while (true) {
    uint32_t least = index;
    for (uint32_t child = 2 * index + 1; child <= 2 * index + 2 && child < size; ++child) {
      if (due_heap_[child]->due_ms < due_heap_[least]->due_ms) least = child;
    }
    if (least == index) return;
    std::swap(due_heap_[least], due_heap_[index]);
    due_heap_[least]->due_index = least;
    due_heap_[index]->due_index = index;
    index = least;
  }
}

void Table::sample(Prng& prng, size_t count, bool due_only, FunctionRef<bool(void*)> wanted) const {
  if (!due_only) {
    for (size_t i = 0; i < count && size_ > 0; ++i) wanted(random(prng));
    return;
  }
  if (due_heap_.empty()) return;
  size_t found = 0;
  const auto look_into = [&](const Segment& segment, uint64_t from) {
    for (uint32_t i = 0; i < segment.bucket_count() && found < count; ++i) {
      const auto bucket = static_cast<uint32_t>((from + i) & (segment.bucket_count() - 1));
      for_each_in_bucket(segment, bucket, [&](void* item) {
        if (found < count && wanted(item)) ++found;
      });
    }
  };
  look_into(*due_heap_[prng.below(due_heap_.size())], prng.next());
  // Bounds may be out of date: a segment may hold nothing that expires any more.
  for (size_t i = 0; i < due_heap_.size() && found == 0; ++i) look_into(*due_heap_[i], 0);
}

}  // namespace holdfast::store
