#include "proxy/balance/balance.h"

#include <gtest/gtest.h>

#include <map>

namespace holdfast::proxy {
namespace {

BalanceConfig algorithm(Algorithm a) { return {.algorithm = a}; }

std::map<uint32_t, int> spread(const BalanceConfig& config, const std::vector<Candidate>& candidates, int times) {
  BalanceState state;
  Prng random(7);
  std::map<uint32_t, int> count;
  for (int i = 0; i < times; ++i) ++count[pick_server(config, candidates, static_cast<uint64_t>(i), state, random)];
  return count;
}

TEST(Balance, RoundRobinFollowsWeightsExactly) {
  const auto count = spread(algorithm(Algorithm::kRoundRobin),
                            {{.server = 0, .id = 1, .weight = 3}, {.server = 1, .id = 2, .weight = 1}}, 400);
  EXPECT_EQ(count, (std::map<uint32_t, int>{{0, 300}, {1, 100}}));
}

TEST(Balance, LeastConnWeighsLoad) {
  BalanceState state;
  Prng random(1);
  const auto config = algorithm(Algorithm::kLeastConn);
  const std::vector<Candidate> loaded = {{.server = 0, .id = 1, .weight = 1, .load = 1},
                                         {.server = 1, .id = 2, .weight = 4, .load = 4}};
  EXPECT_EQ(pick_server(config, loaded, 0, state, random), 1u);
  const auto even = spread(config, {{.server = 0, .id = 1}, {.server = 1, .id = 2}, {.server = 2, .id = 3}}, 300);
  EXPECT_EQ(even, (std::map<uint32_t, int>{{0, 100}, {1, 100}, {2, 100}}));
}

TEST(Balance, FirstTakesTheLowestIdWithRoom) {
  BalanceState state;
  Prng random(1);
  const auto config = algorithm(Algorithm::kFirst);
  EXPECT_EQ(
      pick_server(config, std::vector<Candidate>{{.server = 0, .id = 9}, {.server = 1, .id = 3}}, 0, state, random),
      1u);
  EXPECT_EQ(pick_server(config, std::vector<Candidate>{{.server = 0, .id = 9}, {.server = 1, .id = 3, .full = true}}, 0,
                        state, random),
            0u);
}

TEST(Balance, NobodyIsPickedWhenAllAreFull) {
  BalanceState state;
  Prng random(1);
  const std::vector<Candidate> full = {{.server = 0, .id = 1, .full = true}, {.server = 1, .id = 2, .full = true}};
  for (Algorithm a : {Algorithm::kRoundRobin, Algorithm::kLeastConn, Algorithm::kFirst, Algorithm::kRandom}) {
    EXPECT_EQ(pick_server(algorithm(a), full, 5, state, random), kNoCandidate);
    EXPECT_EQ(pick_server(algorithm(a), {}, 5, state, random), kNoCandidate);
  }
}

TEST(Balance, SourceIsStableAndConsistentMovesLittle) {
  const std::vector<Candidate> three = {{.server = 0, .id = 1}, {.server = 1, .id = 2}, {.server = 2, .id = 3}};
  const std::vector<Candidate> two = {{.server = 0, .id = 1}, {.server = 2, .id = 3}};
  BalanceState state;
  Prng random(1);
  BalanceConfig config = algorithm(Algorithm::kSource);
  EXPECT_EQ(pick_server(config, three, source_key("127.0.0.1"), state, random),
            pick_server(config, three, source_key("127.0.0.1"), state, random));
  config.consistent = true;
  for (uint64_t key = 0; key < 500; ++key) {
    const uint32_t before = pick_server(config, three, key, state, random);
    if (before == 1) continue;
    EXPECT_EQ(pick_server(config, two, key, state, random), before);
  }
}

TEST(Balance, RandomPrefersTheLighterOfItsDraws) {
  const auto count = spread(algorithm(Algorithm::kRandom),
                            {{.server = 0, .id = 1, .load = 100}, {.server = 1, .id = 2, .load = 0}}, 1000);
  EXPECT_GT(count.at(1), 650);  // three of four pairs of draws hold server 1
  EXPECT_GT(count.at(0), 100);
}

}  // namespace
}  // namespace holdfast::proxy
