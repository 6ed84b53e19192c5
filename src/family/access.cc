#include "family/access.h"

#include <algorithm>

namespace holdfast::family {
namespace {

constexpr uint32_t kClockMask = 0xffffff;
constexpr uint32_t kMinutesMask = 0xffff;
constexpr uint32_t kInitialCounter = 5;
constexpr uint32_t kCounterMax = 255;

uint32_t seconds_now(Now now) { return static_cast<uint32_t>(unix_seconds(now.wall)) & kClockMask; }
uint32_t minutes_now(Now now) { return static_cast<uint32_t>(unix_seconds(now.wall) / 60) & kMinutesMask; }

uint32_t decayed(const Settings& settings, uint32_t bits, Now now) {
  const uint32_t counter = bits & kCounterMax;
  if (settings.lfu_decay_time_min == 0) return counter;
  const int64_t minutes = (minutes_now(now) - (bits >> 8)) & kMinutesMask;
  const auto steps = static_cast<uint32_t>(minutes / settings.lfu_decay_time_min);
  return counter > steps ? counter - steps : 0;
}

/// Grows with a probability of 1 in (counter above the initial value) * factor + 1.
uint32_t grown(const Settings& settings, uint32_t counter, Prng& prng) {
  if (counter == kCounterMax) return counter;
  const uint32_t base = counter > kInitialCounter ? counter - kInitialCounter : 0;
  const auto factor = static_cast<uint64_t>(settings.lfu_log_factor);
  return prng.below(base * factor + 1) == 0 ? counter + 1 : counter;
}

}  // namespace

bool tracks_frequency(const State& state) { return state.settings.maxmemory_policy.ends_with("lfu"); }

void refresh_access_clock(State& state, Now now) {
  store::Context& store = state.data->context();
  store.overwriting_keeps_access = tracks_frequency(state);
  store.fresh_access = store.overwriting_keeps_access ? minutes_now(now) << 8 | kInitialCounter : seconds_now(now);
}

void note_access(Context& c, const store::Entry& entry) {
  if (c.session.no_touch && c.spec.name != "touch") return;
  const store::Context& store = c.state.data->context();
  if (!store.overwriting_keeps_access) return entry.set_access(store.fresh_access);
  const uint32_t counter = grown(c.state.settings, decayed(c.state.settings, entry.access(), c.now), c.state.prng);
  entry.set_access(minutes_now(c.now) << 8 | counter);
}

int64_t idle_seconds(const store::Entry& entry, Now now) {
  return static_cast<int64_t>((seconds_now(now) - entry.access()) & kClockMask);
}
int64_t idle_seconds(const Context& c, const store::Entry& entry) { return idle_seconds(entry, c.now); }

uint32_t frequency(const Settings& settings, const store::Entry& entry, Now now) {
  return decayed(settings, entry.access(), now);
}
uint32_t frequency(const Context& c, const store::Entry& entry) { return frequency(c.state.settings, entry, c.now); }

uint32_t bits_of_idle(const Context& c, int64_t seconds) {
  const auto idle = static_cast<uint32_t>(std::min<int64_t>(seconds, kClockMask));
  return (seconds_now(c.now) - idle) & kClockMask;
}

uint32_t bits_of_frequency(const Context& c, uint32_t counter) { return minutes_now(c.now) << 8 | counter; }

}  // namespace holdfast::family
