#include "proxy/redis/primary_choice.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::proxy {
namespace {

using Verdict = PrimaryChoice::Verdict;
using Reports = std::vector<std::optional<PrimaryReport>>;

Address at(uint16_t port) { return {.host = "10.0.0.1", .port = port, .unix_path = {}}; }
PrimaryReport says(uint16_t port, int64_t epoch) { return {at(port), epoch, 2}; }

TEST(PrimaryChoice, OneSentinelNeedsTheServersWord) {
  const PrimaryChoice choice = choose_primary(-1, Reports{says(1, 0)}, true);
  EXPECT_EQ(choice.verdict, Verdict::kConfirm);
  EXPECT_EQ(choice.address, at(1));
}

TEST(PrimaryChoice, AMajorityIsBelieved) {
  EXPECT_EQ(choose_primary(3, Reports{says(2, 4), says(2, 4), says(1, 3)}, true).verdict, Verdict::kAdopt);
  EXPECT_EQ(choose_primary(3, Reports{says(2, 4), std::nullopt, says(1, 3)}, true).verdict, Verdict::kConfirm);
  EXPECT_EQ(choose_primary(3, Reports{says(2, 4), says(2, 4)}, true).verdict, Verdict::kAdopt);
}

TEST(PrimaryChoice, TheFirstDecisionWaitsForAMajorityToSpeak) {
  EXPECT_EQ(choose_primary(-1, Reports{says(1, 7), std::nullopt, std::nullopt}, false).verdict, Verdict::kKeep);
  EXPECT_EQ(choose_primary(-1, Reports{says(1, 7), std::nullopt, std::nullopt}, true).verdict, Verdict::kConfirm);
  EXPECT_EQ(choose_primary(-1, Reports{says(1, 7), says(2, 9), std::nullopt}, false).address, at(2));
  EXPECT_EQ(choose_primary(0, Reports{says(2, 1), std::nullopt, std::nullopt}, false).verdict, Verdict::kConfirm);
}

/// Every combination of three Sentinels that say nothing, one of two addresses, and an epoch of 0 to 3.
TEST(PrimaryChoice, NoCombinationLetsALowerEpochWin) {
  std::vector<std::optional<PrimaryReport>> all{std::nullopt};
  for (uint16_t port = 1; port <= 2; ++port) {
    for (int64_t epoch = 0; epoch <= 3; ++epoch) all.push_back(says(port, epoch));
  }
  int decisions = 0;
  for (int64_t current = -1; current <= 3; ++current) {
    for (const auto& a : all) {
      for (const auto& b : all) {
        for (const auto& c : all) {
          const Reports reports{a, b, c};
          int64_t highest = -1;
          for (const auto& report : reports) highest = std::max(highest, report ? report->epoch : -1);
          const PrimaryChoice choice = choose_primary(current, reports, true);
          EXPECT_EQ(choice.verdict != Verdict::kKeep, highest > current);
          if (choice.verdict == Verdict::kKeep) continue;
          ++decisions;
          EXPECT_EQ(choice.epoch, highest);
          size_t voices = 0;
          for (const auto& r : reports) voices += r && r->epoch == highest && r->address == choice.address;
          EXPECT_EQ(choice.voices, voices);
          EXPECT_EQ(choice.verdict == Verdict::kAdopt, voices >= 2);
          EXPECT_EQ(reports[choice.first_voice]->address, choice.address);
        }
      }
    }
  }
  EXPECT_GT(decisions, 1000);
}

}  // namespace
}  // namespace holdfast::proxy
