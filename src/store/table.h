// Table: an extendible hash table of items found by their key bytes; items never leave their home bucket.
//
// Source: reference/server.md 3.3. A directory of 2^depth pointers leads to segments of at most 128 home buckets of 64
// bytes; a bucket holds 7 items with one-byte tags, or 6 and a link to an overflow bucket of its own. The home of a
// hash is fixed by its low bits: first the bucket bits, then the segment bits. A full segment alone is split by one
// more bit, bucket i of the parent feeding bucket i of both halves; the only segment of a small table grows from 1
// bucket to 128 by doubling; halves that have grown sparse are joined again. So a table is a trie over hash bits, and a
// SCAN cursor is a position in it that no growth moves.
//
// Items are opaque: at `key_offset` an item holds its key as varint length and bytes. The table owns buckets, not
// items. Invariants (check_invariants): every item sits in its home bucket's chain; tags match; counts add up; the
// directory's 2^(depth - local) aliases of a segment all point to it; due-heap order and back-indexes hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "store/function_ref.h"
#include "store/hash.h"

namespace holdfast {
class Prng;
}

namespace holdfast::store {

class WriteHook;
struct Context;

struct Bucket {
  static constexpr uint32_t kSlots = 7;
  static constexpr uint8_t kOverflow = 0x80;
  void* slots[kSlots] = {};
  uint8_t tags[kSlots] = {};
  uint8_t present = 0;  // one bit per slot; kOverflow: slots[6] is a Bucket*, not an item
};
static_assert(sizeof(Bucket) == 64);

struct Segment {
  static constexpr uint32_t kBitsMax = 7;
  static constexpr int64_t kNothingDue = std::numeric_limits<int64_t>::max();
  Bucket* buckets = nullptr;
  uint32_t bucket_bits = 0;  // 7, or fewer in a table of one segment
  uint32_t local_depth = 0;
  uint64_t prefix = 0;           // the low `local_depth` segment bits shared by all its items
  uint32_t count = 0;            // items
  uint32_t overflows = 0;        // overflow buckets
  uint64_t snapshot = 0;         // epoch that `visited` belongs to
  uint64_t visited[2] = {};      // one bit per home bucket
  uint64_t walk = 0;             // the long read that `walked` belongs to
  uint64_t walked[2] = {};       // one bit per home bucket it has seen
  int64_t due_ms = kNothingDue;  // no item expires before this
  uint32_t due_index = 0;        // place in the table's due heap

  uint32_t bucket_count() const { return 1U << bucket_bits; }
  bool is_visited(uint32_t bucket) const { return (visited[bucket >> 6] >> (bucket & 63) & 1) != 0; }
  void mark_visited(uint32_t bucket) { visited[bucket >> 6] |= uint64_t{1} << (bucket & 63); }
};

class Table {
 public:
  Table(Context& context, uint32_t key_offset);
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  /// Frees buckets; items must have been taken out or freed by the owner (drain()).
  ~Table();

  size_t size() const { return size_; }
  std::string_view key_of(const void* item) const;

  void* find(const Key& key) const;
  /// Asks the processor for the bucket ahead of a find, and then for the items in it that have the hash's tag.
  void prefetch(uint64_t hash) const;
  void prefetch_item(uint64_t hash) const;
  /// Runs the hook for the key's home bucket; every write path starts here.
  void announce(const Key& key) {
    if (hooked_) [[unlikely]]
      announce_slow(key);
  }
  /// The key must be absent. Announces by itself.
  void insert(const Key& key, void* item);
  /// The slot that holds the item, for replacing it by another with the same key; null if absent. Announce first.
  /// Dies at the next insert or erase.
  void** slot(const Key& key);
  /// Takes the item out; null if absent. Announces if present.
  void* erase(const Key& key);

