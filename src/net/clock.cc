#include "net/clock.h"

#include <time.h>

namespace holdfast::net {
namespace {
Duration read(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return Duration(static_cast<int64_t>(ts.tv_sec) * 1'000'000 + ts.tv_nsec / 1000);
}
}  // namespace

Mono read_monotonic() { return Mono(read(CLOCK_MONOTONIC)); }
Now read_clock() { return Now{Mono(read(CLOCK_MONOTONIC)), Wall(read(CLOCK_REALTIME))}; }

}  // namespace holdfast::net
