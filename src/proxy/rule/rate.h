// PeriodRate: events per period over a sliding window: the running period plus the unexpired share of the one before.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace holdfast::proxy {

class PeriodRate {
 public:
  void add(Mono now, Duration period, int64_t count) {
    roll(now, period);
    current_ += count;
  }
  int64_t read(Mono now, Duration period) const {
    PeriodRate at = *this;
    at.roll(now, period);
    const Duration left = period - (now - at.start_);
    return at.current_ + at.previous_ * left.count() / period.count();
  }

 private:
  /// COMPAT: the first event begins a period, not the clock.
  void roll(Mono now, Duration period) {
    if (start_ == kNever) start_ = now;
    if (now - start_ < period) return;
    const bool next = now - start_ < 2 * period;
    previous_ = next ? current_ : 0;
    start_ = next ? start_ + period : now;
    current_ = 0;
  }
  Mono start_ = kNever;
  int64_t current_ = 0;
  int64_t previous_ = 0;
};

}  // namespace holdfast::proxy
