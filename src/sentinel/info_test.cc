#include "sentinel/info.h"

#include <gtest/gtest.h>

#include "sentinel/hello.h"

namespace holdfast::sentinel {
namespace {

constexpr const char* kRunid = "0123456789abcdef0123456789abcdef01234567";

TEST(Info, PrimaryWithReplicasInBothForms) {
  const InfoReport report = parse_info(std::string("# Server\r\nrun_id:") + kRunid +
                                       "\r\n# Replication\r\nrole:master\r\nconnected_slaves:3\r\n"
                                       "slave0:ip=10.0.0.2,port=6380,state=online,offset=14,lag=0\r\n"
                                       "slave1:10.0.0.3,6381,online\r\n"
                                       "slave2:ip=::1,port=70000,state=online\r\nslaves_of_x:1\r\n");
  EXPECT_EQ(report.runid, kRunid);
  EXPECT_EQ(report.role, Role::kPrimary);
  ASSERT_EQ(report.replicas.size(), 2u);
  EXPECT_EQ(report.replicas[0].host, "10.0.0.2");
  EXPECT_EQ(report.replicas[0].port, 6380);
  EXPECT_EQ(report.replicas[1].host, "10.0.0.3");
  EXPECT_EQ(report.replicas[1].port, 6381);
  EXPECT_FALSE(report.primary_host.has_value());
}

TEST(Info, ReplicaFieldsCountOnlyBehindTheRole) {
  const std::string fields =
      "master_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\nslave_priority:10\r\n"
      "slave_repl_offset:42577\r\nreplica_announced:0\r\nmaster_link_down_since_seconds:7\r\n";
  const InfoReport report = parse_info("role:slave\r\n" + fields);
  EXPECT_EQ(report.role, Role::kReplica);
  EXPECT_EQ(report.primary_host, "10.0.0.1");
  EXPECT_EQ(report.primary_port, 6379);
  EXPECT_EQ(report.primary_link_up, true);
  EXPECT_EQ(report.priority, 10);
  EXPECT_EQ(report.offset, 42577u);
  EXPECT_EQ(report.announced, false);
  EXPECT_EQ(report.link_down_seconds, 7);
  const InfoReport early = parse_info(fields + "role:slave\r\n");
  EXPECT_FALSE(early.primary_host.has_value());
  EXPECT_EQ(early.link_down_seconds, 7);
}

TEST(Info, SurvivesNonsense) {
  EXPECT_EQ(parse_info("").role, Role::kUnknown);
  EXPECT_EQ(parse_info("role:\r\nslave0:\r\nslave0\r\nslave0:ip=\r\nrun_id:short\r\n").replicas.size(), 0u);
  EXPECT_EQ(parse_info("role:slave\r\nslave_repl_offset:999999999999999999999999\r\n").offset, 0u);
  EXPECT_EQ(parse_info("slave0:ip=a b,port=1,state=x\r\n").replicas.size(), 0u);
  std::string many;
  for (int i = 0; i < 3000; ++i)
    many += "slave" + std::to_string(i) + ":ip=10.0.0.1,port=" + std::to_string(i + 1) + "\n";
  EXPECT_EQ(parse_info(many).replicas.size(), kListedReplicasMax);
}

TEST(Hello, RoundTrip) {
  const std::string text = std::string("10.0.0.9,26379,") + kRunid + ",5,master01,::1,6380,4";
  const std::optional<Hello> hello = parse_hello(text);
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(hello->runid, kRunid);
  EXPECT_EQ(hello->current_epoch, 5u);
  EXPECT_EQ(hello->primary_host, "::1");
  EXPECT_EQ(hello->config_epoch, 4u);
  EXPECT_EQ(print_hello(*hello), text);
}

TEST(Hello, RefusesEverythingElse) {
  const std::string id = kRunid;
  EXPECT_FALSE(parse_hello(""));
  EXPECT_FALSE(parse_hello("a,1," + id + ",5,m,b,2"));
  EXPECT_FALSE(parse_hello("a,1," + id + ",5,m,b,2,4,extra"));
  EXPECT_FALSE(parse_hello("a,0," + id + ",5,m,b,2,4"));
  EXPECT_FALSE(parse_hello("a,65536," + id + ",5,m,b,2,4"));
  EXPECT_FALSE(parse_hello("a,1," + id + ",-5,m,b,2,4"));
  EXPECT_FALSE(parse_hello("a,1," + id + ",18446744073709551615,m,b,2,4"));
  EXPECT_FALSE(parse_hello("a,1," + id + "\nsentinel myid x,5,m,b,2,4"));
  EXPECT_FALSE(parse_hello("a b,1," + id + ",5,m,b,2,4"));
  EXPECT_FALSE(parse_hello("a,1,,5,m,b,2,4"));
  EXPECT_FALSE(parse_hello("a,1," + id + ",5,m,,2,4"));
}

}  // namespace
}  // namespace holdfast::sentinel
