// SortedSet: distinct members ordered by (score, member bytes), with ranks.
//
// Forms: kListpack = one packed block of member, score, member, score in order; kSkiplist = a counted B+ tree over
// items plus a Table from member to item. Scores are doubles, never NaN (asserted: the caller refuses it before).
// Ranges are index ranges: turn score or lex bounds into indexes with count_below*, then visit or erase by index.
// Views handed out are borrowed until the next write. Visitors must not write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "store/context.h"
#include "store/function_ref.h"
#include "store/packed.h"
#include "store/rank_tree.h"
#include "store/table.h"
#include "store/value.h"

namespace holdfast::store {

class SortedSet {
 public:
  using Visitor = FunctionRef<bool(std::string_view member, double score)>;
  enum class Outcome : uint8_t { kAdded, kUpdated, kUnchanged };

  explicit SortedSet(Context& context);
  SortedSet(const SortedSet&) = delete;
  SortedSet& operator=(const SortedSet&) = delete;
  /// Leaves nothing behind; for moving a body.
  SortedSet(SortedSet&& other) noexcept;
  ~SortedSet();
  SortedSet* clone() const;
  /// Moves blocks that the heap wants elsewhere, from element `from` on while `effort` (blocks looked at) lasts. Where
  /// to go on; 0: through.
  size_t compact(size_t from, size_t& effort);
  /// Frees about `elements` of them; true when nothing but an empty body is left. For values nobody sees any more.
  bool dismantle(size_t elements);

  size_t size() const;
  bool empty() const { return size() == 0; }

  /// Adds or rescores. `score` must not be NaN.
  Outcome add(std::string_view member, double score);
  std::optional<double> score(std::string_view member) const;
  bool erase(std::string_view member);
  /// 0-based from the lowest.
  std::optional<size_t> rank(std::string_view member) const;

  /// How many members score below `score` (or equal, if `or_equal`): the first index of a range, or its end.
  size_t count_below(double score, bool or_equal) const;
  /// The same by member bytes; meaningful when all scores are equal (COMPAT: undefined order of results otherwise,
  /// as in the original).
  size_t count_below_lex(std::string_view member, bool or_equal) const;

  /// Visits indexes [first, last] (clamped) upward until `visit` answers false.
  void for_each(size_t first, size_t last, Visitor visit) const;
  void for_each(Visitor visit) const { for_each(0, SIZE_MAX, visit); }
  /// Visits indexes [first, last] from last down to first.
  void for_each_reversed(size_t first, size_t last, Visitor visit) const;
  /// Erases indexes [first, last] (clamped), telling each member to `gone` before. Returns how many.
  size_t erase_range(size_t first, size_t last, FunctionRef<void(std::string_view, double)> gone);
  void random(Prng& prng, FunctionRef<void(std::string_view, double)> visit) const;
  /// ZSCAN: a packed set is visited whole and answers 0.
  uint64_t scan(uint64_t cursor, FunctionRef<void(std::string_view, double)> visit) const;

  Encoding encoding() const { return big_ ? Encoding::kSkiplist : Encoding::kListpack; }
  /// store/walk.h; the form is a tree.
  void begin_walk(ElementSink& sink);
  bool walk();
  void end_walk();
  bool is_walked() const;

  size_t memory() const;
  void check_invariants() const;

 private:
  struct Big;
  void convert();
  size_t packed_size() const { return packed_.count() / 2; }
  void insert_packed(std::string_view member, double score);

  Context* context_;
  Packed packed_;
  std::unique_ptr<Big> big_;
};

}  // namespace holdfast::store
