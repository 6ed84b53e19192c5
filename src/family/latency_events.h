// LatencyEvents: the spikes that latency-monitor-threshold let through, a short history for each kind of event.
//
// Units: milliseconds for spikes, seconds of wall time for when. One sample a second, the worst of it.
// Source: what LATENCY LATEST, HISTORY and RESET of redis-server 7.2 tell.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

namespace holdfast::family {

struct LatencySample {
  int64_t at_unix_s = 0;
  int64_t ms = 0;
};

struct LatencyHistory {
  static constexpr size_t kSamplesMax = 160;
  std::deque<LatencySample> samples;  // oldest first, never empty
  int64_t worst_ms = 0;
};

class LatencyEvents {
 public:
  void add(std::string_view event, int64_t ms, int64_t now_unix_s);
  /// Null if there are no samples.
  const LatencyHistory* find(std::string_view event) const;
  /// Forgets an event named in any case, or all. How many there were.
  size_t reset(std::string_view event);
  size_t reset_all();
  const std::map<std::string, LatencyHistory, std::less<>>& all() const { return events_; }

 private:
  std::map<std::string, LatencyHistory, std::less<>> events_;  // a handful: event names are ours
};

}  // namespace holdfast::family
