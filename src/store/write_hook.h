// WriteHook: how a snapshot learns that a home bucket is about to change (reference/server.md 3.4, point 4).
//
// Installed per table. Called before every insert, overwrite, erase, expiry change and before every mutable access to a
// value; access-clock updates are exempt. Must not change the table.
#pragma once

#include <cstdint>

namespace holdfast::store {

class Table;
struct Segment;

class WriteHook {
 public:
  virtual void before_write(Table& table, Segment& segment, uint32_t bucket) = 0;

 protected:
  ~WriteHook() = default;
};

}  // namespace holdfast::store
