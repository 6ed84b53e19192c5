// Walks through storms. HOLDFAST_STORMS=FIRST:COUNT walks elsewhere, or further; HOLDFAST_STORM=KIND:SEED tells one.
#include "sim/storm.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "sentinel/sentinel.h"

namespace holdfast::sim {
namespace {

TEST(Storm, HistoriesKeepTheInvariantsAndComeToRest) {
  unsigned long long first = 1;
  unsigned long long count = 50;
  if (const char* seeds = std::getenv("HOLDFAST_STORMS")) std::sscanf(seeds, "%llu:%llu", &first, &count);
  for (int kind = 0; kind < static_cast<int>(StormKind::kCount); ++kind) {
    int elections = 0;
    int failures = 0;
    unsigned long long steps = 0;
    for (unsigned long long seed = first; seed < first + count; ++seed) {
      const StormResult result = storm(seed, {static_cast<StormKind>(kind)});
      elections += result.elections;
      steps += result.steps;
      EXPECT_TRUE(result.ok) << storm_name(static_cast<StormKind>(kind)) << " seed " << seed << ": "
                             << result.report.substr(0, result.report.find('\n'));
      if (!result.ok && ++failures == 5) break;
    }
    std::printf("%-10s %llu histories, %llu steps, %d elections\n", storm_name(static_cast<StormKind>(kind)).data(),
                count, steps, elections);
  }
}

TEST(Storm, Tell) {
  const char* which = std::getenv("HOLDFAST_STORM");
  if (which == nullptr) GTEST_SKIP();
  char name[32] = "";
  unsigned long long seed = 0;
  unsigned left_out = 0;
  std::sscanf(which, "%31[a-z]:%llu:%u", name, &seed, &left_out);
  for (int kind = 0; kind < static_cast<int>(StormKind::kCount); ++kind) {
    if (storm_name(static_cast<StormKind>(kind)) != name) continue;
    const StormResult result = storm(seed, {static_cast<StormKind>(kind), left_out});
    std::printf("%s\n", result.ok ? result.events.c_str() : result.report.c_str());
  }
}

}  // namespace
}  // namespace holdfast::sim
