#include "proxy/check/health.h"

#include "base/assert.h"

namespace holdfast::proxy {

Health initial_health(int rise, int fall, InitState state) {
  HF_ASSERT(rise > 0 && fall > 0);
  Health health{0, rise, fall};
  switch (state) {
    case InitState::kDefault:
    case InitState::kUp:
      health.value = rise;
      break;
    case InitState::kFullyUp:
      health.value = health.full();
      break;
    case InitState::kDown:
      health.value = rise - 1;
      break;
    case InitState::kFullyDown:
      health.value = 0;
      break;
  }
  return health;
}

Health after_pass(Health health) {
  if (health.value < health.full()) {
    ++health.value;
    if (health.value >= health.rise) health.value = health.full();
  }
  return health;
}

Health after_failure(Health health) {
  if (health.value > 0) {
    --health.value;
    if (health.value < health.rise) health.value = 0;
  }
  return health;
}

Duration check_interval(const Health& health, bool stopped, const CheckConfig& config) {
  if (health.value == health.full()) return config.inter;
  if (stopped && health.value == 0) return config.downinter > Duration{} ? config.downinter : config.inter;
  return config.fastinter > Duration{} ? config.fastinter : config.inter;
}

HealthProgress progress(const Health& health) {
  if (health.up()) return {health.value - health.rise + 1, health.fall};
  return {health.value, health.rise};
}

}  // namespace holdfast::proxy
