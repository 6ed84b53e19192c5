// A short walk through random histories. HOLDFAST_SEEDS=FIRST:COUNT walks elsewhere, or further.
#include "sim/explore.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace holdfast::sim {
namespace {

TEST(Explore, RandomHistoriesKeepTheInvariantsAndComeToRest) {
  unsigned long long first = 1;
  unsigned long long count = 40;
  if (const char* seeds = std::getenv("HOLDFAST_SEEDS")) std::sscanf(seeds, "%llu:%llu", &first, &count);
  int failovers = 0;
  int faults = 0;
  for (unsigned long long seed = first; seed < first + count; ++seed) {
    const Exploration result = explore(seed);
    failovers += result.failovers;
    faults += result.faults;
    EXPECT_TRUE(result.ok) << "seed " << seed << ": " << result.report;
    if (!result.ok) break;
  }
  std::printf("%llu histories, %d faults, %d failovers\n", count, faults, failovers);
  EXPECT_GT(failovers, 0) << "the walk met no failover: it shows nothing";
}

TEST(Explore, TheSameSeedIsTheSameHistory) {
  const Exploration a = explore(5);
  const Exploration b = explore(5);
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(a.failovers, b.failovers);
}

}  // namespace
}  // namespace holdfast::sim
