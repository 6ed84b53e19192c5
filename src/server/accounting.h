// Accounting: what is kept about commands that were run - counts, times, slow ones, spikes.
//
// Units: nanoseconds inside. Times come from the stopwatch handed to the engine, plus what the host was asked to stand
// still for; they are shown and nothing else (docs/decisions/0027).
#pragma once

#include <span>
#include <string_view>

#include "family/state.h"

namespace holdfast::server {

inline int64_t clock_ns(const family::State& state) { return state.stopwatch.now_ns() + state.stalled_ns; }

/// A command has come to its end: counts it with the time in session.spent_ns, which starts anew.
void count_run(family::State& state, family::Session& session, command::SpecIndex index,
               std::span<const std::string_view> words, bool failed, Now now);
/// For LATENCY, if it took latency-monitor-threshold or longer.
void note_spike(family::State& state, std::string_view event, int64_t spent_ns, Now now);

/// Notes a spike at the end of the scope.
class SpikeScope {
 public:
  SpikeScope(family::State& state, std::string_view event, Now now);
  ~SpikeScope();
  SpikeScope(const SpikeScope&) = delete;
  SpikeScope& operator=(const SpikeScope&) = delete;

 private:
  family::State& state_;
  std::string_view event_;
  Now now_;
  int64_t began_ns_ = 0;
};

}  // namespace holdfast::server
