// Compaction: one walk over a dataset that moves blocks out of sparse pages of its heap, so that the pages can go.
//
// In steps; between them anything may happen to the dataset but its end. A walk goes bucket by bucket through all
// databases, through a large collection in slices, and ends when the pages that could not be vacated are given up.
// Nobody may hold addresses of entries or of what they point to across a step: not while a snapshot is under way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "store/dataset.h"

namespace holdfast::store {

class Compaction {
 public:
  explicit Compaction(Dataset& data) : data_(data) {}

  /// Looks at about `effort` blocks; true when the walk is over.
  bool step(size_t effort);

 private:
  /// A collection that was not finished in its turn.
  struct Unfinished {
    std::string key;
    size_t cursor;
  };
  void go_on_inside(size_t& effort);
  void move_bucket(Table& table, Segment& segment, size_t& effort);

  Dataset& data_;
  size_t db_ = 0;
  uint64_t position_ = 0;               // of a segment
  uint32_t bucket_ = 0;                 // of it
  std::vector<Unfinished> unfinished_;  // of the bucket before
};

}  // namespace holdfast::store
