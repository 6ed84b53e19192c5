#include "proxy/saved_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/check/external.h"
#include "proxy/test_host.h"

namespace holdfast::proxy {
namespace {

using ::testing::HasSubstr;

const std::string kRest = " 1 1 77 8 2 3 6 0 0 0 - 24001 - 0 0 - - 0\n";

TEST(SavedState, LinesOfAFile) {
  const auto lines = read_state_file("1\n# be_id ...\n\n3 b 1 s1 127.0.0.1 0 0" + kRest + "3 b 2 s2 - 2 1" + kRest);
  ASSERT_TRUE(lines.has_value());
  ASSERT_EQ(lines->size(), 2u);
  EXPECT_EQ(lines->at({"b", "s2"}).fields.at(1), "2");
  EXPECT_EQ(read_state_file("").error(), 0);
  EXPECT_EQ(read_state_file("2\n").error(), 0);
  EXPECT_EQ(read_state_file("1").error(), 0);
  EXPECT_EQ(read_state_file("1\n#\n3 b 1 s1 too few words\n").error(), 2);
  EXPECT_EQ(read_state_file("1\n3 b 1 s1 127.0.0.1 0 0 1 1 77 8 2 3 6 0 0 0 - 24001 - 0 0 - - 0").error(), 1);  // cut
}

std::vector<std::string> fields(const std::string& address, const std::string& operation, const std::string& admin) {
  const auto lines = read_state_file("1\n3 b 1 s " + address + " " + operation + " " + admin + kRest);
  return lines->at({"b", "s"}).fields;
}

TEST(SavedState, WhatAServerWas) {
  const auto state =
      parse_saved_state(fields("10.0.0.1", "3", "41"));  // 41: forced maintenance and drain, and resolving
  ASSERT_FALSE(state.has_value());
  EXPECT_EQ(state.error(), ", invalid srv_admin_state value '41'");
  const auto good = parse_saved_state(fields("10.0.0.1", "3", "97"));  // forced, no address, renamed
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(good->admin, 1);
  EXPECT_EQ(good->operation, SavedState::Operation::kStopping);
  EXPECT_EQ(good->port, 24001);
  EXPECT_EQ(good->age_seconds, 77);
  EXPECT_EQ(parse_saved_state(fields("-", "x", "0")).error(), ", invalid srv_op_state value 'x'");
  EXPECT_EQ(parse_saved_state(fields("-", "9", "0")).error(), ", invalid srv_op_state value '9'");
}

TEST(ExternalCheck, EndsOfPrograms) {
  EXPECT_EQ(external_check_outcome(0).status, CheckStatus::kProcessOk);
  EXPECT_EQ(external_check_outcome(3 << 8).status, CheckStatus::kProcessError);
  EXPECT_EQ(external_check_outcome(3 << 8).code, 3);
  EXPECT_EQ(external_check_outcome(15).status, CheckStatus::kProcessError);  // a signal
  EXPECT_EQ(external_check_outcome(15).code, -1);
}

const std::string kLimited =
    "global\n stats socket /tmp/s level admin\ndefaults\n timeout connect 1m\n timeout client 1m\n timeout server 1m\n"
    "listen l\n bind :6378\n rate-limit sessions 3\n server s 127.0.0.1:1\n";

TEST(RateLimit, HoldsWhatIsTooFast) {
  Host host(kLimited);
  std::vector<ConnId> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(host.accept());
  EXPECT_EQ(host.connects.size(), 3u);
  EXPECT_TRUE(host.paused[clients[5]]);
  host.advance(10s);
  EXPECT_EQ(host.connects.size(), 10u);
  EXPECT_FALSE(host.paused[clients[5]]);
  EXPECT_TRUE(host.closes.empty());
}

}  // namespace
}  // namespace holdfast::proxy
