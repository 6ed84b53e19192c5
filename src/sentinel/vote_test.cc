#include "sentinel/vote.h"

#include <gtest/gtest.h>

#include <map>

namespace holdfast::sentinel {
namespace {

TEST(Vote, EveryHistoryOfRequestsGrantsEachEpochOnce) {
  // All sequences of six requests with epochs 0..4: no epoch is granted twice, epochs never go back.
  for (int code = 0; code < 15625; ++code) {
    VoteState state;
    std::map<uint64_t, int> granted;
    int rest = code;
    for (int i = 0; i < 6; ++i, rest /= 5) {
      const auto epoch = static_cast<uint64_t>(rest % 5);
      const VoteState before = state;
      const VoteDecision decision = decide_vote(state, epoch);
      if (decision.adopt_epoch) state.current_epoch = epoch;
      if (decision.grant) {
        state.leader_epoch = state.current_epoch;
        EXPECT_EQ(state.leader_epoch, epoch);
        EXPECT_EQ(++granted[epoch], 1);
      }
      EXPECT_GE(state.current_epoch, before.current_epoch);
      EXPECT_GE(state.leader_epoch, before.leader_epoch);
      EXPECT_LE(state.leader_epoch, state.current_epoch);
    }
  }
}

TEST(Vote, RefusesOldEpochsAndAdoptsNewOnes) {
  EXPECT_FALSE(decide_vote({5, 3}, 4).grant);
  EXPECT_TRUE(decide_vote({5, 3}, 5).grant);
  EXPECT_FALSE(decide_vote({5, 5}, 5).grant);
  EXPECT_TRUE(decide_vote({5, 5}, 6).grant);
  EXPECT_TRUE(decide_vote({5, 5}, 6).adopt_epoch);
  EXPECT_FALSE(decide_vote({0, 0}, 0).grant);
}

TEST(Vote, APromiseHoldsBackTheVoteButNotTheEpoch) {
  EXPECT_FALSE(decide_vote({5, 5, true}, 6).grant);
  EXPECT_TRUE(decide_vote({5, 5, true}, 6).adopt_epoch);
}

}  // namespace
}  // namespace holdfast::sentinel
