// Entry: one key with its value, one allocation: kind, access clock, key, optional expiry, value or pointer to it.
//
// Layout (bytes): [type 3 bits | expiry 1 bit | form 4 bits] [access 3] [key length, varint] [key] [expiry 8, if any]
// [value: integer 8 | length varint + bytes | pointer 8]. Nothing after the third byte is aligned.
// Entries are made, resized and freed by Keyspace only. A `const Entry*` comes from any find; a mutable one exists only
// behind a Keyspace call that ran the pre-write hook, and both die at the next mutating Keyspace call on that key
// (references to collections stay valid until the key is erased or overwritten).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "store/value.h"

namespace holdfast::store {

class Hash;
class List;
class Set;
class SortedSet;
class Stream;
struct Context;

inline constexpr int64_t kNoExpiry = -1;
/// String values longer than this live in a block of their own.
inline constexpr size_t kInlineStringMax = 400;

class Entry {
 public:
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  std::string_view key() const;
  Type type() const { return static_cast<Type>(head_[0] >> 5); }

  bool has_expiry() const { return (head_[0] & 0x10) != 0; }
  /// Unix time in ms, or kNoExpiry.
  int64_t expires_at_ms() const;
  /// COMPAT: a key is still alive in the very millisecond it expires at.
  bool is_expired(int64_t now_ms) const { return has_expiry() && now_ms > expires_at_ms(); }

  /// 24 bits for the eviction policy: LRU clock, or LFU minutes (16) and counter (8).
  uint32_t access() const;
  /// Not a write: neither hook nor propagation (COMPAT: the original's forks do not notice either).
  void set_access(uint32_t bits) const;

  // Strings. Assert type() == kString.
  /// The bytes; printed into `buffer` if the value is integer-encoded. Borrowed until the next write to the key.
  std::string_view string(NumberBuffer& buffer) const;
  size_t string_size() const;
  /// The value if it is *held* as an integer (a canonical int64 that was set or incremented).
  std::optional<int64_t> integer() const;
  /// The value as an integer whatever its form: what INCR accepts.
  std::optional<int64_t> to_integer() const;

  // Collections. Assert the type.
  const List& list() const { return *static_cast<const List*>(body(Type::kList)); }
  const Hash& hash() const { return *static_cast<const Hash*>(body(Type::kHash)); }
  const Set& set() const { return *static_cast<const Set*>(body(Type::kSet)); }
  const SortedSet& sorted_set() const { return *static_cast<const SortedSet*>(body(Type::kSortedSet)); }
  const Stream& stream() const { return *static_cast<const Stream*>(body(Type::kStream)); }
  List& list() { return *static_cast<List*>(body(Type::kList)); }
  Hash& hash() { return *static_cast<Hash*>(body(Type::kHash)); }
  Set& set() { return *static_cast<Set*>(body(Type::kSet)); }
  Stream& stream() { return *static_cast<Stream*>(body(Type::kStream)); }
  SortedSet& sorted_set() { return *static_cast<SortedSet*>(body(Type::kSortedSet)); }

  Encoding encoding() const;
  /// Elements of a collection, bytes of a string.
  size_t length() const;
  /// Everything the key costs outside the table: MEMORY USAGE.
  size_t memory() const;

 private:
  friend class EntryFactory;
  Entry() = default;
  void* body(Type expected) const;
  const char* bytes() const { return reinterpret_cast<const char*>(this); }

  uint8_t head_[4];
};

}  // namespace holdfast::store
