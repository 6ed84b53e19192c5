// The clocks of the operating system. The only place that reads them.
#pragma once

#include "base/stopwatch.h"
#include "base/time.h"

namespace holdfast::net {

/// CLOCK_MONOTONIC and CLOCK_REALTIME, in microseconds.
Now read_clock();
Mono read_monotonic();

/// The cheapest clock there is: the processor's counter where it runs evenly (measured once, for a millisecond), else
/// CLOCK_MONOTONIC.
Stopwatch start_stopwatch();

}  // namespace holdfast::net
