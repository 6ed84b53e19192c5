// Propagation: the effects of one execution unit as one piece of the replication stream.
//
// A unit is a top-level command with everything inside it (EXEC's commands, lazy expiry). Its effects are encoded as
// they happen and leave together: a SELECT where the database changes, MULTI and EXEC around more than one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::server {

class Propagator {
 public:
  void add(int db, std::span<const std::string_view> words);
  void add(int db, std::span<const std::string> words);
  bool empty() const { return items_.empty(); }
  /// Appends the unit's bytes to `out` and starts the next unit.
  void finish(std::string& out);
  /// Drops the unit: nobody keeps a stream.
  void drop();
  /// The next effect starts with a SELECT: a new reader has joined.
  void forget_db() { selected_db_ = -1; }
  int selected_db() const { return selected_db_; }

 private:
  struct Item {
    int db;
    size_t begin;
    size_t end;
  };
  void select(int db, std::string& out);

  std::string bytes_;
  std::vector<Item> items_;
  int selected_db_ = -1;
};

}  // namespace holdfast::server
