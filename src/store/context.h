// Context: what all databases and values of one Dataset share - memory, the hash seed, the encoding limits.
//
// Address-stable: values keep a pointer to it. Limits may change at any time (CONFIG SET); as in the original they act
// on the next write to a value.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "store/hash.h"
#include "store/heap.h"
#include "store/value.h"

namespace holdfast::store {

/// Where compact forms end; names and defaults are those of redis.conf 7.2.
struct Limits {
  uint32_t hash_max_listpack_entries = 512;
  uint32_t hash_max_listpack_value = 64;
  /// > 0: elements per node; -1..-5: 4, 8, 16, 32, 64 KiB per node.
  int32_t list_max_listpack_size = -2;
  uint32_t set_max_intset_entries = 512;
  uint32_t set_max_listpack_entries = 128;
  uint32_t set_max_listpack_value = 64;
  uint32_t zset_max_listpack_entries = 128;
  uint32_t zset_max_listpack_value = 64;
  uint64_t stream_node_max_bytes = 4096;  // 0: no bound
  int64_t stream_node_max_entries = 100;  // 0: no bound
};

/// A collection on its way out: unreachable, freed in slices (Dataset::reclaim).
struct Doomed {
  Type type;
  void* body;
  bool lazily;  // asked for, by UNLINK and the like: counted in lazyfreed_objects
};

struct Context {
  /// Larger collections never go at once, whoever deletes them: no client waits for a million elements.
  static constexpr size_t kFreeAtOnceMax = 20'000;
  /// COMPAT: what UNLINK and the lazyfree-lazy-* options still free at once.
  static constexpr size_t kFreeAtOnceMaxLazily = 64;

  explicit Context(const HashSeed& hash_seed) : seed(hash_seed) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Key key(std::string_view bytes) const { return Key{bytes, hash_bytes(bytes, seed)}; }

  Heap heap;
  std::vector<Doomed> doomed;
  std::vector<Doomed> detained;              // the same, but still read by a walk
  size_t free_at_once_max = kFreeAtOnceMax;  // elements
  uint64_t freed_lazily = 0;                 // lazyfreed_objects
  HashSeed seed;
  Limits limits;
  /// Access bits of a key that is made now; the server sets them (family/access).
  uint32_t fresh_access = 0;
  /// A value that is overwritten keeps the key's access bits: frequencies outlive values, idle times do not.
  bool overwriting_keeps_access = false;
  uint64_t snapshot_epoch = 0;  // of the newest snapshot; segments remember which one marked them
  uint64_t walks = 0;           // the same of long reads
};

/// How deletions within a scope free.
class FreeingScope {
 public:
  FreeingScope(Context& context, bool lazily) : context_(context), before_(context.free_at_once_max) {
    context.free_at_once_max = lazily ? Context::kFreeAtOnceMaxLazily : Context::kFreeAtOnceMax;
  }
  FreeingScope(const FreeingScope&) = delete;
  FreeingScope& operator=(const FreeingScope&) = delete;
  ~FreeingScope() { context_.free_at_once_max = before_; }

 private:
  Context& context_;
  size_t before_;
};

}  // namespace holdfast::store
