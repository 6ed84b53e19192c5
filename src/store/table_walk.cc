// Table, continued: reading many items, emptying it, and moving items for compaction.
#include <bit>

#include "base/prng.h"
#include "store/bucket.h"
#include "store/context.h"
#include "store/scan_cursor.h"
#include "store/table.h"

namespace holdfast::store {

uint64_t Table::scan(uint64_t cursor, FunctionRef<void(void*)> visit) const {
  const Segment& segment = segment_of(cursor);
  visit_chain(segment.buckets[bucket_of(segment, cursor)], [&](void* item) { visit(item); });
  return cursor_after(cursor, segment.bucket_bits + segment.local_depth);
}

void* Table::random(Prng& prng) const {
  if (size_ == 0) return nullptr;
  constexpr uint32_t kTries = 256;
  constexpr uint32_t kChainMax = 16;  // longer chains are a rarity whose tail is never chosen here
  for (uint32_t i = 0; i < kTries; ++i) {
    const uint64_t at = prng.next();
    const Segment& segment = segment_of(at);
    uint32_t skip = static_cast<uint32_t>(at >> 60) & (kChainMax - 1);
    void* chosen = nullptr;
    uint32_t index = 0;
    visit_chain(segment.buckets[bucket_of(segment, at)], [&](void* item) {
      if (index++ == skip) chosen = item;
    });
    if (chosen != nullptr) return chosen;
  }
  // A table that shrank a lot: the first segment with items from a random point on, any of its items.
  uint64_t position = prng.next();
  while (true) {
    const Segment& segment = *segment_at(position);
    position = position_after(segment);
    if (segment.count == 0) continue;
    uint64_t skip = prng.below(segment.count);
    void* chosen = nullptr;
    for (uint32_t b = 0; b < segment.bucket_count(); ++b) {
      visit_chain(segment.buckets[b], [&](void* item) {
        if (skip-- == 0) chosen = item;
      });
    }
    return chosen;
  }
}

void Table::for_each(FunctionRef<bool(void*)> visit) const {
  uint64_t position = 0;
  do {
    const Segment& segment = *segment_at(position);
    bool more = true;
    for (uint32_t b = 0; b < segment.bucket_count() && more; ++b) {
      visit_chain(segment.buckets[b], [&](void* item) {
        if (more) more = visit(item);
      });
    }
    if (!more) return;
    position = position_after(segment);
  } while (position != 0);
}

bool Table::drain(size_t limit, FunctionRef<void(void*)> take) {
  for (size_t taken = 0; segment_count_ > 1 || size_ > 0;) {
    if (taken >= limit) return false;
    Segment* const segment = segment_at(drained_to_);
    for (uint32_t b = 0; b < segment->bucket_count(); ++b) {
      Bucket& home = segment->buckets[b];
      visit_chain(home, [&](void* item) { take(item); });
      for (Bucket* next = overflow_of(home); next != nullptr;) {
        Bucket* const gone = next;
        next = overflow_of(*next);
        free_buckets(gone, 1);
      }
      home = Bucket{};
    }
    taken += segment->count + 1;
    size_ -= segment->count;
    segment->count = 0;
    segment->overflows = 0;
    drained_to_ = position_after(*segment);
    if (segment_count_ > 1) free_drained(segment);
  }
  if (directory_.size() > 1) start_anew();
  return true;
}

/// The places of `segment` in the directory stay empty: only drain() goes on from here.
void Table::free_drained(Segment* segment) {
  const uint64_t step = uint64_t{1} << segment->local_depth;
  for (uint64_t i = segment->prefix; i < directory_.size(); i += step) directory_[i] = nullptr;
  free_segment(segment);
}

/// Drained: the last segment becomes the only one.
void Table::start_anew() {
  Segment* last = nullptr;
  for (Segment* const segment : directory_) last = segment == nullptr ? last : segment;
  free_segment(last);
  depth_ = 0;
  drained_to_ = 0;
  due_heap_.clear();
  directory_.assign(1, new_segment(0, 0, 0));
}

void Table::relocate(Segment& segment, uint32_t index, FunctionRef<void*(void*)> move) {
  for (Bucket* bucket = &segment.buckets[index]; bucket != nullptr; bucket = overflow_of(*bucket)) {
    for (uint32_t bits = item_bits(*bucket); bits != 0; bits &= bits - 1) {
      void*& item = bucket->slots[std::countr_zero(bits)];
      item = move(item);
    }
  }
}

}  // namespace holdfast::store
