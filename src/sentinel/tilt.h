// Tilt: the mode in which a Sentinel that was stalled watches but does not act.
//
// Source: redis-sentinel documentation ("TILT mode"). The original compares wall-clock readings of a 100 ms timer; here
// the sign of a stall is a deadline that is handled more than `trigger` late, on the monotonic scale. The mode is left
// once every connection has had a round trip, and at the latest after the original's period. Shorter stalls are no
// reason to tilt, but what we did not do in them is nobody's silence (Topology::excuse).
#pragma once

#include <optional>

#include "base/time.h"

namespace holdfast::sentinel {

/// A deadline that is handled later than this was slept through; less is the host's timer and other inputs.
inline constexpr Duration kStallMin = 20ms;

class Tilt {
 public:
  /// Called first at every input with the deadline that was promised to the host. True: tilt mode (re)starts now.
  bool observe(Mono now, Mono expected, Duration trigger) {
    if (expected == kNever || now - expected <= trigger) return false;
    since_ = now;
    return true;
  }
  bool active() const { return since_.has_value(); }
  std::optional<Mono> since() const { return since_; }
  /// When it ends, unless a new stall restarts it.
  Mono ends(Duration period) const { return since_ ? *since_ + period : kNever; }
  void end() { since_.reset(); }

 private:
  std::optional<Mono> since_;
};

}  // namespace holdfast::sentinel
