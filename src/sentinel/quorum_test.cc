#include "sentinel/quorum.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::sentinel {
namespace {

TEST(Quorum, ObjectivelyDownNeedsOurOwnOpinionAndTheQuorum) {
  for (int64_t quorum = 1; quorum <= 5; ++quorum) {
    for (int64_t others = 0; others <= 5; ++others) {
      EXPECT_FALSE(objectively_down(false, others, quorum));
      EXPECT_EQ(objectively_down(true, others, quorum), others + 1 >= quorum);
    }
  }
}

TEST(Quorum, AtMostOneLeaderForEveryWayToVote) {
  // Every Sentinel of up to five votes for one of three candidates or for nobody: all 4^n ways.
  const std::string ids[] = {"", "a", "b", "c"};
  for (int64_t voters = 1; voters <= 5; ++voters) {
    for (int64_t quorum = 1; quorum <= voters; ++quorum) {
      for (int code = 0; code < 1 << (2 * voters); ++code) {
        std::vector<std::string> votes;
        int count[4] = {};
        for (int64_t i = 0; i < voters; ++i) {
          const int choice = (code >> (2 * i)) & 3;
          ++count[choice];
          if (choice != 0) votes.push_back(ids[choice]);
        }
        std::string expected;
        for (int c = 1; c <= 3; ++c) {
          if (2 * count[c] > voters && count[c] >= quorum) {
            EXPECT_TRUE(expected.empty());
            expected = ids[c];
          }
        }
        EXPECT_EQ(elected(votes, voters, quorum), expected);
      }
    }
  }
}

TEST(Quorum, DeadSentinelsRaiseTheMajority) {
  const std::vector<std::string> votes = {"a", "a"};
  EXPECT_EQ(elected(votes, 3, 1), "a");
  EXPECT_EQ(elected(votes, 4, 1), "");
  EXPECT_EQ(elected(votes, 3, 3), "");
  EXPECT_EQ(elected({}, 1, 1), "");
}

TEST(Quorum, FavouriteBreaksTiesBySmallestId) {
  EXPECT_EQ(favourite(std::vector<std::string>{"b", "a"}), "a");
  EXPECT_EQ(favourite(std::vector<std::string>{"b", "a", "b"}), "b");
  EXPECT_EQ(favourite({}), "");
}

TEST(Quorum, Reachability) {
  Reachability both = reachable(2, 0, 2);
  EXPECT_EQ(both.usable, 3);
  EXPECT_TRUE(both.quorum && both.majority);
  Reachability lost = reachable(4, 3, 2);
  EXPECT_EQ(lost.usable, 2);
  EXPECT_TRUE(lost.quorum);
  EXPECT_FALSE(lost.majority);
  EXPECT_FALSE(reachable(0, 0, 2).quorum);
}

}  // namespace
}  // namespace holdfast::sentinel