  /// Visits the items of one home bucket and returns the next cursor, 0 at the end. Start with 0.
  /// Every item present from the first to the last call is visited at least once, whatever grows or shrinks in between.
  uint64_t scan(uint64_t cursor, FunctionRef<void(void*)> visit) const;
  /// Uniform but for crowded buckets; null if empty.
  void* random(Prng& prng) const;
  /// Items at random, at most `count` of those `wanted` says yes to (the same one maybe twice); with `due_only` from
  /// segments where something expires, neighbours together. At least one, if any item of those segments is wanted.
  void sample(Prng& prng, size_t count, bool due_only, FunctionRef<bool(void*)> wanted) const;
  /// In segment and bucket order until `visit` answers false. No writes meanwhile.
  void for_each(FunctionRef<bool(void*)> visit) const;
  /// Empties the table into `take`, at most about `limit` items per call (an empty segment counts as one), and gives
  /// emptied segments back; true when nothing is left. No hook: for tables that are no longer reachable. Between the
  /// first call and the last nothing else may be asked of the table but its size.
  bool drain(size_t limit, FunctionRef<void(void*)> take);

  /// A lower bound for the first expiry in each segment; the owner says what items expire.
  void note_due(const Key& key, int64_t due_ms);
  int64_t next_due_ms() const;
  /// The segment with the smallest bound.
  Segment* most_due() const { return due_heap_.empty() ? nullptr : due_heap_.front(); }
  void set_due(Segment& segment, int64_t due_ms);

  // For snapshots.
  /// `tag` is the snapshot's own name for the table.
  void set_hook(WriteHook* hook, uint32_t tag = 0) {
    hook_ = hook;
    hook_tag_ = tag;
    hooked_ = hook_ != nullptr || walk_ != nullptr;
  }
  WriteHook* hook() const { return hook_; }
  /// The same for the one long read that may be under way beside a snapshot (store/key_walk.h). It may change neither
  /// the table nor the marks of segments but its own.
  void set_walk(WriteHook* walk) {
    walk_ = walk;
    hooked_ = hook_ != nullptr || walk_ != nullptr;
  }
  WriteHook* walk() const { return walk_; }
  uint32_t hook_tag() const { return hook_tag_; }
  /// Distinct segments by directory order; stable across splits in the sense of scan(): a trie position.
  Segment* segment_at(uint64_t position) const;
  /// The position after all of `segment`; 0 at the end.
  static uint64_t position_after(const Segment& segment);
  void for_each_in_bucket(const Segment& segment, uint32_t bucket, FunctionRef<void(void*)> visit) const;

  /// For compaction: puts what `move` answers in the place of each item of a home bucket: one with the same key.
  void relocate(Segment& segment, uint32_t bucket, FunctionRef<void*(void*)> move);

  size_t memory() const { return memory_; }
  size_t segment_count() const { return segment_count_; }
  void check_invariants() const;

 private:
  struct Place;
  void announce_slow(const Key& key);
  Segment& segment_of(uint64_t hash) const;
  uint32_t bucket_of(const Segment& segment, uint64_t hash) const;
  Place locate(const Key& key) const;
  void put(Segment& segment, uint64_t hash, void* item);
  bool must_grow(const Segment& segment) const;
  void grow(Segment& segment);
  void double_buckets(Segment& segment);
  void split(Segment& segment);
  static bool is_sparse(const Segment& segment);
  void shrink(Segment& segment);
  void merge(Segment& low, Segment& high);
  void halve_buckets(Segment& segment);
  /// Empties a chain into `scratch_` with each item's hash; its overflow buckets are freed.
  void empty_chain(Segment& segment, Bucket& home);
  Segment* new_segment(uint32_t bucket_bits, uint32_t local_depth, uint64_t prefix);
  void free_segment(Segment* segment);
  void free_drained(Segment* segment);
  void start_anew();
  Bucket* new_buckets(uint32_t count);
  void free_buckets(Bucket* buckets, uint32_t count);
  void due_up(uint32_t index);
  void due_down(uint32_t index);
  void due_remove(Segment& segment);

  Context* context_;
  struct Hashed {
    uint64_t hash;
    void* item;
  };

  uint32_t key_offset_;
  uint32_t depth_ = 0;
  std::vector<Segment*> directory_;
  std::vector<Segment*> due_heap_;  // segments with due_ms set, smallest first
  WriteHook* hook_ = nullptr;
  WriteHook* walk_ = nullptr;
  bool hooked_ = false;  // either is there
  uint32_t hook_tag_ = 0;
  size_t size_ = 0;
  size_t memory_ = 0;
  size_t segment_count_ = 0;
  uint64_t drained_to_ = 0;      // position of drain()
  std::vector<Hashed> scratch_;  // of a split, empty otherwise
};

}  // namespace holdfast::store
