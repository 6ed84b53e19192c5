// Walk: reads a large collection as it was when the walk began, a piece at a time, while it goes on changing.
//
// Pieces are a cell of a table, a leaf of a sorted set, a node of a list or stream. A write to a piece that was not
// shown yet has it shown first (what has no order) or its old state kept aside (what has one), so a write costs at most
// a piece or two more, and every element of the beginning is shown exactly once. A collection whose key goes meanwhile
// stays until the walk is over. One walk per collection; the Context must outlive it.
#pragma once

#include "store/context.h"
#include "store/element_sink.h"
#include "store/value.h"

namespace holdfast::store {

class Entry;

class Walk {
 public:
  /// Whether reading the value at once would take long.
  static bool is_worth(const Entry& entry);

  /// `entry` is_worth a walk and has none yet. `sink` may be called by any write to the collection from now on.
  Walk(Context& context, const Entry& entry, ElementSink& sink);
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;
  /// May come at any time.
  ~Walk();
  /// Shows one more piece; false if all have been shown.
  bool step();

 private:
  Context& context_;
  Type type_;
  void* body_;
};

}  // namespace holdfast::store
