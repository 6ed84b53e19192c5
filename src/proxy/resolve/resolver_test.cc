// Resolution inside the whole machine: which questions go out when, and what replies do.
#include "codec/dns.h"
#include "proxy/test_host.h"

namespace holdfast::proxy {
namespace {

using codec::DnsType;
using ::testing::Contains;
using ::testing::HasSubstr;

class NoNames final : public NameLookup {
 public:
  std::vector<std::string> lookup(const std::string&) override { return {}; }
};

/// A backend with one server behind a name, and two nameservers.
class Resolving : public ::testing::Test {
 protected:
  explicit Resolving(const std::string& lines = "", const std::string& options = "resolve-prefer ipv4") {
    ParseOptions parse;
    parse.names = &names_;
    host.emplace(
        "global\n stats socket /tmp/s level admin\ndefaults\n timeout connect 1s\n timeout client 1s\n timeout "
        "server 1s\nresolvers r\n nameserver one 127.0.0.1:53\n nameserver two 127.0.0.2:53\n " +
            lines + "\nlisten l\n bind :6378\n server s a.example:1 resolvers r init-addr none " + options + "\n",
        parse);
    host->advance(0s);
  }
  struct Question {
    ConnId conn;
    std::string id;
    int type = 0;
  };
  /// The next question, which goes to `to`.
  Question next(const std::string& to) {
    Question out;
    EXPECT_FALSE(host->connects.empty());
    if (host->connects.empty()) return out;
    EXPECT_TRUE(host->connects.front().datagram);
    out.conn = host->next_connect(to);
    host->connected(out.conn);
    const std::string bytes = host->take(out.conn);
    EXPECT_GT(bytes.size(), 26u);
    if (bytes.size() < 27) return out;
    out.id = bytes.substr(0, 2);
    out.type = static_cast<unsigned char>(bytes[12 + codec::dns_name("a.example")->size() + 2]);
    return out;
  }
  void answer(const Question& question, const std::string& address, int code = 0, const std::string& id = "") {
    std::string out = id.empty() ? question.id : id;
    out +=
        {static_cast<char>(0x81), static_cast<char>(0x80 | code), 0, 1, 0, static_cast<char>(address.empty() ? 0 : 1)};
    out += std::string(4, '\0') + *codec::dns_name("a.example") + '\0' + '\0' + static_cast<char>(question.type);
    out += std::string("\0\1", 2);
    if (!address.empty()) {
      out += std::string("\xc0\x0c\0", 3) + static_cast<char>(question.type) + std::string("\0\1\0\0\0\1\0", 7);
      out += static_cast<char>(address.size()) + address;
    }
    host->receive(question.conn, out);
  }
  std::string state() { return host->cli("show servers state", 1); }

