// The whole machine against a made-up host: accepts, bytes, refusals and time go in, actions are compared.
#include "proxy/test_host.h"

namespace holdfast::proxy {
namespace {

using ::testing::HasSubstr;

const std::string kTwo =
    "global\n stats socket /tmp/s level admin\n log 127.0.0.1 local0\ndefaults\n log global\n timeout connect 300ms\n"
    " timeout client 2s\n timeout server 3s\n option tcplog\n"
    "listen l\n bind :6378\n balance first\n retries 1\n server s1 127.0.0.1:1 maxconn 2\n server s2 127.0.0.1:2\n";

TEST(Proxy, CarriesBytesBothWaysAndLogsOnce) {
  Host host(kTwo);
  const ConnId client = host.accept();
  const ConnId server = host.next_connect("127.0.0.1:1");
  host.receive(client, "PI");  // before the server is there
  host.connected(server);
  host.receive(client, "NG\r\n");
  EXPECT_EQ(host.take(server), "PING\r\n");
  host.receive(server, "+PONG\r\n");
  EXPECT_EQ(host.take(client), "+PONG\r\n");
  host.eof(client);
  EXPECT_EQ(host.shutdowns, std::vector<ConnId>{server});
  EXPECT_TRUE(host.logs.empty());
  host.eof(server);
  EXPECT_TRUE(host.is_closed(client) && host.is_closed(server));
  ASSERT_EQ(host.logs.size(), 1u);
  EXPECT_EQ(host.logs[0], "10.0.0.9:5555 [22/Nov/2026:11:27:06.000] l l/s1 0/0/0 7 -- 1/1/0/0/0 0/0");
}

TEST(Proxy, WaitsWithTheEndUntilEverythingIsDelivered) {
  Host host(kTwo);
  const ConnId client = host.accept();
  const ConnId server = host.next_connect();
  host.connected(server);
  host.receive(server, "last words");
  host.eof(server);
  host.eof(client);
  EXPECT_FALSE(host.is_closed(client));
  EXPECT_EQ(host.take(client), "last words");
  EXPECT_TRUE(host.is_closed(client));
}

TEST(Proxy, BackPressurePausesTheFastSide) {
  Host host(kTwo);
  const ConnId client = host.accept();
  const ConnId server = host.next_connect();
  host.connected(server);
  host.receive(server, std::string(16384, 'x'));
  EXPECT_TRUE(host.paused[server]);
  EXPECT_EQ(host.take(client).size(), 16384u);
  EXPECT_FALSE(host.paused[server]);
}

TEST(Proxy, RetriesAfterAMomentThenGivesUp) {
  Host host(kTwo);
  const ConnId client = host.accept();
  host.refuse(host.next_connect("127.0.0.1:1"));
  EXPECT_TRUE(host.connects.empty());
  host.advance(299ms);
  EXPECT_TRUE(host.connects.empty());
  host.advance(1ms);
  host.refuse(host.next_connect("127.0.0.1:1"));
  EXPECT_TRUE(host.is_closed(client));
  EXPECT_THAT(host.logs.at(0), HasSubstr(" l l/s1 0/-1/300 0 SC 1/1/0/0/1 0/0"));
}

TEST(Proxy, RedispatchesTheLastRetryAtOnce) {
  Host host(kTwo + " option redispatch\n");
  host.accept();
  host.refuse(host.next_connect("127.0.0.1:1"));
  host.connected(host.next_connect("127.0.0.1:2"));
  EXPECT_TRUE(host.logs.empty());
}

TEST(Proxy, TimeoutsOfEachSideAndOfTheConnection) {
  Host host(kTwo);
  host.accept();
  host.connected(host.next_connect());
  host.advance(2s);
  EXPECT_THAT(host.logs.at(0), HasSubstr(" 0/0/2000 0 cD "));
  host.accept();
  host.advance(600ms);
  EXPECT_THAT(host.logs.at(1), HasSubstr(" 0/-1/600 0 sC 1/1/0/0/1 "));
}

TEST(Proxy, ActivityPutsTheTimeoutOff) {
  Host host(kTwo);
  const ConnId client = host.accept();
  const ConnId server = host.next_connect();
  host.connected(server);
  for (int i = 0; i < 5; ++i) {
    host.advance(1900ms);
    host.receive(client, "x");
    host.take(server);
  }
  EXPECT_TRUE(host.logs.empty());
  host.advance(2s);
  EXPECT_EQ(host.logs.size(), 1u);
}

TEST(Proxy, FullServersQueueAndServeInOrder) {
  Host host(
      "global\n log 127.0.0.1 local0\nlisten l\n bind :6378\n log global\n option tcplog\n timeout connect 1s\n"
      " timeout client 9s\n timeout server 9s\n timeout queue 200ms\n server s1 127.0.0.1:1 maxconn 1\n");
  const ConnId first = host.accept();
  const ConnId server = host.next_connect();
  host.connected(server);
  host.accept();
  EXPECT_TRUE(host.connects.empty());
  host.advance(100ms);
  host.eof(first);
  host.eof(server);
  EXPECT_EQ(host.connects.size(), 1u);
  host.connected(host.next_connect());
  host.accept();
  host.advance(200ms);
  EXPECT_THAT(host.logs.at(1), HasSubstr(" l l/<NOSRV> 200/-1/200 0 sQ 2/2/1/0/0 0/1"));
}

TEST(Proxy, NoServerClosesAtOnce) {
  Host host("global\n log 127.0.0.1 local0\nlisten l\n bind :6378\n log global\n option tcplog\n timeout client 1s\n");
  const ConnId client = host.accept();
  EXPECT_TRUE(host.is_closed(client));
  EXPECT_THAT(host.logs.at(0), HasSubstr(" l l/<NOSRV> -1/-1/0 0 SC 1/1/0/0/0 0/0"));
}

const std::string kChecked =
    "global\n stats socket /tmp/s level admin\n log 127.0.0.1 local0\n"
    "listen l\n bind :6378\n log global\n timeout connect 1s\n timeout client 9s\n timeout server 9s\n balance first\n"
    " option tcplog\n option redis-check\n"
    " server s1 127.0.0.1:1 check inter 1s fall 2 on-marked-down shutdown-sessions\n";

TEST(Proxy, ChecksTakeAServerDownAndItsSessionsWithIt) {
  Host host(kChecked);
  const ConnId client = host.accept();
  host.connected(host.next_connect());
  host.advance(0ms);
  const ConnId check = host.next_connect("127.0.0.1:1");
  host.connected(check);
  EXPECT_EQ(host.take(check), "*1\r\n$4\r\nPING\r\n");
  host.receive(check, "+PONG\r\n");
  EXPECT_TRUE(host.is_closed(check));
  EXPECT_TRUE(host.logs.empty());
  for (int i = 0; i < 2; ++i) {
    host.advance(1s);
    host.refuse(host.next_connect("127.0.0.1:1"));
  }
  ASSERT_EQ(host.logs.size(), 3u);
  EXPECT_EQ(
      host.logs[0],
      "Server l/s1 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: 0ms. "
      "0 active and 0 backup servers left. 1 sessions active, 0 requeued, 0 remaining in queue.");
  EXPECT_EQ(host.logs[1], "proxy l has no server available!");
  EXPECT_THAT(host.logs[2], HasSubstr(" D- 1/1/0/0/0 "));
  EXPECT_TRUE(host.is_closed(client));
  for (int i = 0; i < 2; ++i) {
    host.advance(1s);
    const ConnId again = host.next_connect();
    host.connected(again);
    host.receive(again, "+PONG\r\n");
  }
  EXPECT_EQ(
      host.logs.at(3),
      "Server l/s1 is UP, reason: Layer7 check passed, code: 0, info: \"Redis server is ok\", check duration: 0ms. "
      "1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.");
}

TEST(Proxy, ACheckWithoutAnswerTimesOut) {
  Host host(kChecked);
  host.advance(0ms);
  host.connected(host.next_connect());
  host.advance(1s);
  ASSERT_FALSE(host.logs.empty());
  EXPECT_THAT(host.logs[0], HasSubstr("Server l/s1 is DOWN, reason: Layer7 timeout, check duration: 1000ms."));
}

TEST(Proxy, RuntimeApiAnswersInTheOriginalsWords) {
  Host host(kTwo);
  EXPECT_EQ(host.cli("show backend", 1), "# name\nl\n\n");
  EXPECT_EQ(host.cli("get weight l/s1", 1), "1 (initial 1)\n\n");
  EXPECT_EQ(host.cli("set server l/zz state ready", 1), "No such server.\n\n");
  EXPECT_EQ(host.cli("set server zz/s1 state ready", 1), "No such backend.\n\n");
  EXPECT_EQ(host.cli("set server l state ready", 1), "Require 'backend/server'.\n\n");
  EXPECT_EQ(host.cli("set server l/s1 state foo", 1),
            "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n\n");
  EXPECT_EQ(host.cli("set server l/s1 weight 300", 1), "Absolute weight can only be between 0 and 256 inclusive.\n\n");
  EXPECT_EQ(host.cli("set server l/s1 addr 127.0.0.2 port 1", 1),
            "IP changed from '127.0.0.1' to '127.0.0.2', no need to change the port by 'stats socket command'\n\n");
  EXPECT_EQ(host.cli("set server l/s1 state maint; show backend", 1), "\n# name\nl\n\n");
  EXPECT_EQ(
      host.logs.at(0),
      "Server l/s1 is going DOWN for maintenance. 1 active and 0 backup servers left. 0 sessions active, 0 requeued, "
      "0 remaining in queue.");
  EXPECT_EQ(host.cli("set server l/s1 state ready", 1), "\n");
  EXPECT_EQ(host.logs.at(1), "Server l/s1 is UP/READY (leaving forced maintenance).");
  EXPECT_EQ(host.cli("set server l/s1 weight 50%", 1), "\n");
  EXPECT_EQ(host.cli("get weight l/s1", 1), "0 (initial 1)\n\n");
  EXPECT_EQ(host.cli("shutdown session 0x1234", 1), "No such session (use 'show sess').\n\n");
  EXPECT_EQ(host.cli("show backend\nget weight l/s2", 1), "# name\nl\n\n1 (initial 1)\n\n");
  EXPECT_THAT(host.cli("", 1), HasSubstr("Unknown command. Please enter one of the following commands only:\n"));
  EXPECT_THAT(host.cli("nonsense", 1),
              HasSubstr("Unknown command. Please enter one of the following commands only:\n"));
}

TEST(Proxy, StatisticsHaveEveryColumnInEveryRow) {
  Host host(kChecked);
  const std::string csv = host.cli("show stat", 1);
  size_t begin = 0;
  int rows = 0;
  while (begin < csv.size() && csv[begin] != '\n') {
    const std::string row = csv.substr(begin, csv.find('\n', begin) - begin);
    EXPECT_EQ(std::ranges::count(row, ','), 120) << row;
    begin += row.size() + 1;
    ++rows;
  }
  EXPECT_EQ(rows, 4);  // header, frontend, server, backend
  EXPECT_THAT(csv, HasSubstr("\nl,s1,0,0,0,0,,0,0,0,,0,,0,0,0,0,UP 1/2,1,1,0,0,0,0,0,,1,2,1,,0,,2,0,,0,INI,"));
  EXPECT_THAT(host.cli("show servers state", 1),
              HasSubstr("\n2 l 1 s1 127.0.0.1 2 0 1 1 0 1 0 2 6 0 0 0 - 1 - 0 0 - - 0\n"));
}

TEST(Proxy, StatisticsTellWhatTheirCellsAre) {
  Host host(kChecked);
  const std::string typed = host.cli("show stat typed", 1);
  EXPECT_THAT(typed,
              HasSubstr("F.2.0.0.pxname.1:KNS:str:l\nF.2.0.1.svname.1:KNS:str:FRONTEND\nF.2.0.4.scur.1:MGP:u32:0\n"));
  EXPECT_THAT(typed, HasSubstr("S.2.1.17.status.1:SGP:str:UP 1/2\n"));
  const std::string json = host.cli("show stat json", 1);
  EXPECT_THAT(json, HasSubstr("[[{\"objType\":\"Frontend\",\"proxyId\":2,\"id\":0,\"field\":{\"pos\":0,\"name\":"
                              "\"pxname\"},\"processNum\":1,\"tags\":{\"origin\":\"Key\",\"nature\":\"Name\",\"scope\":"
                              "\"Service\"},\"value\":{\"type\":\"str\",\"value\":\"l\"}}"));
  EXPECT_TRUE(json.ends_with("]]\n\n"));
  EXPECT_THAT(host.cli("show servers conn", 1), HasSubstr("\nl/s1 2/1 127.0.0.1 1 - 5000 0 0 0 0 0 -1 0 0\n"));
}

TEST(Proxy, SignalsStopHardOrAfterTheLastSession) {
  Host hard(kTwo);
  hard.proxy->signal(15, hard.now);
  hard.drain();
  EXPECT_EQ(hard.exit_code, 143);
  Host soft(kTwo);
  const ConnId client = soft.accept();
  const ConnId server = soft.next_connect();
  soft.connected(server);
  soft.proxy->signal(10, soft.now);
  soft.drain();
  EXPECT_FALSE(soft.exit_code.has_value());
  soft.eof(client);
  soft.eof(server);
  EXPECT_EQ(soft.exit_code, 0);
}

TEST(Proxy, AFullFrontendHoldsNewcomersUntilThereIsRoom) {
  Host host(
      "listen l\n bind :6378\n maxconn 1\n timeout connect 1s\n timeout client 9s\n timeout server 9s\n"
      " server s1 127.0.0.1:1\n");
  const ConnId first = host.accept();
  const ConnId server = host.next_connect();
  host.connected(server);
  const ConnId second = host.accept();
  EXPECT_TRUE(host.paused[second]);
  EXPECT_TRUE(host.connects.empty());
  host.eof(first);
  host.eof(server);
  EXPECT_FALSE(host.paused[second]);
  host.connected(host.next_connect());
}

TEST(Proxy, AFullListenerHoldsItsOwnNewcomersOnly) {
  Host host(
      "listen l\n bind :6378 maxconn 1\n bind :6379\n timeout connect 1s\n timeout client 9s\n timeout server 9s\n"
      " server s1 127.0.0.1:1\n");
  const ConnId first = host.accept(0);
  const ConnId server = host.next_connect();
  host.connected(server);
  const ConnId second = host.accept(0);
  EXPECT_TRUE(host.paused[second]);
  host.accept(1);
  host.connected(host.next_connect());
  EXPECT_TRUE(host.connects.empty());
  host.eof(first);
  host.eof(server);
  EXPECT_FALSE(host.paused[second]);
  host.connected(host.next_connect());
}

}  // namespace
}  // namespace holdfast::proxy
