#include "store/table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "base/assert.h"
#include "store/bucket.h"
#include "store/context.h"
#include "store/scan_cursor.h"
#include "store/varint.h"
#include "store/write_hook.h"

namespace holdfast::store {

namespace {

constexpr size_t kSegmentBytes = (sizeof(Segment) + 63) & ~size_t{63};
constexpr uint32_t kLocalDepthMax = 48;  // below the hash bits that serve as tags

uint8_t tag_of(uint64_t hash) { return static_cast<uint8_t>(hash >> 56); }

uint8_t free_bits(const Bucket& bucket) {
  return static_cast<uint8_t>(~bucket.present & (has_overflow(bucket) ? 0x3f : 0x7f));
}

void put_in(Bucket& bucket, uint32_t slot, uint64_t hash, void* item) {
  bucket.slots[slot] = item;
  bucket.tags[slot] = tag_of(hash);
  bucket.present |= static_cast<uint8_t>(1U << slot);
}

/// One bit per slot whose tag may equal `tag` (rarely also a neighbour's bit; the key decides).
uint8_t matching_tags(const Bucket& bucket, uint8_t tag) {
  uint64_t word = 0;
  std::memcpy(&word, bucket.tags, sizeof(word));  // 7 tags and the presence byte
  word ^= 0x0101010101010101ULL * tag;
  const uint64_t zero_bytes = (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
  // Gathers the top bit of each byte into the lowest byte.
  return static_cast<uint8_t>((zero_bytes >> 7) * 0x0102040810204080ULL >> 56) & item_bits(bucket);
}

}  // namespace

struct Table::Place {
  Segment* segment = nullptr;
  Bucket* previous = nullptr;  // bucket before `bucket` in the chain, null if that is the home bucket
  Bucket* bucket = nullptr;    // null = absent
  uint32_t slot = 0;
};

Table::Table(Context& context, uint32_t key_offset) : context_(&context), key_offset_(key_offset) {
  directory_.push_back(new_segment(0, 0, 0));
}

Table::~Table() {
  for (size_t i = directory_.size(); i-- > 0;) {
    Segment* const segment = directory_[i];
    if (segment == nullptr || segment->prefix != i) continue;  // an alias; the segment goes with its lowest index
    for (uint32_t b = 0; b < segment->bucket_count(); ++b) {
      for (Bucket* next = overflow_of(segment->buckets[b]); next != nullptr;) {
        Bucket* const gone = next;
        next = overflow_of(*next);
        free_buckets(gone, 1);
      }
    }
    free_segment(segment);
  }
  HF_ASSERT(memory_ == 0);
}

std::string_view Table::key_of(const void* item) const {
  uint64_t size = 0;
  const char* const bytes = get_varint(static_cast<const char*>(item) + key_offset_, size);
  return {bytes, size};
}

Segment& Table::segment_of(uint64_t hash) const {
  return *directory_[hash >> Segment::kBitsMax & (directory_.size() - 1)];
}

uint32_t Table::bucket_of(const Segment& segment, uint64_t hash) const {
  return static_cast<uint32_t>(hash & (segment.bucket_count() - 1));
}

void Table::prefetch(uint64_t hash) const {
  const Segment& segment = segment_of(hash);
  __builtin_prefetch(&segment.buckets[bucket_of(segment, hash)]);
}

void Table::prefetch_item(uint64_t hash) const {
  const Segment& segment = segment_of(hash);
  const Bucket& bucket = segment.buckets[bucket_of(segment, hash)];
  for (uint32_t bits = matching_tags(bucket, tag_of(hash)); bits != 0; bits &= bits - 1) {
    const char* const item = static_cast<const char*>(bucket.slots[std::countr_zero(bits)]);
    __builtin_prefetch(item);
    __builtin_prefetch(item + 64);  // the end of a short value
  }
}

void* Table::find(const Key& key) const {
  const Segment& segment = segment_of(key.hash);
  const uint8_t tag = tag_of(key.hash);
  const Bucket* bucket = &segment.buckets[bucket_of(segment, key.hash)];
  do {
    for (uint32_t bits = matching_tags(*bucket, tag); bits != 0; bits &= bits - 1) {
      void* const item = bucket->slots[std::countr_zero(bits)];
      if (key_of(item) == key.bytes) [[likely]]
        return item;
    }
    bucket = overflow_of(*bucket);
  } while (bucket != nullptr);
  return nullptr;
}

Table::Place Table::locate(const Key& key) const {
  Place place;
  place.segment = &segment_of(key.hash);
  const uint8_t tag = tag_of(key.hash);
  Bucket* bucket = &place.segment->buckets[bucket_of(*place.segment, key.hash)];
  while (bucket != nullptr) {
    for (uint32_t bits = matching_tags(*bucket, tag); bits != 0; bits &= bits - 1) {
      const auto slot = static_cast<uint32_t>(std::countr_zero(bits));
      if (key_of(bucket->slots[slot]) != key.bytes) continue;
      place.bucket = bucket;
      place.slot = slot;
      return place;
    }
    place.previous = bucket;
    bucket = overflow_of(*bucket);
  }
  return place;
}

void** Table::slot(const Key& key) {
  const Place place = locate(key);
  return place.bucket == nullptr ? nullptr : &place.bucket->slots[place.slot];
}

void Table::announce_slow(const Key& key) {
  Segment& segment = segment_of(key.hash);
  const uint32_t bucket = bucket_of(segment, key.hash);
  if (hook_ != nullptr) hook_->before_write(*this, segment, bucket);
  if (walk_ != nullptr) walk_->before_write(*this, segment, bucket);
}

void Table::insert(const Key& key, void* item) {
  announce(key);
  Segment* segment = &segment_of(key.hash);
  if (must_grow(*segment)) [[unlikely]] {
    grow(*segment);
    segment = &segment_of(key.hash);
  }
  put(*segment, key.hash, item);
  ++segment->count;
  ++size_;
}

void Table::put(Segment& segment, uint64_t hash, void* item) {
  Bucket* bucket = &segment.buckets[bucket_of(segment, hash)];
  while (true) {
    if (const uint8_t free = free_bits(*bucket); free != 0) {
      put_in(*bucket, static_cast<uint32_t>(std::countr_zero(free)), hash, item);
      return;
    }
    if (!has_overflow(*bucket)) break;
    bucket = overflow_of(*bucket);
  }
  // The last slot becomes the link; its item moves on with the newcomer.
  constexpr uint32_t kLink = Bucket::kSlots - 1;
  Bucket* const overflow = new_buckets(1);
  ++segment.overflows;
  overflow->slots[0] = bucket->slots[kLink];
  overflow->tags[0] = bucket->tags[kLink];
  overflow->present = 1;
  put_in(*overflow, 1, hash, item);
  bucket->slots[kLink] = overflow;
  bucket->present = 0x3f | Bucket::kOverflow;
}

void* Table::erase(const Key& key) {
  const Place place = locate(key);
  if (place.bucket == nullptr) return nullptr;
  announce(key);
  Bucket& bucket = *place.bucket;
  void* const item = bucket.slots[place.slot];
  bucket.present &= static_cast<uint8_t>(~(1U << place.slot));
  if (place.previous != nullptr && item_bits(bucket) == 0) {
    Bucket* const rest = overflow_of(bucket);
    place.previous->slots[Bucket::kSlots - 1] = rest;
    if (rest == nullptr) place.previous->present &= static_cast<uint8_t>(~Bucket::kOverflow);
    free_buckets(&bucket, 1);
    --place.segment->overflows;
  }
  --place.segment->count;
  --size_;
  if (is_sparse(*place.segment)) [[unlikely]]
    shrink(*place.segment);
  return item;
}

bool Table::is_sparse(const Segment& segment) { return segment.count * 8 < segment.bucket_count() * Bucket::kSlots; }

void Table::shrink(Segment& segment) {
  if (hooked_) return;  // the marks of two halves may differ
  if (segment.local_depth == 0) {
    if (segment.bucket_bits > 0) halve_buckets(segment);
    return;
  }
  const uint64_t bit = uint64_t{1} << (segment.local_depth - 1);
  Segment& low = *directory_[segment.prefix & ~bit];
  Segment& high = *directory_[segment.prefix | bit];
  if (low.local_depth != high.local_depth) return;
  // Far from the next split, so that a table of steady size does not merge and split in turn.
  if ((low.count + high.count) * 4 < low.bucket_count() * Bucket::kSlots) merge(low, high);
}

void Table::merge(Segment& low, Segment& high) {
  for (uint32_t i = 0; i < high.bucket_count(); ++i) {
    empty_chain(high, high.buckets[i]);
    for (const Hashed& hashed : scratch_) put(low, hashed.hash, hashed.item);
  }
  scratch_.clear();
  low.count += high.count;
  const int64_t due_ms = std::min(low.due_ms, high.due_ms);
  set_due(high, Segment::kNothingDue);
  set_due(low, due_ms);
  for (uint64_t i = high.prefix; i < directory_.size(); i += uint64_t{1} << high.local_depth) directory_[i] = &low;
  --low.local_depth;
  free_segment(&high);
}

void Table::halve_buckets(Segment& segment) {
  const uint32_t count = segment.bucket_count();
  Bucket* const wide = segment.buckets;
  segment.buckets = new_buckets(count / 2);
  --segment.bucket_bits;
  for (uint32_t i = 0; i < count; ++i) {
    empty_chain(segment, wide[i]);
    for (const Hashed& hashed : scratch_) put(segment, hashed.hash, hashed.item);
  }
  scratch_.clear();
  free_buckets(wide, count);
}

bool Table::must_grow(const Segment& segment) const {
  // Fill cycles between 0.56 and 1.125 items per home slot (reference/server.md 3.3: the tuning knob).
  return segment.count * 8 >= segment.bucket_count() * Bucket::kSlots * 9 && segment.local_depth < kLocalDepthMax;
}

void Table::grow(Segment& segment) {
  if (segment.bucket_bits < Segment::kBitsMax) {
    double_buckets(segment);
  } else {
    split(segment);
  }
}

void Table::empty_chain(Segment& segment, Bucket& home) {
  scratch_.clear();
  visit_chain(home, [&](void* item) { scratch_.push_back({hash_bytes(key_of(item), context_->seed), item}); });
  for (Bucket* next = overflow_of(home); next != nullptr;) {
    Bucket* const gone = next;
    next = overflow_of(*next);
    free_buckets(gone, 1);
    --segment.overflows;
  }
  home = Bucket{};
}

void Table::double_buckets(Segment& segment) {
  const uint32_t old_count = segment.bucket_count();
  Bucket* const old = segment.buckets;
  Bucket* const wide = new_buckets(old_count * 2);
  std::copy(old, old + old_count, wide);
  free_buckets(old, old_count);
  segment.buckets = wide;
  ++segment.bucket_bits;
  for (uint32_t i = 0; i < old_count; ++i) {
    if (segment.is_visited(i)) segment.mark_visited(i + old_count);
    segment.walked[(i + old_count) >> 6] |= (segment.walked[i >> 6] >> (i & 63) & 1) << ((i + old_count) & 63);
    empty_chain(segment, wide[i]);
    for (const Hashed& hashed : scratch_) put(segment, hashed.hash, hashed.item);
  }
  scratch_.clear();
}

void Table::split(Segment& segment) {
  const uint32_t bit = segment.local_depth;
  if (bit == depth_) {
    const size_t half = directory_.size();
    directory_.resize(half * 2);
    std::copy_n(directory_.begin(), half, directory_.begin() + static_cast<ptrdiff_t>(half));
    ++depth_;
  }
  Segment* const twin = new_segment(Segment::kBitsMax, bit + 1, segment.prefix | uint64_t{1} << bit);
  segment.local_depth = bit + 1;
  twin->snapshot = segment.snapshot;
  twin->walk = segment.walk;
  std::copy_n(segment.walked, 2, twin->walked);
  std::copy_n(segment.visited, 2, twin->visited);
  for (uint64_t i = twin->prefix; i < directory_.size(); i += uint64_t{1} << (bit + 1)) directory_[i] = twin;
  for (uint32_t i = 0; i < segment.bucket_count(); ++i) {
    empty_chain(segment, segment.buckets[i]);
    for (const Hashed& hashed : scratch_) {
      const bool moves = (hashed.hash >> (Segment::kBitsMax + bit) & 1) != 0;
      put(moves ? *twin : segment, hashed.hash, hashed.item);
      if (!moves) continue;
      ++twin->count;
      --segment.count;
    }
  }
  scratch_.clear();
  if (segment.due_ms != Segment::kNothingDue) set_due(*twin, segment.due_ms);
}

Segment* Table::new_segment(uint32_t bucket_bits, uint32_t local_depth, uint64_t prefix) {
  // Like buckets apart from the small blocks: it never moves and would keep its page for ever.
  auto* const segment = new (context_->heap.allocate_aligned(sizeof(Segment))) Segment;
  segment->bucket_bits = bucket_bits;
  segment->local_depth = local_depth;
  segment->prefix = prefix;
  segment->buckets = new_buckets(segment->bucket_count());
  memory_ += kSegmentBytes;
  ++segment_count_;
  return segment;
}

void Table::free_segment(Segment* segment) {
  free_buckets(segment->buckets, segment->bucket_count());
  segment->~Segment();
  context_->heap.release_aligned(segment, sizeof(Segment));
  memory_ -= kSegmentBytes;
  --segment_count_;
}

Bucket* Table::new_buckets(uint32_t count) {
  const size_t bytes = count * sizeof(Bucket);
  void* const block = context_->heap.allocate_aligned(bytes);
  memory_ += bytes;
  auto* const buckets = static_cast<Bucket*>(block);
  for (uint32_t i = 0; i < count; ++i) new (buckets + i) Bucket;
  return buckets;
}

void Table::free_buckets(Bucket* buckets, uint32_t count) {
  const size_t bytes = count * sizeof(Bucket);
  context_->heap.release_aligned(buckets, bytes);
  memory_ -= bytes;
}

Segment* Table::segment_at(uint64_t position) const {
  return directory_[reverse_bits(position) & (directory_.size() - 1)];
}

uint64_t Table::position_after(const Segment& segment) {
  if (segment.local_depth == 0) return 0;
  return reverse_bits(segment.prefix) + (uint64_t{1} << (64 - segment.local_depth));
}

void Table::for_each_in_bucket(const Segment& segment, uint32_t bucket, FunctionRef<void(void*)> visit) const {
  visit_chain(segment.buckets[bucket], [&](void* item) { visit(item); });
}

void Table::check_invariants() const {
  size_t items = 0;
  size_t segments = 0;
  HF_ASSERT(directory_.size() == size_t{1} << depth_);
  for (size_t i = 0; i < directory_.size(); ++i) {
    const Segment& segment = *directory_[i];
    HF_ASSERT((i & low_bits(segment.local_depth)) == segment.prefix && segment.local_depth <= depth_);
    HF_ASSERT(segment.bucket_bits == Segment::kBitsMax || segment.local_depth == 0);
    if (segment.prefix != i) continue;
    ++segments;
    size_t in_segment = 0;
    size_t overflows = 0;
    for (uint32_t b = 0; b < segment.bucket_count(); ++b) {
      for (const Bucket* bucket = &segment.buckets[b]; bucket != nullptr; bucket = overflow_of(*bucket)) {
        HF_ASSERT(bucket == &segment.buckets[b] || item_bits(*bucket) != 0);
        overflows += has_overflow(*bucket) ? 1 : 0;
        for (uint32_t bits = item_bits(*bucket); bits != 0; bits &= bits - 1) {
          const auto slot = static_cast<uint32_t>(std::countr_zero(bits));
          const uint64_t hash = hash_bytes(key_of(bucket->slots[slot]), context_->seed);
          HF_ASSERT(&segment_of(hash) == &segment && bucket_of(segment, hash) == b);
          HF_ASSERT(bucket->tags[slot] == tag_of(hash));
          ++in_segment;
        }
      }
    }
    HF_ASSERT(in_segment == segment.count && overflows == segment.overflows);
    HF_ASSERT(segment.due_ms == Segment::kNothingDue || due_heap_[segment.due_index] == &segment);
    items += in_segment;
  }
  HF_ASSERT(items == size_ && segments == segment_count_);
  for (size_t i = 1; i < due_heap_.size(); ++i) HF_ASSERT(due_heap_[(i - 1) / 2]->due_ms <= due_heap_[i]->due_ms);
}

}  // namespace holdfast::store
