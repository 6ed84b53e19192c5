// Set: distinct byte strings without order.
//
// Forms: kIntset = sorted integers of the narrowest of 2, 4, 8 bytes; kListpack = one packed block in insertion order;
// kHashtable = a CellTable. Writes that exceed set-max-* turn a set over to the next form for good.
// Views handed out are borrowed until the next write to the set. Visitors must not write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "store/cell_table.h"
#include "store/context.h"
#include "store/function_ref.h"
#include "store/int_set.h"
#include "store/packed.h"
#include "store/value.h"

namespace holdfast::store {

class Set {
 public:
  explicit Set(Context& context);
  Set(const Set&) = delete;
  Set& operator=(const Set&) = delete;
  /// Leaves nothing behind; for moving a body.
  Set(Set&& other) noexcept;
  ~Set();
  Set* clone() const;
  /// Moves blocks that the heap wants elsewhere, from element `from` on while `effort` (blocks looked at) lasts. Where
  /// to go on; 0: through.
  size_t compact(size_t from, size_t& effort);
  /// Frees about `elements` of them; true when nothing but an empty body is left. For values nobody sees any more.
  bool dismantle(size_t elements);

  size_t size() const;
  bool empty() const { return size() == 0; }

  bool contains(std::string_view member) const;
  /// True if the member is new.
  bool add(std::string_view member);
  bool erase(std::string_view member);

  /// Until `visit` answers false; integers ascend.
  void for_each(FunctionRef<bool(std::string_view)> visit) const;
  /// One random member; the set must not be empty.
  void random(Prng& prng, FunctionRef<void(std::string_view)> visit) const;
  /// SSCAN: a set without a table is visited whole and answers 0.
  uint64_t scan(uint64_t cursor, FunctionRef<void(std::string_view)> visit) const;

  Encoding encoding() const { return encoding_; }
  /// store/walk.h; the form is a table.
  void begin_walk(ElementSink& sink) { table_->begin_walk(sink); }
  bool walk() { return table_->walk(); }
  void end_walk() { table_->end_walk(); }
  bool is_walked() const { return table_ != nullptr && table_->is_walked(); }

  size_t memory() const;
  void check_invariants() const;

 private:
  void convert_to_packed();
  void convert_to_table();

  Context* context_;
  Encoding encoding_ = Encoding::kIntset;
  IntSet ints_;
  Packed packed_;
  std::unique_ptr<CellTable> table_;
};

}  // namespace holdfast::store
