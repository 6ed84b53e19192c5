// Counters: what statistics say about frontends, backends and servers. Values only; see stats.h for their names.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace holdfast::proxy {

/// Events per second over a sliding second: the running second plus the unexpired share of the one before.
class Rate {
 public:
  void add(Mono now) {
    roll(now);
    ++current_;
    max_ = std::max(max_, value_at(now));
  }
  int64_t read(Mono now) {
    roll(now);
    return value_at(now);
  }
  int64_t max() const { return max_; }
  void clear_max() { max_ = 0; }

 private:
  static int64_t second_of(Mono now) { return now.time_since_epoch().count() / 1'000'000; }
  void roll(Mono now) {
    const int64_t second = second_of(now);
    if (second == second_) return;
    previous_ = second == second_ + 1 ? current_ : 0;
    current_ = 0;
    second_ = second;
  }
  int64_t value_at(Mono now) const {
    const int64_t left_ms = 1000 - now.time_since_epoch().count() / 1000 % 1000;
    return current_ + previous_ * left_ms / 1000;
  }
  int64_t second_ = -1;
  int64_t current_ = 0;
  int64_t previous_ = 0;
  int64_t max_ = 0;
};

struct Counters {
  int64_t current = 0;  // sessions now
  int64_t current_max = 0;
  int64_t queued = 0;
  int64_t queued_max = 0;
  int64_t total = 0;  // sessions ever
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  int64_t connect_errors = 0;
  int64_t response_errors = 0;
  int64_t retries = 0;
  int64_t redispatches = 0;
  int64_t client_aborts = 0;
  int64_t server_aborts = 0;
  int64_t balanced = 0;  // chosen by the algorithm
  int64_t connects = 0;  // attempts
  int64_t request_errors = 0;
  int64_t intercepted = 0;  // requests answered by ourselves
  int64_t denied_connections = 0;
  int64_t denied_sessions = 0;
  int64_t denied_requests = 0;
  int64_t denied_responses = 0;
  int64_t check_failures = 0;
  int64_t down_transitions = 0;
  int64_t queue_ms = 0, connect_ms = 0, total_ms = 0;  // moving averages
  int64_t queue_ms_max = 0, connect_ms_max = 0, total_ms_max = 0;
  Rate rate;
  bool had_session = false;
  Mono last_session{};

  void enter(Mono now) {
    ++current;
    ++total;
    current_max = std::max(current_max, current);
    rate.add(now);
    had_session = true;
    last_session = now;
  }
  void enqueue() {
    ++queued;
    queued_max = std::max(queued_max, queued);
  }
};

}  // namespace holdfast::proxy
