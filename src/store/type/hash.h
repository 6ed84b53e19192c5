// Hash: a map from fields to values, both byte strings.
//
// Forms: kListpack = one packed block of field, value, field, value in insertion order; kHashtable = a CellTable.
// The first write that exceeds hash-max-listpack-entries or -value turns it over for good.
// Views handed out are borrowed until the next write to the hash. Visitors must not write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "store/cell_table.h"
#include "store/context.h"
#include "store/function_ref.h"
#include "store/packed.h"
#include "store/value.h"

namespace holdfast::store {

class Hash {
 public:
  using Visitor = FunctionRef<bool(std::string_view field, std::string_view value)>;

  explicit Hash(Context& context);
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  /// Leaves nothing behind; for moving a body.
  Hash(Hash&& other) noexcept;
  ~Hash();
  Hash* clone() const;
  /// Moves blocks that the heap wants elsewhere, from element `from` on while `effort` (blocks looked at) lasts. Where
  /// to go on; 0: through.
  size_t compact(size_t from, size_t& effort);
  /// Frees about `elements` of them; true when nothing but an empty body is left. For values nobody sees any more.
  bool dismantle(size_t elements);

  size_t size() const;
  bool empty() const { return size() == 0; }

  std::optional<std::string_view> get(std::string_view field) const;
  bool contains(std::string_view field) const { return get(field).has_value(); }
  /// True if the field is new. Neither argument may point into this hash.
  bool set(std::string_view field, std::string_view value);
  bool erase(std::string_view field);

  /// Until `visit` answers false.
  void for_each(Visitor visit) const;
  /// One random pair; the hash must not be empty.
  void random(Prng& prng, FunctionRef<void(std::string_view, std::string_view)> visit) const;
  /// Pair number `index` (0-based) in for_each order; O(n). For sampling without repetition from small hashes.
  void at(size_t index, FunctionRef<void(std::string_view, std::string_view)> visit) const;
  /// HSCAN: a packed hash is visited whole and answers 0.
  uint64_t scan(uint64_t cursor, FunctionRef<void(std::string_view, std::string_view)> visit) const;

  Encoding encoding() const { return table_ ? Encoding::kHashtable : Encoding::kListpack; }
  /// store/walk.h; the form is a table.
  void begin_walk(ElementSink& sink) { table_->begin_walk(sink); }
  bool walk() { return table_->walk(); }
  void end_walk() { table_->end_walk(); }
  bool is_walked() const { return table_ != nullptr && table_->is_walked(); }

  size_t memory() const;
  void check_invariants() const;

 private:
  void convert();

  Context* context_;
  Packed packed_;
  std::unique_ptr<CellTable> table_;
};

}  // namespace holdfast::store
