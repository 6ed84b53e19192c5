// Time as values: the two time scales a machine is told about, never a clock to read.
//
// Units: microseconds inside, milliseconds on the wire (helpers below).
// Rule: intervals, timeouts and deadlines use Mono; Wall serves key expiry and log lines only (design, section 6).
#pragma once

#include <chrono>
#include <cstdint>

namespace holdfast {

using Duration = std::chrono::microseconds;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;

struct MonoScale {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  static constexpr bool is_steady = true;
};
struct WallScale {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  static constexpr bool is_steady = false;
};

/// A point on the monotonic scale. Its zero is arbitrary, only differences mean anything.
using Mono = std::chrono::time_point<MonoScale, Duration>;
/// A point on the wall scale: microseconds since 1970-01-01 UTC.
using Wall = std::chrono::time_point<WallScale, Duration>;

/// What every input of a machine carries: one reading of both scales.
struct Now {
  Mono mono{};
  Wall wall{};
};

/// No deadline.
inline constexpr Mono kNever = Mono::max();

constexpr int64_t to_ms(Duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); }
constexpr int64_t unix_ms(Wall t) { return to_ms(t.time_since_epoch()); }
constexpr int64_t unix_seconds(Wall t) { return unix_ms(t) / 1000; }
constexpr Wall wall_from_ms(int64_t ms) { return Wall(std::chrono::milliseconds(ms)); }
constexpr Duration from_ms(int64_t ms) { return std::chrono::milliseconds(ms); }

}  // namespace holdfast
