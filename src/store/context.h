// Context: what all databases and values of one Dataset share - memory, the hash seed, the encoding limits.
//
// Address-stable: values keep a pointer to it. Limits may change at any time (CONFIG SET); as in the original they act
// on the next write to a value.
#pragma once

#include <cstdint>
#include <string_view>

#include "store/hash.h"
#include "store/heap.h"

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

struct Context {
  explicit Context(const HashSeed& hash_seed) : seed(hash_seed) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Key key(std::string_view bytes) const { return Key{bytes, hash_bytes(bytes, seed)}; }

  Heap heap;
  HashSeed seed;
  Limits limits;
  /// Access bits of a key that is made now; the server sets them (family/access).
  uint32_t fresh_access = 0;
  /// A value that is overwritten keeps the key's access bits: frequencies outlive values, idle times do not.
  bool overwriting_keeps_access = false;
  uint64_t snapshot_epoch = 0;  // of the newest snapshot; segments remember which one marked them
};

}  // namespace holdfast::store
