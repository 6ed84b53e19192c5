// SlowLog: the last commands that took longer than slowlog-log-slower-than.
//
// Units: microseconds for durations. An entry keeps 32 arguments of 128 bytes at most; what is cut off is counted in
// its place. Source: SLOWLOG GET of redis-server 7.2.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::family {

struct SlowEntry {
  uint64_t id = 0;
  int64_t at_unix_s = 0;
  int64_t duration_us = 0;
  std::vector<std::string> words;
  std::string peer;
  std::string client_name;
};

class SlowLog {
 public:
  /// Fills the entry's id and words in. Keeps `length_max` entries.
  void add(SlowEntry entry, std::span<const std::string_view> words, size_t length_max);
  void trim(size_t length_max);
  void clear() { entries_.clear(); }
  /// Newest first.
  const std::deque<SlowEntry>& entries() const { return entries_; }

 private:
  std::deque<SlowEntry> entries_;
  uint64_t next_id_ = 0;
};

}  // namespace holdfast::family
