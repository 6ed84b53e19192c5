#include "sentinel/promote.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::sentinel {
namespace {

constexpr Fitness kLimits{5000ms, 30000ms, 300000ms};

Candidate fit(int64_t priority, uint64_t offset, std::string runid) {
  Candidate out;
  out.info_age = 100ms;
  out.priority = priority;
  out.offset = offset;
  out.runid = std::move(runid);
  return out;
}

TEST(Promote, EveryReasonExcludes) {
  Candidate c = fit(100, 1, "a");
  EXPECT_EQ(judge(c, kLimits), Unfit::kFit);
  c.down = true;
  EXPECT_EQ(judge(c, kLimits), Unfit::kDown);
  c = fit(100, 1, "a");
  c.disconnected = true;
  EXPECT_EQ(judge(c, kLimits), Unfit::kDisconnected);
  c = fit(100, 1, "a");
  c.since_available = 5000ms;
  EXPECT_EQ(judge(c, kLimits), Unfit::kFit);
  c.since_available = 5001ms;
  EXPECT_EQ(judge(c, kLimits), Unfit::kSilent);
  EXPECT_EQ(judge(fit(0, 1, "a"), kLimits), Unfit::kPriorityZero);
  c = fit(100, 1, "a");
  c.info_age = 30001ms;
  EXPECT_EQ(judge(c, kLimits), Unfit::kStaleInfo);
  c.info_age.reset();
  EXPECT_EQ(judge(c, kLimits), Unfit::kStaleInfo);
  c = fit(100, 1, "a");
  c.link_down = 300001ms;
  EXPECT_EQ(judge(c, kLimits), Unfit::kLinkDownTooLong);
  c = fit(100, 1, "a");
  c.never_synced = true;
  EXPECT_EQ(judge(c, kLimits), Unfit::kNeverSynced);
  c = fit(100, 1, "a");
  c.half_synced = true;
  EXPECT_EQ(judge(c, kLimits), Unfit::kHalfSynced);
  c = fit(100, 1, "a");
  c.refused = true;
  EXPECT_EQ(judge(c, kLimits), Unfit::kRefused);
}

TEST(Promote, HistoryBeforeOffset) {
  const auto related = [](Kinship kinship, int64_t priority, uint64_t offset) {
    Candidate out = fit(priority, offset, "a");
    out.kinship = kinship;
    return out;
  };
  // The demoted old primary reports more bytes than anybody, of writes nobody else has.
  EXPECT_EQ(choose(std::vector{related(Kinship::kForeign, 1, 9000), related(Kinship::kSame, 100, 1)}, kLimits), 1u);
  EXPECT_EQ(choose(std::vector{related(Kinship::kAncestor, 100, 50), related(Kinship::kSame, 100, 1)}, kLimits), 1u);
  EXPECT_EQ(choose(std::vector{related(Kinship::kSame, 100, 50), related(Kinship::kHeir, 100, 1)}, kLimits), 1u);
  EXPECT_EQ(choose(std::vector{related(Kinship::kSame, 10, 5), related(Kinship::kHeir, 100, 9)}, kLimits), 0u);
  EXPECT_EQ(choose(std::vector{related(Kinship::kForeign, 100, 1)}, kLimits), 0u);  // better than nothing
}

TEST(Promote, OrderIsStrictAndTotalUpToEquality) {
  std::vector<Candidate> all;
  for (const int64_t priority : {1, 100}) {
    for (const uint64_t offset : {0u, 7u}) {
      for (const Kinship kinship : {Kinship::kHeir, Kinship::kSame, Kinship::kForeign}) {
        for (const char* runid : {"", "a", "B"}) {
          all.push_back(fit(priority, offset, runid));
          all.back().kinship = kinship;
        }
      }
    }
  }
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < all.size(); ++j) {
      EXPECT_EQ(better(all[i], all[j]) + better(all[j], all[i]), i == j ? 0 : 1);
      for (size_t k = 0; k < all.size(); ++k) {
        if (better(all[i], all[j]) && better(all[j], all[k])) {
          EXPECT_TRUE(better(all[i], all[k]));
        }
      }
    }
  }
}

TEST(Promote, PriorityThenOffsetThenRunid) {
  EXPECT_EQ(choose(std::vector{fit(100, 9, "a"), fit(10, 1, "b")}, kLimits), 1u);
  EXPECT_EQ(choose(std::vector{fit(100, 9, "z"), fit(100, 10, "zz")}, kLimits), 1u);
  EXPECT_EQ(choose(std::vector{fit(100, 9, "b"), fit(100, 9, "A")}, kLimits), 1u);
  EXPECT_EQ(choose(std::vector{fit(100, 9, ""), fit(100, 9, "f")}, kLimits), 1u);
  EXPECT_EQ(choose(std::vector{fit(0, 9, "a")}, kLimits), std::nullopt);
  EXPECT_EQ(choose({}, kLimits), std::nullopt);
}

}  // namespace
}  // namespace holdfast::sentinel
