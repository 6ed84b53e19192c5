// Backends whose checks ask for a role follow events (ADR 0012), on the whole machine.
#include "proxy/test_host.h"

namespace holdfast::proxy {
namespace {

using ::testing::HasSubstr;

const std::string kRole =
    "global\n log 127.0.0.1 local0\n"
    "listen l\n bind :6378\n log global\n timeout connect 3s\n timeout client 9s\n timeout server 9s\n"
    " option tcplog\n option srvtcpka\n option tcp-check\n tcp-check send info\\ replication\\r\\n\n"
    " tcp-check expect string role:master\n balance first\n"
    " server s1 127.0.0.1:1 check inter 1s on-marked-down shutdown-sessions\n server s2 127.0.0.1:2 check inter 1s\n";
const std::string kMaster = "$13\r\nrole:master\r\n\r\n";
const std::string kReplica = "$12\r\nrole:slave\r\n\r\n";

/// A host whose checks are answered as the two servers are said to be.
class Pair {
 public:
  explicit Pair(const std::string& text = kRole) : host(text) {}
  /// Lets time pass; answers every check; connections of sessions are left to the test.
  void run(Duration time) {
    for (Duration step = 0ms; step < time; step += 1ms) {
      host.advance(1ms);
      answer();
    }
  }
  void answer() {
    for (size_t i = 0; i < host.connects.size();) {
      const action::Connect connect = host.connects[i];
      if (connect.tcp_keepalive) {  // a session's: `option srvtcpka` tells them apart
        ++i;
        continue;
      }
      host.connects.erase(host.connects.begin() + static_cast<long>(i));
      ++checks[connect.to.port];
      const std::string& role = roles[connect.to.port];
      if (role.empty()) {
        host.refuse(connect.conn);
        continue;
      }
      host.connected(connect.conn);
      host.receive(connect.conn, role);
    }
  }
  /// A session and its connection to a server.
  std::pair<ConnId, ConnId> session(const std::string& to) {
    const ConnId client = host.accept();
    EXPECT_FALSE(host.connects.empty());
    if (host.connects.empty()) return {client, {}};
    const action::Connect connect = host.connects.back();
    host.connects.pop_back();
    EXPECT_EQ(to_string(connect.to), to);
    host.connected(connect.conn);
    return {client, connect.conn};
  }

  Host host;
  std::map<uint16_t, std::string> roles{{1, kMaster}, {2, kReplica}};
  std::map<uint16_t, int> checks;
};

TEST(RedisFastCheck, KnowsTheReplicaFromTheFirstCheckOn) {
  Pair pair;
  pair.run(2ms);
  EXPECT_THAT(pair.host.logs.at(0), HasSubstr("Server l/s2 is DOWN, reason: Layer7 invalid response"));
  pair.run(5s);
  EXPECT_LE(pair.checks[1], 7);  // and then keeps the configured pace
  EXPECT_LE(pair.checks[2], 7);
}

TEST(RedisFastCheck, ADemotedPrimaryIsLeftAtTheFirstReadonly) {
  Pair pair;
  pair.run(500ms);
  const auto [client, server] = pair.session("127.0.0.1:1");
  std::swap(pair.roles[1], pair.roles[2]);
  pair.host.receive(server, "-READONLY You can't write against a read only replica.\r\n");
  EXPECT_FALSE(pair.host.is_closed(client));  // the reply itself changes nothing
  pair.run(2ms);
  EXPECT_TRUE(pair.host.is_closed(client));
  pair.run(25ms);
  pair.session("127.0.0.1:2");
}

TEST(RedisFastCheck, ACrashIsSeenAtTheEndOfASessionAndThePromotedReplicaInMoments) {
  Pair pair;
  pair.run(500ms);
  const auto [client, server] = pair.session("127.0.0.1:1");
  pair.roles[1] = "";
  pair.host.eof(server);
  pair.run(45ms);
  EXPECT_THAT(pair.host.logs.at(1), HasSubstr("Server l/s1 is DOWN, reason: Layer4 connection problem"));
  EXPECT_TRUE(pair.host.is_closed(client));
  pair.run(3s);
  EXPECT_GE(pair.checks[2], 140);
  pair.roles[2] = kMaster;
  pair.run(45ms);
  pair.session("127.0.0.1:2");
  const int before = pair.checks[2];
  pair.run(3s);
  EXPECT_LE(pair.checks[2] - before, 4);
}

TEST(RedisFastCheck, AWaitingSessionGoesOnWhenTheOtherServerIsThere) {
  Pair pair;
  pair.run(500ms);
  pair.roles[1] = "";
  pair.roles[2] = kMaster;
  pair.host.accept();
  pair.host.refuse(pair.host.next_connect("127.0.0.1:1"));  // and waits a second in HAProxy
  pair.run(100ms);
  pair.host.connected(pair.host.next_connect("127.0.0.1:2"));
}

TEST(RedisFastCheck, ErrorRepliesAreOrdinaryFailures) {
  Pair pair;
  pair.run(500ms);
  pair.roles[1] = "-BUSY Redis is busy running a script.\r\n";
  pair.run(700ms);
  EXPECT_EQ(pair.host.logs.size(), 1u);  // the first of three failures
}

TEST(RedisFastCheck, CanBeSwitchedOff) {
  std::string text = kRole;
  text.insert(text.find(" option tcp-check"), " no redis-fast-check\n");
  Pair pair(text);
  pair.run(500ms);
  const auto [client, server] = pair.session("127.0.0.1:1");
  const int before = pair.checks[1];
  pair.host.receive(server, "-READONLY You can't write against a read only replica.\r\n");
  pair.run(20ms);
  EXPECT_EQ(pair.checks[1], before);
}

}  // namespace
}  // namespace holdfast::proxy
