#include "proxy/check/health.h"

#include <gtest/gtest.h>

namespace holdfast::proxy {
namespace {

// A model written from the words of the manual: consecutive failures take a server down, consecutive passes up.
struct Model {
  bool up = true;
  int failures = 0;  // in a row, while up
  int passes = 0;    // in a row, while down
  void pass(int rise) {
    failures = 0;
    if (!up && ++passes == rise) {
      up = true;
      passes = 0;
    }
  }
  void fail(int fall) {
    passes = 0;
    if (up && ++failures == fall) {
      up = false;
      failures = 0;
    }
  }
};

// Every sequence of results up to a length, for all small rise and fall, from a fully up server.
TEST(Health, AgreesWithTheModelOnEverySequence) {
  constexpr int kLength = 10;
  for (int rise = 1; rise <= 4; ++rise) {
    for (int fall = 1; fall <= 4; ++fall) {
      for (unsigned bits = 0; bits < 1u << kLength; ++bits) {
        Health health = initial_health(rise, fall, InitState::kFullyUp);
        Model model;
        for (int i = 0; i < kLength; ++i) {
          const bool pass = (bits >> i & 1) != 0;
          health = pass ? after_pass(health) : after_failure(health);
          pass ? model.pass(rise) : model.fail(fall);
          ASSERT_GE(health.value, 0);
          ASSERT_LE(health.value, health.full());
          ASSERT_EQ(health.up(), model.up) << "rise " << rise << " fall " << fall << " bits " << bits << " at " << i;
        }
      }
    }
  }
}

TEST(Health, StartsUpButFragile) {
  const Health start = initial_health(2, 3, InitState::kDefault);
  EXPECT_TRUE(start.up());
  EXPECT_EQ(after_failure(start).value, 0);          // one failure takes it down
  EXPECT_EQ(after_pass(start).value, start.full());  // one pass makes it robust
  EXPECT_FALSE(initial_health(2, 3, InitState::kDown).up());
  EXPECT_TRUE(after_pass(initial_health(2, 3, InitState::kDown)).up());
  EXPECT_FALSE(after_pass(initial_health(2, 3, InitState::kFullyDown)).up());
}

TEST(Health, IntervalsFollowTheState) {
  CheckConfig config;
  config.inter = 1s;
  config.fastinter = 100ms;
  config.downinter = 5s;
  EXPECT_EQ(check_interval({4, 2, 3}, false, config), 1s);
  EXPECT_EQ(check_interval({3, 2, 3}, false, config), 100ms);
  EXPECT_EQ(check_interval({1, 2, 3}, true, config), 100ms);
  EXPECT_EQ(check_interval({0, 2, 3}, true, config), 5s);
  config.fastinter = config.downinter = Duration{};
  EXPECT_EQ(check_interval({0, 2, 3}, true, config), 1s);
  EXPECT_EQ(check_interval({3, 2, 3}, false, config), 1s);
}

}  // namespace
}  // namespace holdfast::proxy
