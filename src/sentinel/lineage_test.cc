#include "sentinel/lineage.h"

#include <gtest/gtest.h>

namespace holdfast::sentinel {
namespace {

const Lineage kPrimary = {"b", "a", 100};  // promoted at 100 out of history a

TEST(Lineage, KinshipFollowsIdsAndTheForkPoint) {
  EXPECT_EQ(kinship(kPrimary, {"b", "", -1}, 5000), Kinship::kSame);
  EXPECT_EQ(kinship(kPrimary, {"c", "b", 200}, 250), Kinship::kHeir);
  EXPECT_EQ(kinship(kPrimary, {"a", "", -1}, 99), Kinship::kAncestor);
  // The former primary went on writing: more bytes, but not ours.
  EXPECT_EQ(kinship(kPrimary, {"a", "", -1}, 100), Kinship::kForeign);
  EXPECT_EQ(kinship(kPrimary, {"x", "y", 5}, 1), Kinship::kForeign);
  EXPECT_EQ(kinship({}, {"a", "", -1}, 1), Kinship::kUnknown);
  EXPECT_EQ(kinship(kPrimary, {}, 1), Kinship::kUnknown);
}

TEST(Lineage, ContinuesOnlyBehindTheSource) {
  EXPECT_TRUE(can_continue(kPrimary, 500, {"b", "", -1}, 500));
  EXPECT_FALSE(can_continue(kPrimary, 500, {"b", "", -1}, 501));
  EXPECT_TRUE(can_continue(kPrimary, 500, {"a", "", -1}, 99));
  EXPECT_FALSE(can_continue(kPrimary, 500, {"a", "", -1}, 100));
  EXPECT_FALSE(can_continue(kPrimary, 500, {"z", "", -1}, 0));
  EXPECT_FALSE(can_continue({}, 500, {}, 0));
}

}  // namespace
}  // namespace holdfast::sentinel
