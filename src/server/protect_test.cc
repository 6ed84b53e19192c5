#include "server/protect.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::server {
namespace {

const std::string kOurs(40, 'a');
const std::string kOther(40, 'b');

PrimaryFacts restarted() {
  PrimaryFacts facts;
  facts.known = true;
  facts.id = kOther;
  facts.uptime = 3s;
  return facts;
}
OwnHistory own() { return {.id = kOurs, .next_offset = 101, .has_data = true, .since_contact = 5s}; }

TEST(Protect, ReadsInfo) {
  const PrimaryFacts facts = parse_facts(
      "# Server\r\nuptime_in_seconds:7\r\n\r\n# Replication\r\nrole:master\r\nmaster_replid:" + kOther +
      "\r\nmaster_replid2:" + kOurs + "\r\nmaster_repl_offset:12\r\nsecond_repl_offset:9\r\n# Keyspace\r\n");
  EXPECT_TRUE(facts.known);
  EXPECT_FALSE(facts.is_replica);
  EXPECT_EQ(facts.id, kOther);
  EXPECT_EQ(facts.id2, kOurs);
  EXPECT_EQ(facts.offset, 12);
  EXPECT_EQ(facts.second_offset, 9);
  EXPECT_EQ(facts.uptime, Duration(7s));
  EXPECT_TRUE(facts.empty);
  EXPECT_FALSE(parse_facts("db12:keys=1,expires=0,avg_ttl=0\r\n").empty);
}

TEST(Protect, WhatCannotBeReadIsNoEvidence) {
  for (const std::string& text : {std::string(), std::string("-NOPERM"), std::string("role:master\r\n"),
                                  "role:master\r\nuptime_in_seconds:-1\r\nmaster_replid:" + kOther,
                                  "role:master\r\nuptime_in_seconds:99999999999999999999\r\nmaster_replid:" + kOther}) {
    EXPECT_FALSE(parse_facts(text).known) << text;
    EXPECT_EQ(objection_to(parse_facts(text), own()), Objection::kNone) << text;
  }
}

TEST(Protect, AnEmptyRestartedPrimaryIsRefused) {
  EXPECT_EQ(objection_to(restarted(), own()), Objection::kGone);
  PrimaryFacts facts = restarted();
  facts.empty = false;
  EXPECT_EQ(objection_to(facts, own()), Objection::kNone);
}

TEST(Protect, NothingToLoseOrAnotherReplicaInBetween) {
  OwnHistory nothing = own();
  nothing.has_data = false;
  EXPECT_EQ(objection_to(restarted(), nothing), Objection::kNone);
  PrimaryFacts chained = restarted();
  chained.is_replica = true;
  EXPECT_EQ(objection_to(chained, own()), Objection::kNone);
}

TEST(Protect, AProcessThatWasThereBeforeLostNothing) {
  PrimaryFacts flushed = restarted();
  flushed.uptime = 8s;
  EXPECT_EQ(objection_to(flushed, own()), Objection::kNone);
  flushed.uptime = 7s;  // within the margin of whole seconds
  EXPECT_EQ(objection_to(flushed, own()), Objection::kGone);
}

TEST(Protect, AnEarlierStateOfOurHistoryIsRefused) {
  PrimaryFacts facts = restarted();
  facts.empty = false;
  facts.id2 = kOurs;
  facts.second_offset = 101;
  EXPECT_EQ(objection_to(facts, own()), Objection::kNone);  // it can continue us
  facts.second_offset = 100;
  EXPECT_EQ(objection_to(facts, own()), Objection::kOlder);
  facts.id = kOurs;
  facts.offset = 100;
  EXPECT_EQ(objection_to(facts, own()), Objection::kNone);
  facts.offset = 99;
  EXPECT_EQ(objection_to(facts, own()), Objection::kOlder);
}

}  // namespace
}  // namespace holdfast::server
