// Backlog: the last bytes of the replication stream, addressed by absolute offset.
//
// Source: PSYNC as redis-server 7.2 speaks it: offsets count bytes from 1; "offset N" means the next byte wanted is N.
// Invariants: first_offset() + size() == end_offset(); size() <= capacity.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::repl {

class Backlog {
 public:
  /// `next_offset`: the offset the first appended byte gets.
  Backlog(size_t capacity, int64_t next_offset);

  void append(std::string_view bytes);
  /// Keeps the newest bytes that fit.
  void resize(size_t capacity);

  size_t capacity() const { return capacity_; }
  size_t size() const { return size_; }
  int64_t first_offset() const { return end_ - static_cast<int64_t>(size_); }
  /// The offset the next byte will get.
  int64_t end_offset() const { return end_; }
  /// Whether a reader that wants `offset` next can be served.
  bool covers(int64_t offset) const { return offset >= first_offset() && offset <= end_; }
  /// The bytes from `offset` (covered) to the end, in at most two pieces.
  struct Pieces {
    std::string_view first;
    std::string_view second;
  };
  Pieces from(int64_t offset) const;

  void check_invariants() const;

 private:
  std::string ring_;  // grows up to the capacity, then wraps
  size_t capacity_;
  size_t write_ = 0;  // where the next byte goes
  size_t size_ = 0;
  int64_t end_;
};

}  // namespace holdfast::repl