  NoNames names_;
  std::optional<Host> host;
  const std::string kV4 = {10, 0, 0, 1};
};

TEST_F(Resolving, TheFirstValidReplyCountsAndTheOtherIsLate) {
  const Question one = next("127.0.0.1:53");
  const Question two = next("127.0.0.2:53");
  EXPECT_EQ(one.id, two.id);
  answer(two, kV4);
  EXPECT_THAT(state(), HasSubstr(" s 10.0.0.1 2 0 "));
  EXPECT_THAT(host->logs, Contains("l/s changed its IP from (none) to 10.0.0.1 by r/two."));
  answer(one, {10, 0, 0, 2});
  EXPECT_THAT(state(), HasSubstr(" s 10.0.0.1 2 0 "));
  EXPECT_THAT(host->cli("show resolvers r", 1), HasSubstr("outdated:    1"));
  EXPECT_TRUE(host->is_closed(one.conn) && host->is_closed(two.conn));
  host->advance(999ms);
  EXPECT_TRUE(host->connects.empty());
  host->advance(1ms);
  EXPECT_EQ(host->connects.size(), 2u);
}

TEST_F(Resolving, AWrongIdIsNobodysReply) {
  const Question one = next("127.0.0.1:53");
  next("127.0.0.2:53");
  answer(one, kV4, 0, std::string{static_cast<char>(one.id[0] ^ 1), one.id[1]});
  EXPECT_THAT(state(), HasSubstr(" s - 0 32 "));
  answer(one, kV4);  // the right one still comes through
  EXPECT_THAT(state(), HasSubstr(" s 10.0.0.1 2 0 "));
}

TEST_F(Resolving, TheOtherFamilyOnceEverybodyHasFailed) {
  const Question one = next("127.0.0.1:53");
  const Question two = next("127.0.0.2:53");
  EXPECT_EQ(one.type, static_cast<int>(DnsType::kA));
  answer(one, "", 3);
  EXPECT_TRUE(host->connects.empty());
  answer(two, "", 3);
  const Question other = next("127.0.0.1:53");
  EXPECT_EQ(other.type, static_cast<int>(DnsType::kAaaa));
  answer(other, std::string(15, '\0') + '\1');
  EXPECT_THAT(state(), HasSubstr(" s ::1 2 0 "));
}

TEST_F(Resolving, SilenceIsRetriedAndALateReplyStillCounts) {
  const Question early = next("127.0.0.1:53");
  next("127.0.0.2:53");
  host->advance(1s);
  const Question again = next("127.0.0.1:53");
  EXPECT_EQ(again.id, early.id);
  answer(early, kV4);
  EXPECT_THAT(state(), HasSubstr(" s 10.0.0.1 2 0 "));
}

class Holding : public Resolving {
 protected:
  Holding() : Resolving("hold timeout 4s\n resolve_retries 2\n timeout retry 500ms") {}
};

TEST_F(Holding, AnAddressOutlivesSilenceForAsLongAsItIsHeld) {
  answer(next("127.0.0.1:53"), kV4);
  const Mono known = host->now.mono;
  while (host->now.mono < known + 4s) {
    EXPECT_THAT(state(), HasSubstr(" s 10.0.0.1 2 0 "));
    host->advance(250ms);
  }
  host->advance(2s);  // the failure is noticed when the resolution under way ends
  EXPECT_THAT(state(), HasSubstr(" s - 0 32 "));
  EXPECT_THAT(host->logs, Contains(HasSubstr("Server l/s is going DOWN for maintenance (DNS timeout status).")));
  host->connects.clear();
  for (int i = 0; i < 50 && host->connects.empty(); ++i) host->advance(50ms);
  answer(next("127.0.0.1:53"), kV4);
  EXPECT_THAT(state(), HasSubstr(" s 10.0.0.1 2 0 "));
}

class Endless : public Resolving {
 protected:
  Endless() : Resolving("resolve_retries 1000\n timeout retry 10ms") {}
};

TEST_F(Endless, QuestionsWithoutAnswersDoNotPileUp) {
  host->advance(5s);
  EXPECT_GT(host->connects.size(), 500u);
  EXPECT_GE(host->closes.size() + 32, host->connects.size());
}

TEST_F(Resolving, ASoftStopAsksNothingMore) {
  host->proxy->signal(10, host->now);
  host->drain();
  EXPECT_EQ(host->exit_code, 0);
  host->connects.clear();
  host->advance(10s);
  EXPECT_TRUE(host->connects.empty());
}

TEST(Template, MakesServersAndRefusesNonsense) {
  const std::string head =
      "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nlisten l\n bind :6378\n ";
  const auto parse = [&](const std::string& line) { return parse_config({{"t.cfg", head + line + "\n"}}, {}); };
  const ParseOutcome good = parse("server-template s 2-4 127.0.0.1:80 weight 3");
  ASSERT_EQ(good.exit_code, 0);
  ASSERT_EQ(good.config.proxies[0].servers.size(), 3u);
  EXPECT_EQ(good.config.proxies[0].servers[2].name, "s4");
  EXPECT_EQ(good.config.proxies[0].servers[2].id, 3u);
  for (const char* line : {"server-template s 3", "server-template s 4-2 127.0.0.1:80", "server-template s! 2 a:1",
                           "server-template s 999999999 a:1", "server s a:1 resolvers none",
                           "server s _a._tcp.b resolve-opts what resolvers r"}) {
    EXPECT_EQ(parse(line).exit_code, 1) << line;
  }
}

}  // namespace
}  // namespace holdfast::proxy
