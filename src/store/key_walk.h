// KeyWalk: one database read key by key over many turns, as it was when the walk began.
//
// The same cut as a snapshot's (docs/decisions/0007): before a home bucket changes, the walk sees it as it is. Every
// key that was there at the beginning is shown exactly once, none that came later. One walk at a time per table, beside
// a snapshot. The table is pinned: it may be flushed, swapped or moved meanwhile, but not freed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "store/keyspace.h"
#include "store/write_hook.h"

namespace holdfast::store {

class KeyWalk final : private WriteHook {
 public:
  /// Told of each key, from step() and from inside writes to the table. Must not change the store.
  class Reader {
   public:
    virtual void see(const Entry& entry) = 0;

   protected:
    ~Reader() = default;
  };

  /// `keys` must have no walk; both outlive this one.
  KeyWalk(KeyTable& keys, Reader& reader);
  KeyWalk(const KeyWalk&) = delete;
  KeyWalk& operator=(const KeyWalk&) = delete;
  ~KeyWalk();

  /// Goes on for about `keys` of them; true at the end.
  bool step(size_t keys);

 private:
  void before_write(Table& table, Segment& segment, uint32_t bucket) override;
  void join(Segment& segment) const;
  size_t see(Segment& segment, uint32_t bucket);
  void leave();

  KeyTable* keys_;  // null once everything was seen
  Reader& reader_;
  uint64_t number_;
  uint64_t position_ = 0;  // the segment step() is at
};

}  // namespace holdfast::store
