#include "app/up_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(UpPlan, TheArticlesPictureByDefault) {
  const auto members = members_of(Plan{}, "/d");
  ASSERT_EQ(members.size(), 4u);
  EXPECT_EQ(members[0].name, "redis_6379");
  EXPECT_EQ(members[1].name, "redis_6380");
  EXPECT_EQ(members[2].name, "sentinel_26379");
  EXPECT_EQ(members[3].port, 6378);
  EXPECT_THAT(members[0].conf_text, Not(HasSubstr("replicaof 127")));
  EXPECT_THAT(members[1].conf_text, HasSubstr("\nreplicaof 127.0.0.1 6379\n"));
  EXPECT_THAT(members[2].conf_text, HasSubstr("\nsentinel monitor master01 127.0.0.1 6379 1\n"));
  EXPECT_THAT(members[3].conf_text, HasSubstr("    tcp-check send info\\ replication\\r\\n\n"));
  EXPECT_THAT(members[3].conf_text, HasSubstr("    server redis_6380 127.0.0.1:6380 check inter 1s\n"));
  EXPECT_EQ(members[1].directory, "/d/redis_6380");
  EXPECT_EQ(members[1].pidfile, "/d/run/redis_6380.pid");
}

TEST(UpPlan, QuorumIsTheMajorityUnlessGiven) {
  for (const auto& [sentinels, quorum] : {std::pair{1, 1}, {2, 2}, {3, 2}, {4, 3}, {5, 3}}) {
    Plan plan;
    plan.sentinels = sentinels;
    EXPECT_EQ(effective_quorum(plan), quorum) << sentinels;
  }
  Plan plan;
  plan.sentinels = 3;
  plan.quorum = 1;
  EXPECT_EQ(effective_quorum(plan), 1);
}

TEST(UpPlan, RefusesImpossibleNumbers) {
  const auto wrong = [](auto change) {
    Plan plan;
    change(plan);
    return check_plan(plan);
  };
  EXPECT_EQ(wrong([](Plan&) {}), "");
  EXPECT_THAT(wrong([](Plan& p) { p.quorum = 2; }), HasSubstr("never be reached"));
  EXPECT_THAT(wrong([](Plan& p) { p.proxy_port = 6380; }), HasSubstr("overlap"));
  EXPECT_THAT(wrong([](Plan& p) { p.port = 26378; }), HasSubstr("overlap"));
  EXPECT_THAT(wrong([](Plan& p) { p.port = 65535; }), HasSubstr("65535"));
  EXPECT_NE(wrong([](Plan& p) { p.sentinels = 0; }), "");
  EXPECT_NE(wrong([](Plan& p) { p.replicas = -1; }), "");
}

TEST(UpPlan, TheHighestEpochNamesThePrimary) {
  const std::string old = "sentinel monitor master01 127.0.0.1 6379 2\nsentinel config-epoch master01 3\n";
  const std::string fresh = "port 1\nsentinel config-epoch master01 4\nsentinel monitor master01 127.0.0.1 6381 2\n";
  EXPECT_EQ(primary_port({old, fresh}), 6381);
  EXPECT_EQ(primary_port({fresh, old}), 6381);
  EXPECT_EQ(primary_port({members_of(Plan{}, "/d")[2].conf_text}), 6379);
  EXPECT_EQ(primary_port({}), 0);
  EXPECT_EQ(primary_port({"sentinel monitor other 127.0.0.1 6379 2\n"}), 0);
}

TEST(UpPlan, AReplacedPrimaryComesBackAsAReplica) {
  const auto members = members_of(Plan{}, "/d");
  using ::testing::ElementsAre;
  using ::testing::IsEmpty;
  const Member& first = members[0];
  const Member& second = members[1];
  EXPECT_THAT(role_options(first, first.conf_text, 6379), IsEmpty());
  EXPECT_THAT(role_options(second, second.conf_text, 6379), IsEmpty());
  EXPECT_THAT(role_options(first, first.conf_text, 6380), ElementsAre("--replicaof", "127.0.0.1", "6380"));
  EXPECT_THAT(role_options(second, second.conf_text, 6380), ElementsAre("--replicaof", "no", "one"));
  EXPECT_THAT(role_options(first, "slaveof 127.0.0.1 6380\n", 6380), IsEmpty());
  EXPECT_THAT(role_options(first, first.conf_text, 0), IsEmpty());
}

TEST(UpPlan, SurvivesItsFile) {
  Plan plan;
  plan.replicas = 2;
  plan.sentinels = 3;
  plan.quorum = 2;
  plan.port = 7000;
  plan.bind = "0.0.0.0";
  const auto read = parse_plan(print_plan(plan));
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_EQ(*read, plan);
  EXPECT_FALSE(parse_plan("replicas x\n").has_value());
  EXPECT_FALSE(parse_plan("colour 3\n").has_value());
  EXPECT_FALSE(parse_plan("sentinels 0\n").has_value());
}

}  // namespace
}  // namespace holdfast::app
