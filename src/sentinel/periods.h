// Periods: the constants of time a Sentinel works with, all changeable by SENTINEL DEBUG.
//
// Units: Duration. Source: redis-sentinel 7.2, reply of SENTINEL DEBUG (names and order) and its defaults.
#pragma once

#include <array>
#include <string_view>

#include "base/time.h"

namespace holdfast::sentinel {

struct Periods {
  Duration info = 10000ms;
  Duration ping = 1000ms;
  Duration ask = 1000ms;
  Duration publish = 2000ms;
  Duration default_down_after = 30000ms;
  Duration default_failover_timeout = 180000ms;
  Duration tilt_trigger = 2000ms;
  Duration tilt = 30000ms;
  Duration replica_reconf_timeout = 10000ms;
  Duration min_link_reconnect = 15000ms;
  Duration election_timeout = 10000ms;
  Duration script_max_runtime = 60000ms;
  Duration script_retry_delay = 30000ms;
};

struct PeriodRow {
  std::string_view name;  // as SENTINEL DEBUG prints it
  Duration Periods::* value;
};

inline constexpr std::array<PeriodRow, 13> kPeriodRows = {{
    {"INFO-PERIOD", &Periods::info},
    {"PING-PERIOD", &Periods::ping},
    {"ASK-PERIOD", &Periods::ask},
    {"PUBLISH-PERIOD", &Periods::publish},
    {"DEFAULT-DOWN-AFTER", &Periods::default_down_after},
    {"DEFAULT-FAILOVER-TIMEOUT", &Periods::default_failover_timeout},
    {"TILT-TRIGGER", &Periods::tilt_trigger},
    {"TILT-PERIOD", &Periods::tilt},
    {"SLAVE-RECONF-TIMEOUT", &Periods::replica_reconf_timeout},
    {"MIN-LINK-RECONNECT-PERIOD", &Periods::min_link_reconnect},
    {"ELECTION-TIMEOUT", &Periods::election_timeout},
    {"SCRIPT-MAX-RUNTIME", &Periods::script_max_runtime},
    {"SCRIPT-RETRY-DELAY", &Periods::script_retry_delay},
}};

// Periods that are part of the behaviour and cannot be changed.
inline constexpr Duration kBusyInfoPeriod = 1000ms;   // INFO to replicas while their primary is in trouble
inline constexpr Duration kHelloRetryPeriod = 100ms;  // after a refused PUBLISH
inline constexpr int64_t kDesyncMs = 1000;            // random part of a failover's start time

}  // namespace holdfast::sentinel
