#include "net/clock.h"

#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace holdfast::net {
namespace {

Duration read(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return Duration(static_cast<int64_t>(ts.tv_sec) * 1'000'000 + ts.tv_nsec / 1000);
}

int64_t monotonic_ns() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec;
}

#if defined(__x86_64__)
constexpr int64_t kMeasureNs = 1'000'000;
constexpr int kFractionBits = 32;

// Set by start_stopwatch before any read.
uint64_t counter_zero = 0;
uint64_t ns_per_count = 0;  // fixed point

/// The counter runs at one speed, asleep or awake ("invariant TSC").
bool counter_is_even() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}

int64_t counter_ns() {
  __extension__ using Wide = unsigned __int128;
  return static_cast<int64_t>((static_cast<Wide>(__rdtsc() - counter_zero) * ns_per_count) >> kFractionBits);
}

bool measure_counter() {
  const int64_t start_ns = monotonic_ns();
  const uint64_t start = __rdtsc();
  int64_t passed_ns = 0;
  while (passed_ns < kMeasureNs) passed_ns = monotonic_ns() - start_ns;
  const uint64_t counted = __rdtsc() - start;
  if (counted == 0) return false;
  ns_per_count = (static_cast<uint64_t>(passed_ns) << kFractionBits) / counted;
  counter_zero = start;
  return ns_per_count != 0;
}
#endif

}  // namespace

Mono read_monotonic() { return Mono(read(CLOCK_MONOTONIC)); }
Now read_clock() { return Now{Mono(read(CLOCK_MONOTONIC)), Wall(read(CLOCK_REALTIME))}; }

Stopwatch start_stopwatch() {
#if defined(__x86_64__)
  static const bool counting = counter_is_even() && measure_counter();
  if (counting) return {counter_ns};
#endif
  return {monotonic_ns};
}

}  // namespace holdfast::net
