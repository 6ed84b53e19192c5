// Keyspace: one numbered database - keys to values with expiry - and the only way to change it.
//
// Every mutating call announces the key's home bucket to the table's WriteHook before anything changes, so mutable
// access to a value exists only through the calls below. No clock: callers pass or compare unix times in ms. Lookups
// never delete: an expired key is found like any other, the caller decides (Entry::is_expired), deletes and propagates.
// Entry pointers die at the next mutating call on the same key; collection references live as long as the value.
// Empty collections are not kept: after taking elements out, call erase_if_empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/context.h"
#include "store/entry.h"
#include "store/function_ref.h"
#include "store/table.h"

namespace holdfast::store {

struct EntryParts;

/// A detached database on its way out: unreachable, maybe still read by a snapshot, freed in slices.
struct KeyTable {
  explicit KeyTable(Context& context);
  ~KeyTable();
  Table table;
  Context* context;
  size_t expiring = 0;
  uint32_t pins = 0;    // snapshots that still read it
  bool lazily = false;  // counted in lazyfreed_objects
};

class Keyspace {
 public:
  explicit Keyspace(Context& context);
  Keyspace(Keyspace&&) noexcept = default;
  Keyspace& operator=(Keyspace&&) noexcept = default;
  ~Keyspace() = default;

  size_t size() const { return keys_->table.size(); }
  size_t expiring() const { return keys_->expiring; }
  Context& context() const { return *context_; }
  Key key(std::string_view bytes) const { return context_->key(bytes); }

  // Reading.
  const Entry* find(const Key& key) const { return static_cast<const Entry*>(keys_->table.find(key)); }
  bool contains(const Key& key) const { return find(key) != nullptr; }
  /// Hints to the processor, in this order and with other work between: see Table::prefetch.
  void prefetch(uint64_t hash) const { keys_->table.prefetch(hash); }
  void prefetch_entry(uint64_t hash) const { keys_->table.prefetch_item(hash); }
  /// One home bucket per call; see Table::scan for the guarantee.
  uint64_t scan(uint64_t cursor, FunctionRef<void(const Entry&)> visit) const;
  const Entry* random(Prng& prng) const { return static_cast<const Entry*>(keys_->table.random(prng)); }
  /// About `count` keys at random, all of them with an expiry if `expiring_only`; neighbours more often than chance.
  void sample(Prng& prng, size_t count, bool expiring_only, FunctionRef<void(const Entry&)> visit) const;
  /// In bucket order until `visit` answers false; no writes meanwhile.
  void for_each(FunctionRef<bool(const Entry&)> visit) const;

  // Writing.
  /// Null if absent. For changing a collection in place.
  Entry* find_for_write(const Key& key);
  /// A new key with an empty collection (any type but string). The key must be absent.
  Entry& create(const Key& key, Type type);
  /// Inserts or overwrites a value of any type. `value` must not point into the store. Canonical int64 texts are held
  /// as integers. `expires_at_ms` replaces the expiry (kNoExpiry = none).
  Entry& set_string(const Key& key, std::string_view value, int64_t expires_at_ms = kNoExpiry);
  /// Replaces the value but keeps expiry and access clock (SET KEEPTTL, INCRBYFLOAT, SETRANGE); inserts if absent.
  Entry& set_string_keep_expiry(const Key& key, std::string_view value);
  /// The same, but never held as an integer.
  /// COMPAT: INCRBYFLOAT's result stays a text (OBJECT ENCODING embstr) even when it reads as an integer.
  Entry& set_text_keep_expiry(const Key& key, std::string_view value);
  /// The same for a result of integer arithmetic.
  Entry& set_integer_keep_expiry(const Key& key, int64_t value);
  /// Makes the string `size` > 0 bytes long (old bytes kept, new ones zero; inserted if absent) and returns them for
  /// editing. From then on the encoding is raw: APPEND, SETRANGE, SETBIT. Expiry is kept.
  std::span<char> edit_string(const Key& key, size_t size);
  bool erase(const Key& key);
  /// Erases the key if its collection is empty; true if so. An empty stream stays.
  bool erase_if_empty(const Key& key);

  /// Sets (unix ms; below -1 counts as 0) or with kNoExpiry clears the expiry; null if the key is absent.
  Entry* set_expiry(const Key& key, int64_t expires_at_ms);

  /// Moves value and expiry of `from` to `to`, overwriting it. False if `from` is absent. Same key: nothing changes.
  bool rename(const Key& from, const Key& to);
  /// Moves the key to another database of the same Dataset; false if it is absent here or present there.
  bool move(const Key& key, Keyspace& target);
  /// Deep copy of value and expiry, overwriting; false if `from` is absent.
  bool copy(const Key& from, Keyspace& target, const Key& to) const;

  // Expiry.
  /// Appends at most `limit` keys that are expired at `now_ms`, cost bounded by the segments that hold them. They stay
  /// in the database until erased. Returns how many.
  size_t collect_due(int64_t now_ms, size_t limit, std::vector<std::string>& keys);
  /// No key expires at or before this time (INT64_MAX = nothing expires): call collect_due once now > it.
  int64_t next_due_ms() const { return keys_->table.next_due_ms(); }
  /// INFO keyspace's avg_ttl in ms: mean time to live of keys with an expiry that are not over yet; by sampling at most
  /// `samples` home buckets from the start.
  int64_t average_ttl_ms(int64_t now_ms, size_t samples) const;

  // Whole database.
  /// Empties the database in O(1); the old keys go to the dataset's graveyard (Dataset::reclaim).
  std::unique_ptr<KeyTable> detach();
  void swap(Keyspace& other) noexcept;

  KeyTable& keys() { return *keys_; }
  const KeyTable& keys() const { return *keys_; }
  void check_invariants() const;

 private:
  Entry& add(const Key& key, Entry* entry);
  Entry& reshape(const Key& key, void** slot, const EntryParts& parts);
  Entry& put_string(const Key& key, const EntryParts& value, bool keep_expiry);
  void account_expiry(const Key& key, bool had_expiry, const Entry* after);

  Context* context_;
  std::unique_ptr<KeyTable> keys_;
};

}  // namespace holdfast::store
