// Agents and slow starts on the whole machine.
#include "proxy/check/agent.h"

#include "proxy/test_host.h"

namespace holdfast::proxy {
namespace {

using ::testing::HasSubstr;

TEST(Agent, UnderstandsItsWords) {
  const AgentReply reply = parse_agent_reply("UP,ready 75% maxconn:30 foo bar # all is well ");
  EXPECT_EQ(reply.up, true);
  EXPECT_EQ(reply.admin, AgentReply::Admin::kReady);
  EXPECT_EQ(reply.weight_percent, 75);
  EXPECT_EQ(reply.maxconn, 30);
  EXPECT_EQ(reply.unknown, "foo");
  EXPECT_EQ(reply.description, "all is well");
  EXPECT_EQ(parse_agent_reply("up down").up, false);  // the last one counts
  EXPECT_EQ(parse_agent_reply("weight:50%").weight_percent, 50);
  EXPECT_EQ(parse_agent_reply("weight:7").weight, 7);
  EXPECT_FALSE(parse_agent_reply(" , ").up.has_value());
}

const std::string kWatched =
    "global\n stats socket /tmp/s level admin\n log 127.0.0.1 local0\nlisten l\n bind :1\n log global\n timeout client "
    "9s\n"
    " timeout connect 1s\n timeout server 9s\n server s 127.0.0.1:1 weight 100 agent-check agent-port 9 agent-inter 1s"
    " agent-send \"hello\\n\"\n";

TEST(Agent, DecidesUpAndDownWeightAndLimits) {
  Host host(kWatched);
  Duration pause{};  // the first question comes at once
  auto say = [&host, &pause](const std::string& line) {
    host.advance(pause);
    pause = 1s;
    const ConnId conn = host.next_connect("127.0.0.1:9");
    host.connected(conn);
    EXPECT_EQ(host.take(conn), "hello\n");
    host.receive(conn, line);
    EXPECT_TRUE(host.is_closed(conn));
  };
  say("50% maxconn:7\n");
  EXPECT_EQ(host.cli("get weight l/s", 1), "50 (initial 100)\n\n");
  say("down # maintenance at noon\r\n");
  EXPECT_THAT(host.logs.at(0),
              HasSubstr("Server l/s is DOWN, reason: Layer7 wrong status, code: 0, info: \"via agent : "
                        "down (maintenance at noon)\""));
  EXPECT_THAT(host.cli("show stat", 1), HasSubstr(",L7STS,0,0,"));
  host.advance(1s);
  host.refuse(host.next_connect("127.0.0.1:9"));  // nobody there: nothing changes
  EXPECT_EQ(host.logs.size(), 2u);
  say("up\n");
  EXPECT_THAT(host.logs.at(2), HasSubstr("Server l/s is UP, reason: Layer7 check passed"));
  say("drain\n");
  EXPECT_THAT(host.logs.at(3), HasSubstr("Server l/s enters drain state"));
  say("ready\n");
  host.cli("disable agent l/s", 1);
  host.advance(5s);
  EXPECT_TRUE(host.connects.empty());
}

TEST(Slowstart, AServerThatComesBackTakesItsShareSlowly) {
  Host host(
      "global\n stats socket /tmp/s level admin\nlisten l\n bind :1\n timeout client 9s\n timeout connect 1s\n"
      " timeout server 9s\n balance roundrobin\n server a 127.0.0.1:1\n server b 127.0.0.1:2 slowstart 100s\n");
  host.cli("set server l/b state maint", 1);
  host.cli("set server l/b state ready", 1);
  auto share = [&host] {
    int taken = 0;
    for (int i = 0; i < 100; ++i) {
      host.accept();
      taken += host.connects.back().to.port == 2;
      host.connected(host.connects.back().conn);
    }
    return taken;
  };
  EXPECT_LT(share(), 5);
  host.advance(50s);
  const int half = share();
  EXPECT_GT(half, 20);
  EXPECT_LT(half, 45);
  host.advance(50s);
  EXPECT_EQ(share(), 50);
}

}  // namespace
}  // namespace holdfast::proxy
