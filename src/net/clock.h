// The two clocks of the operating system as one `Now` value. The only place that reads them.
#pragma once

#include "base/time.h"

namespace holdfast::net {

/// CLOCK_MONOTONIC and CLOCK_REALTIME, in microseconds.
Now read_clock();
Mono read_monotonic();

}  // namespace holdfast::net
