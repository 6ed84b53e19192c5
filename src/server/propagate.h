// Propagation: the effects of one execution unit as one piece of the replication stream and of the append-only file.
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
  /// The rest of the unit has nothing to do with each other (keys that SCAN found expired): no transaction around it.
  void separate() { separate_ = true; }
  void add(int db, std::span<const std::string_view> words);
  /// `stream_only`: of no use to an append-only file (PUBLISH).
  void add(int db, std::span<const std::string> words, bool stream_only = false);
  /// Effects added from now on reach the replicas, the append-only file, both or none (redis.set_repl).
  void set_targets(bool stream, bool log) {
    to_stream_ = stream;
    to_log_ = log;
  }
  bool empty() const { return items_.empty(); }
  /// Appends the unit's bytes to each that is given and starts the next unit. The append-only file has its own SELECTs.
  void finish(std::string* stream, std::string* log);
  /// Drops the unit: nobody keeps a stream.
  void drop();
  /// The next effect in the stream starts with a SELECT: a new reader has joined.
  void forget_db() { selected_db_ = -1; }
  /// The same for the append-only file: a new part has begun.
  void forget_log_db() { log_db_ = -1; }
  int selected_db() const { return selected_db_; }

 private:
  struct Item {
    int db;
    size_t begin;
    size_t end;
    bool to_stream;
    bool to_log;
  };
  void remember(int db, size_t begin, bool stream_only);
  void encode(std::string& out, int& selected, bool for_log) const;

  bool separate_ = false;
  std::string bytes_;
  std::vector<Item> items_;
  size_t stream_items_ = 0;
  size_t log_items_ = 0;
  bool to_stream_ = true;
  bool to_log_ = true;
  int selected_db_ = -1;
  int log_db_ = -1;
};

}  // namespace holdfast::server
