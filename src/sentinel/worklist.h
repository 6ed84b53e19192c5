// Worklist: which primaries have to be looked at now, and when the next one has to be.
//
// Inputs touch the primaries they are about; each primary has one deadline. Both are found without walking over all of
// them: a Sentinel may watch hundreds. Order is that of ids, so it follows from the inputs alone.
// Invariant: `deadline` of a primary is in the table exactly if it is not kNever.
#pragma once

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "sentinel/instance.h"

namespace holdfast::sentinel {

inline constexpr Duration kGridPerInstance = 20us;
inline constexpr Duration kGridMin = 1ms;
inline constexpr Duration kGridMax = 20ms;

/// Zero where there are few.
inline Duration grid_of(size_t instances) {
  const Duration grid = std::min(kGridMax, kGridPerInstance * static_cast<int64_t>(instances));
  return grid < kGridMin ? Duration::zero() : grid;
}

/// With many primaries, what is due within a few milliseconds is done at once: fewer, larger turns.
inline Mono on_grid(Mono when, size_t primaries) {
  const Duration grid = grid_of(primaries);
  if (when == kNever || grid == Duration::zero()) return when;
  const Duration past = when.time_since_epoch() % grid;
  return past == Duration::zero() ? when : when + (grid - past);
}

class Worklist {
 public:
  void touch(Primary& primary) {
    if (primary.touched) return;
    primary.touched = true;
    touched_.push_back(primary.id);
  }
  void schedule(Primary& primary, Mono when) {
    if (primary.deadline == when) return;
    forget(primary);
    primary.deadline = when;
    if (when != kNever) deadlines_.emplace(when, primary.id);
  }
  void forget(Primary& primary) {
    if (primary.deadline != kNever) deadlines_.erase({primary.deadline, primary.id});
    primary.deadline = kNever;
  }
  bool has_touched() const { return !touched_.empty(); }
  Mono next() const { return deadlines_.empty() ? kNever : deadlines_.begin()->first; }
  /// Everything touched since the last call, and everything due; each once. Some may have been dealt with meanwhile,
  /// or be gone.
  std::vector<InstanceId> take(Mono now) {
    std::vector<InstanceId> out = std::move(touched_);
    touched_.clear();
    for (const auto& [when, id] : deadlines_) {
      if (when > now) break;
      out.push_back(id);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

 private:
  std::vector<InstanceId> touched_;
  std::set<std::pair<Mono, InstanceId>> deadlines_;
};

}  // namespace holdfast::sentinel
