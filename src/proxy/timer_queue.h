// TimerQueue: deadlines of many owners, kept lazily. An owner moves its deadline without touching the queue; an entry
// that fires early is put back by its owner. At most one live entry per owner.
//
// Invariant: an entry is live iff its `at` equals the owner's `queued_until`; others are dropped when they surface.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace holdfast::proxy {

enum class TimerKind : uint8_t { kSession, kCheck, kCli, kStop, kSentinel, kSettle, kHttp, kAgent, kName, kRateLimit };

struct TimerEntry {
  Mono at{};
  uint32_t index = 0;
  uint32_t generation = 0;
  TimerKind kind = TimerKind::kSession;
};

class TimerQueue {
 public:
  Mono next() const { return heap_.empty() ? kNever : heap_.front().at; }
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }

  /// Asks for a call at `at` unless an earlier one is queued already.
  void arm(TimerKind kind, uint32_t index, uint32_t generation, Mono at, Mono* queued_until) {
    if (at == kNever || *queued_until <= at) return;
    *queued_until = at;
    heap_.push_back({at, index, generation, kind});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  /// The earliest entry that is due; false = none.
  bool pop(Mono now, TimerEntry* entry) {
    if (heap_.empty() || heap_.front().at > now) return false;
    std::pop_heap(heap_.begin(), heap_.end(), later);
    *entry = heap_.back();
    heap_.pop_back();
    return true;
  }

 private:
  static bool later(const TimerEntry& a, const TimerEntry& b) {
    if (a.at != b.at) return a.at > b.at;
    if (a.kind != b.kind) return a.kind > b.kind;
    return a.index > b.index;
  }
  std::vector<TimerEntry> heap_;
};

}  // namespace holdfast::proxy
