// redis-primary on the whole machine: two made-up servers and two made-up Sentinels.
#include <fmt/format.h>

#include "proxy/test_host.h"

namespace holdfast::proxy {
namespace {

using ::testing::HasSubstr;

const std::string kWatched =
    "global\n stats socket /tmp/s level admin\n log 127.0.0.1 local0\n"
    "sentinels city\n sentinel a 127.0.0.1:11\n sentinel b 127.0.0.1:12\n sentinel c 127.0.0.1:13\n"
    "listen l\n bind :6378\n log global\n timeout connect 3s\n timeout client 99s\n timeout server 99s\n balance "
    "first\n"
    " redis-primary city/mymaster\n server s1 127.0.0.1:1\n server s2 127.0.0.1:2\n";

/// Answers the proxy's questions as the picture is said to be.
class City {
 public:
  struct Node {
    bool up = true;
    bool primary = false;
  };
  struct Voice {
    bool up = true;
    uint16_t port = 1;
    int64_t epoch = 0;
  };
  explicit City(const std::string& text = kWatched, const ParseOptions& options = {}) : host(text, options) {
    nodes[1].primary = true;
    for (uint16_t port = 11; port <= 13; ++port) voices[port] = {};
  }
  void run(Duration time) {
    for (Duration step = 0ms; step < time; step += 1ms) {
      answer();
      host.advance(1ms);
    }
    answer();
  }
  void answer() {
    for (int round = 0; round < 3; ++round) {
      while (!host.connects.empty() && !hold) {
        const action::Connect connect = host.connects.front();
        host.connects.erase(host.connects.begin());
        const uint16_t port = connect.to.port;
        const bool up = port < 10 ? nodes[port].up : voices[port].up;
        if (!up) {
          host.refuse(connect.conn);
          continue;
        }
        open[connect.conn] = port;
        host.connected(connect.conn);
      }
      for (const auto& [conn, port] : std::map(open)) speak(conn, port);
      host.advance(0ms);
    }
  }
  void speak(ConnId conn, uint16_t port) {
    if (host.is_closed(conn)) {
      open.erase(conn);
      subscribers.erase(conn);
      return;
    }
    const std::string said = host.take(conn);
    if (said.find("AUTH") != std::string::npos) {
      passwords.push_back(said.substr(said.find("AUTH")));
      host.receive(conn, "+OK\r\n");
    }
    if (said.find("ROLE") != std::string::npos) {
      host.receive(conn, nodes[port].primary ? "*3\r\n$6\r\nmaster\r\n:1\r\n*0\r\n"
                                             : "*5\r\n$5\r\nslave\r\n$6\r\nmaster\r\n:1\r\n$9\r\nconnected\r\n:1\r\n");
    }
    if (said.find("SUBSCRIBE") != std::string::npos) {
      subscribers[conn] = port;
      host.receive(conn, "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n");
    }
    if (said.find("MASTER") != std::string::npos) {
      ++asked;
      const std::string to = fmt::format("{}", voices[port].port);
      const std::string epoch = fmt::format("{}", voices[port].epoch);
      host.receive(conn, fmt::format("*8\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n${}\r\n{}\r\n"
                                     "$12\r\nconfig-epoch\r\n${}\r\n{}\r\n$6\r\nquorum\r\n$1\r\n1\r\n",
                                     to.size(), to, epoch.size(), epoch));
    }
  }
  void fail_over(uint16_t to, int64_t epoch) {
    for (auto& [port, node] : nodes) node.primary = port == to;
    for (auto& [port, voice] : voices) {
      if (voice.up) voice.port = to, voice.epoch = epoch;
    }
  }
  void announce(uint16_t sentinel, uint16_t from, uint16_t to) {
    const std::string text = fmt::format("mymaster 127.0.0.1 {} 127.0.0.1 {}", from, to);
    for (const auto& [conn, port] : std::map(subscribers)) {
      if (port != sentinel) continue;
      host.receive(conn,
                   fmt::format("*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n${}\r\n{}\r\n", text.size(), text));
    }
  }
  /// A session; the server it went to, 0 = it was closed.
  std::pair<ConnId, uint16_t> session() {
    const size_t before = host.connects.size();
    const ConnId client = host.accept();
    if (host.connects.size() == before) return {client, 0};
    const action::Connect connect = host.connects.back();
    host.connects.pop_back();
    host.connected(connect.conn);
    return {client, connect.to.port};
  }
  std::string log() const {
    std::string text;
    for (const std::string& line : host.logs) text += line + "\n";
    return text;
  }

