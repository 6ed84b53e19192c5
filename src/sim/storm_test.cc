// Walks through storms. HOLDFAST_STORMS=FIRST:COUNT walks elsewhere, or further; HOLDFAST_STORM=KIND:SEED tells one.
#include "sim/storm.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "sentinel/sentinel.h"

namespace holdfast::sim {
namespace {

class Kinds : public testing::TestWithParam<int> {};

TEST_P(Kinds, KeepTheInvariantsAndComeToRest) {
  const auto kind = static_cast<StormKind>(GetParam());
  unsigned long long first = 1;
  unsigned long long count = 230;  // of nine kinds: 2,070 histories
  if (const char* seeds = std::getenv("HOLDFAST_STORMS")) std::sscanf(seeds, "%llu:%llu", &first, &count);
  int elections = 0;
  int failures = 0;
  unsigned long long steps = 0;
  for (unsigned long long seed = first; seed < first + count; ++seed) {
    const StormResult result = storm(seed, {kind});
    elections += result.elections;
    steps += result.steps;
    EXPECT_TRUE(result.ok) << storm_name(kind) << " seed " << seed << ": "
                           << result.report.substr(0, result.report.find('\n'));
    if (!result.ok && ++failures == 5) break;
  }
  std::printf("%s: %llu histories, %llu steps, %d elections\n", storm_name(kind).data(), count, steps, elections);
  EXPECT_EQ(elections > 0, kind != StormKind::kCalm) << "the walk shows nothing";
}

INSTANTIATE_TEST_SUITE_P(Storm, Kinds, testing::Range(0, static_cast<int>(StormKind::kCount)),
                         [](const auto& p) { return std::string(storm_name(static_cast<StormKind>(p.param))); });

/// Seeds that once broke an invariant: a replica whose INFO was late lost to one of another history.
TEST(Storm, WhatWasFoundStaysFixed) {
  for (const unsigned long long seed : {201'666ULL, 201'868ULL}) {
    const StormResult result = storm(seed, {StormKind::kDiverged});
    EXPECT_TRUE(result.ok) << seed << ": " << result.report.substr(0, result.report.find('\n'));
  }
}

/// Without the lines that name a time of day.
std::string timeless(const std::string& events) {
  std::string out;
  for (size_t from = 0; from < events.size();) {
    const size_t end = events.find('\n', from);
    const std::string line = events.substr(from, end - from);
    if (line.find("Next failover delay") == std::string::npos) out += line + "\n";
    from = end + 1;
  }
  return out;
}

TEST(Storm, WallClocksThatJumpChangeNothing) {
  for (unsigned long long seed = 1; seed <= 12; ++seed) {
    const auto kind = static_cast<StormKind>(seed % 4);
    StormOptions jumping = {kind};
    jumping.jump_wall = true;
    const StormResult quiet = storm(seed, {kind});
    const StormResult jumped = storm(seed, jumping);
    EXPECT_EQ(timeless(quiet.events), timeless(jumped.events)) << storm_name(kind) << " seed " << seed;
    EXPECT_EQ(quiet.steps, jumped.steps);
  }
}

/// Leaving one rule out at a time: the kind of storm that shows it, and what the checkers say then.
struct Proof {
  sentinel::Rule rule;
  StormKind kind;
  const char* said;
};
constexpr Proof kProofs[] = {
    {sentinel::Rule::kPersistBeforeVote, StormKind::kElections, "I1"},
    {sentinel::Rule::kOneVotePerEpoch, StormKind::kElections, "I1"},
    {sentinel::Rule::kMajority, StormKind::kElections, "I"},
    {sentinel::Rule::kQuorum, StormKind::kCalm, "I10"},
    {sentinel::Rule::kPrevote, StormKind::kMinority, "I11"},
    {sentinel::Rule::kVotePromise, StormKind::kElections, "I3"},
    {sentinel::Rule::kLease, StormKind::kElections, "I3"},
    {sentinel::Rule::kLineage, StormKind::kDiverged, "I7"},
    {sentinel::Rule::kWholeData, StormKind::kNewcomer, "I7"},
    {sentinel::Rule::kWipeGuard, StormKind::kWipe, "I7"},
    {sentinel::Rule::kRefusedTwice, StormKind::kCalm, "I10"},
    {sentinel::Rule::kReplicaVeto, StormKind::kCalm, "I10"},
    {sentinel::Rule::kMajorityConfirms, StormKind::kStale, "I9"},
    {sentinel::Rule::kNewerConfiguration, StormKind::kWild, "I"},
};
static_assert(std::size(kProofs) == static_cast<size_t>(sentinel::Rule::kCount));

class Mutation : public testing::TestWithParam<Proof> {};

TEST_P(Mutation, IsCaught) {
  const Proof& proof = GetParam();
  const uint32_t left_out = 1u << static_cast<uint32_t>(proof.rule);
  unsigned long long limit = 1000;
  if (const char* text = std::getenv("HOLDFAST_MUTATION_SEEDS")) std::sscanf(text, "%llu", &limit);
  for (unsigned long long seed = 1; seed <= limit; ++seed) {
    const StormResult result = storm(seed, {proof.kind, left_out});
    if (result.ok) continue;
    const std::string what = result.report.substr(0, result.report.find('\n'));
    std::printf("%s seed %llu: %s\n", storm_name(proof.kind).data(), seed, what.c_str());
    EXPECT_TRUE(what.starts_with(proof.said)) << what;
    return;
  }
  ADD_FAILURE() << "nobody noticed within " << limit << " histories";
}

INSTANTIATE_TEST_SUITE_P(Rules, Mutation, testing::ValuesIn(kProofs),
                         [](const auto& p) { return std::to_string(static_cast<int>(p.param.rule)); });

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
