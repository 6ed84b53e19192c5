// Dataset: all numbered databases of a server over one Context; what a full load replaces as a whole.
//
// A load fills a fresh Dataset and swaps it in by moving the unique_ptr; Keys hashed for one Dataset are good for
// another only if both were made with the same seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "store/context.h"
#include "store/keyspace.h"

namespace holdfast::store {

class Dataset {
 public:
  Dataset(size_t databases, const HashSeed& seed);
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;
  ~Dataset();

  size_t databases() const { return databases_.size(); }
  Keyspace& db(size_t index) { return databases_[index]; }
  const Keyspace& db(size_t index) const { return databases_[index]; }
  Context& context() { return context_; }
  Key key(std::string_view bytes) const { return context_.key(bytes); }

  /// SWAPDB. O(1).
  void swap(size_t a, size_t b) noexcept { databases_[a].swap(databases_[b]); }
  /// FLUSHDB: O(1), memory comes back through reclaim(). `lazily`: the keys count in lazyfreed_objects.
  void clear(size_t index, bool lazily = false);
  void clear_all(bool lazily = false);
  /// Keys of all databases.
  size_t size() const;

  /// Frees at most about `limit` keys of cleared databases and elements of large deleted collections; true when none
  /// are left that can be freed now (a table read by a snapshot waits).
  bool reclaim(size_t limit);
  /// Keys and collections waiting to be freed: lazyfree_pending_objects.
  size_t pending() const;
  /// Whether reclaim() has something to do.
  bool can_reclaim() const;

  /// A snapshot is under way in one of the databases.
  bool is_read() const;

  /// Bytes of entries, values and tables, those waiting for reclaim included.
  size_t used_memory() const;
  void check_invariants() const;

 private:
  bool reclaim_doomed(size_t& limit);

  Context context_;
  std::vector<Keyspace> databases_;
  std::vector<std::unique_ptr<KeyTable>> graveyard_;
};

}  // namespace holdfast::store