  Host host;
  std::map<uint16_t, Node> nodes{{1, {}}, {2, {}}};
  std::map<uint16_t, Voice> voices;
  std::map<ConnId, uint16_t> open;
  std::map<ConnId, uint16_t> subscribers;
  std::vector<std::string> passwords;
  int asked = 0;
  bool hold = false;
};

TEST(RedisPrimary, ServersAreDownUntilSentinelsAndRoleAgree) {
  City city;
  EXPECT_EQ(city.session().second, 0);
  city.run(5ms);
  EXPECT_EQ(city.session().second, 1);
  EXPECT_THAT(city.log(), HasSubstr("Backend l: primary of mymaster is s1 (127.0.0.1:1), epoch 0, said by "));
  EXPECT_THAT(city.host.cli("explain l", 1), HasSubstr("server s2 (127.0.0.1:2): no connections: not the primary"));
}

TEST(RedisPrimary, ASwitchMovesConnectionsAtOnce) {
  City city;
  city.run(100ms);
  const auto [client, port] = city.session();
  EXPECT_EQ(port, 1);
  city.fail_over(2, 1);
  city.announce(12, 1, 2);
  city.answer();
  EXPECT_TRUE(city.host.is_closed(client));  // without any time passing
  EXPECT_EQ(city.session().second, 2);
}

TEST(RedisPrimary, ALostMessageCostsASecondAtMost) {
  City city;
  city.run(100ms);
  city.fail_over(2, 1);
  city.run(1010ms);
  EXPECT_EQ(city.session().second, 2);
}

TEST(RedisPrimary, ALowerEpochNeverWins) {
  City city;
  for (auto& [port, voice] : city.voices) voice.epoch = 5;
  city.run(100ms);
  city.fail_over(2, 6);
  city.announce(11, 1, 2);
  city.answer();
  EXPECT_EQ(city.session().second, 2);
  // A Sentinel that was cut off tells its old story, and the old primary believes it is one.
  city.nodes[1].primary = true;
  for (auto& [port, voice] : city.voices) voice = {true, 1, 5};
  city.announce(13, 2, 1);
  city.run(3s);
  EXPECT_EQ(city.session().second, 2);
  // The same epoch with another address is no better.
  for (auto& [port, voice] : city.voices) voice = {true, 1, 6};
  city.run(3s);
  EXPECT_EQ(city.session().second, 2);
}

TEST(RedisPrimary, OneSentinelIsBelievedWhenTheServerAgrees) {
  City city;
  city.run(100ms);
  city.voices[12].up = city.voices[13].up = false;
  for (const auto& [conn, port] : std::map(city.open)) {
    if (port < 12) continue;
    city.host.proxy->closed(conn, {CloseReason::kReset, 104}, city.host.now);
    city.open.erase(conn);
    city.host.drain();
  }
  city.voices[11] = {true, 2, 1};
  city.announce(11, 1, 2);
  city.run(300ms);
  EXPECT_EQ(city.session().second, 1);  // the server says it is a replica
  EXPECT_THAT(city.host.cli("explain", 1), HasSubstr("candidate: 127.0.0.1:2 with epoch 1"));
  city.nodes[2].primary = true;
  city.run(25ms);
  EXPECT_EQ(city.session().second, 2);
}

TEST(RedisPrimary, ReadonlyTakesADemotedPrimaryAway) {
  City city;
  city.run(100ms);
  city.hold = true;
  const ConnId client = city.host.accept();
  const ConnId server = city.host.next_connect("127.0.0.1:1");
  city.host.connected(server);
  city.hold = false;
  city.nodes[1].primary = false;
  const int asked = city.asked;
  city.host.receive(server, "-READONLY You can't write against a read only replica.\r\n");
  city.run(2ms);
  EXPECT_TRUE(city.host.is_closed(client));
  EXPECT_GT(city.asked, asked);  // the Sentinels were asked, too
  EXPECT_EQ(city.session().second, 0);
}

TEST(RedisPrimary, AnAddressThatIsNoServerIsSaidAndLeadsNowhere) {
  City city;
  for (auto& [port, voice] : city.voices) voice.port = 9;
  city.run(100ms);
  EXPECT_EQ(city.session().second, 0);
  EXPECT_THAT(city.log(), HasSubstr("primary of mymaster is none of its servers (127.0.0.1:9)"));
}

TEST(RedisPrimary, SilentSentinelsAreLeftAndCalledAgain) {
  City city;
  city.run(100ms);
  city.hold = true;
  const size_t before = city.open.size();
  city.host.advance(4s);  // nobody answers
  city.hold = false;
  city.run(500ms);
  EXPECT_EQ(city.session().second, 1);
  EXPECT_GE(city.open.size() + 2, before);
}

class Files final : public FileLookup {
 public:
  std::expected<std::string, std::string> read(const std::string& path) override {
    if (path == "/pass") return "# checks\nwatcher secret\n";
    if (path == "/sentinel-pass") return "tower\n";
    return std::unexpected(std::string("No such file or directory"));
  }
};

TEST(RedisPrimary, PasswordsComeFromFiles) {
  Files files;
  ParseOptions options;
  options.files = &files;
  std::string text = kWatched;
  text.insert(text.find(" sentinel a"), " auth-file /sentinel-pass\n");
  text.insert(text.find(" redis-primary"), " redis-auth-file /pass\n");
  City city(text, options);
  city.run(50ms);
  EXPECT_EQ(city.session().second, 1);
  EXPECT_THAT(city.passwords, ::testing::Contains("AUTH\r\n$7\r\nwatcher\r\n$6\r\nsecret\r\n"));
  EXPECT_THAT(city.passwords, ::testing::Contains(HasSubstr("AUTH\r\n$5\r\ntower\r\n")));
  EXPECT_EQ(city.log().find("secret"), std::string::npos);
}

TEST(RedisPrimary, WhatIsWrongIsSaid) {
  auto errors = [](const std::string& text) {
    std::string all;
    const ParseOutcome outcome = parse_config({{"t.cfg", text}}, {});
    for (const auto& item : outcome.diagnostics.items()) all += item.text + "\n";
    return all;
  };
  EXPECT_THAT(errors("backend b\n redis-primary x\n"), HasSubstr("expects <sentinels>/<name>"));
  EXPECT_THAT(errors("backend b\n redis-primary x/y\n"), HasSubstr("unable to find required sentinels section 'x'"));
  EXPECT_THAT(errors("sentinels x\nbackend b\n redis-primary x/y\n"), HasSubstr("sentinels section 'x' is empty"));
  EXPECT_THAT(errors("sentinels x\n sentinel a 127.0.0.1\n"), HasSubstr("missing port"));
  EXPECT_THAT(errors("sentinels x\nsentinels x\n"), HasSubstr("already defined"));
}

}  // namespace
}  // namespace holdfast::proxy
