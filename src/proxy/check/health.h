// Health: the counter that turns check results into UP and DOWN. Pure values.
//
// 0 <= value <= rise + fall - 1; a server is up iff value >= rise. A pass while down counts towards `rise`; the pass
// that reaches it fills the counter. A failure counts down; one that leaves the up range empties it. Source: HAProxy
// check.c set_server_check_status (behaviour), measured with 2.6.12.
#pragma once

#include "base/time.h"
#include "proxy/check/status.h"
#include "proxy/config.h"

namespace holdfast::proxy {

struct Health {
  int value = 0;
  int rise = 2;
  int fall = 3;

  int full() const { return rise + fall - 1; }
  bool up() const { return value >= rise; }
  bool operator==(const Health&) const = default;
};

Health initial_health(int rise, int fall, InitState state);
Health after_pass(Health health);
Health after_failure(Health health);

/// The pause before the next check. `stopped` = the server is not running.
Duration check_interval(const Health& health, bool stopped, const CheckConfig& config);

/// `a/b UP` of the log line: progress within the state.
struct HealthProgress {
  int done = 0;
  int of = 0;
};
HealthProgress progress(const Health& health);

}  // namespace holdfast::proxy
