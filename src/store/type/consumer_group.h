// ConsumerGroup: who of a stream's readers was given which entry and has not acknowledged it yet.
//
// Every pending entry has one owner; the group knows them all by id, each consumer its own. Times are unix ms.
// Invariants (check_invariants): an id is in a consumer's `pending` iff the group has it with that consumer as owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>

#include "store/heap_allocator.h"
#include "store/id_index.h"

namespace holdfast::store {

/// Orders names by their bytes.
struct ByName {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a < b; }
};
template <typename T>
using ByNameMap = std::map<HeapString, T, ByName, HeapAllocator<std::pair<const HeapString, T>>>;

struct StreamConsumer {
  static constexpr int64_t kNeverActive = -1;
  struct Owned {
    StreamId id;
  };

  StreamConsumer(Heap& heap, std::string_view name_in) : name(name_in), pending(heap) {}

  std::string_view name;  // the key it stands under
  int64_t seen_ms = 0;    // last attempt to read or claim
  int64_t active_ms = kNeverActive;
  IdIndex<Owned> pending;
};

class ConsumerGroup {
 public:
  static constexpr int64_t kUnknownRead = -1;
  struct Pending {
    StreamId id;
    int64_t delivered_ms = 0;
    uint64_t deliveries = 0;
    StreamConsumer* consumer = nullptr;  // null only while a file is read
  };
  using Consumers = ByNameMap<StreamConsumer>;

  ConsumerGroup(Heap& heap, std::string_view name);
  ConsumerGroup(const ConsumerGroup&) = delete;
  ConsumerGroup& operator=(const ConsumerGroup&) = delete;
  /// Into an empty group.
  void copy_from(const ConsumerGroup& other);

  std::string_view name() const { return name_; }
  StreamId last_id;
  /// How many entries of the stream were delivered up to last_id, if that is known.
  int64_t entries_read = kUnknownRead;

  const Consumers& consumers() const { return consumers_; }
  StreamConsumer* consumer(std::string_view name);
  /// The name must be new.
  StreamConsumer& create_consumer(std::string_view name, int64_t now_ms);
  /// With all it owns; how many entries that was. The consumer must exist.
  size_t delete_consumer(std::string_view name);

  const IdIndex<Pending>& pending() const { return pending_; }
  /// Null if nobody owns it.
  Pending* find(StreamId id) { return pending_.find(id); }
  /// Gives the entry to `consumer`, whoever had it; times and counts are the caller's.
  Pending& assign(StreamId id, StreamConsumer& consumer);
  /// False if nobody owns it.
  bool release(StreamId id);

  /// Only while a file is read: first all pending entries without owner, then each consumer's ids. False: not possible.
  bool load_pending(const Pending& pending) { return pending_.insert(pending); }
  bool load_owned(StreamConsumer& consumer, StreamId id);
  /// Whether every pending entry has found its owner.
  bool is_whole() const;

  size_t memory() const;
  void check_invariants() const;

 private:
  Heap* heap_;
  HeapString name_;
  Consumers consumers_;
  IdIndex<Pending> pending_;
};

}  // namespace holdfast::store
