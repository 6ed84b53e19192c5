// Agenda: asks "is it time?" and remembers the earliest thing that is not yet due.
//
// Every rule of the form "after d since t" goes through due(): the same code that acts also yields the deadline at
// which it must run again, so nothing is polled. Invariant: next() > now() unless nothing was asked.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace holdfast::sentinel {

class Agenda {
 public:
  explicit Agenda(Mono now) : now_(now) {}
  bool due(Mono when) {
    if (when <= now_) return true;
    next_ = std::min(next_, when);
    return false;
  }
  Mono now() const { return now_; }
  Mono next() const { return next_; }

 private:
  Mono now_;
  Mono next_ = kNever;
};

}  // namespace holdfast::sentinel
