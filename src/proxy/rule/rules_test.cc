// Rules on the whole machine: who is let in, what waits for bytes, which server is taken, what tables remember.
#include "codec/proxy_header.h"
#include "proxy/test_host.h"

namespace holdfast::proxy {
namespace {

using ::testing::HasSubstr;

std::string listen(const std::string& rules, const std::string& more = "") {
  return "global\n stats socket /tmp/s level admin\n log 127.0.0.1 local0\n" + more +
         "listen l\n bind :6378\n log global\n option tcplog\n timeout connect 1s\n timeout client 9s\n timeout server "
         "9s\n" +
         rules + " server s1 127.0.0.1:1\n server s2 127.0.0.1:2\n";
}

TEST(Rules, ConnectionRulesDecideByAddressWithoutALogLine) {
  Host out(listen(" tcp-request connection reject if { src 10.0.0.0/8 } !{ src 10.0.0.1 }\n"));
  EXPECT_TRUE(out.is_closed(out.accept()));
  EXPECT_TRUE(out.logs.empty());
  EXPECT_TRUE(out.connects.empty());
  Host in(listen(" tcp-request connection accept if { src 10.0.0.9 }\n tcp-request connection reject\n"));
  in.accept();
  EXPECT_EQ(in.connects.size(), 1u);
}

TEST(Rules, NamedConditionsAreAlternatives) {
  Host host(listen(" acl few src 10.9.9.9\n acl few dst_port 6378\n tcp-request session reject if few\n"));
  EXPECT_TRUE(host.is_closed(host.accept()));
  Host other(listen(" acl few src 10.9.9.9\n acl few dst_port 6379\n tcp-request session reject if few\n"));
  other.accept();
  EXPECT_EQ(other.connects.size(), 1u);
}

TEST(Rules, ContentRulesWaitForBytesNoLongerThanTheDelay) {
  const std::string text = listen(
      " balance first\n tcp-request inspect-delay 500ms\n tcp-request content accept if { req.payload(0,4) -m str PING "
      "}\n"
      " tcp-request content reject if { req.len ge 4 }\n");
  Host host(text);
  const ConnId client = host.accept();
  host.receive(client, "PI");
  EXPECT_TRUE(host.connects.empty());
  host.receive(client, "NG\r\n");
  const ConnId server = host.next_connect("127.0.0.1:1");
  host.connected(server);
  EXPECT_EQ(host.take(server), "PING\r\n");
  Host refused(text);
  const ConnId second = refused.accept();
  refused.receive(second, "QUIT");
  EXPECT_TRUE(refused.is_closed(second));
  EXPECT_THAT(refused.logs.at(0), HasSubstr(" l l/<NOSRV> -1/-1/0 0 PR "));
  Host silent(text);
  silent.accept();
  silent.advance(499ms);
  EXPECT_TRUE(silent.connects.empty());
  silent.advance(1ms);
  EXPECT_EQ(silent.connects.size(), 1u);
}

TEST(Rules, SniIsReadWithoutTakingPartInTheHandshake) {
  const std::string text =
      "frontend f\n bind :6378\n timeout client 9s\n tcp-request inspect-delay 5s\n"
      " tcp-request content accept if { req.ssl_hello_type 1 }\n use_backend a if { req.ssl_sni -i A.example }\n"
      " default_backend b\nbackend a\n timeout connect 1s\n timeout server 1s\n server s 127.0.0.1:1\n"
      "backend b\n timeout connect 1s\n timeout server 1s\n server s 127.0.0.1:2\n";
  const std::string name = "a.example";
  std::string extension = std::string("\0\0", 2) +
                          std::string{0, static_cast<char>(name.size() + 5), 0, static_cast<char>(name.size() + 3), 0,
                                      0, static_cast<char>(name.size())} +
                          name;
  std::string body = "\x03\x03" + std::string(32, 'r') + std::string("\0\0\2\x13\x01\1\0", 7);
  body += std::string{0, static_cast<char>(extension.size())} + extension;
  std::string message = std::string{1, 0, 0, static_cast<char>(body.size())} + body;
  const std::string hello = "\x16\x03" + std::string{1, 0, static_cast<char>(message.size())} + message;
  Host host(text);
  const ConnId client = host.accept();
  for (char c : hello) {
    EXPECT_TRUE(host.connects.empty());
    host.receive(client, std::string(1, c));
  }
  host.next_connect("127.0.0.1:1");
  Host other(text);
  other.receive(other.accept(), "PING\r\n");
  other.advance(5s);  // it may become a hello no more, but the rule still waits for the delay's end or its match
  other.next_connect("127.0.0.1:2");
}

TEST(Rules, UseServerIsFollowedWhileTheServerIsUp) {
  Host host(listen(" use-server s2 if { src 10.0.0.9 }\n balance first\n"));
  host.accept();
  host.next_connect("127.0.0.1:2");
  host.cli("set server l/s2 state maint", 1);
  host.accept();
  host.next_connect("127.0.0.1:1");
}

TEST(Rules, TablesLimitRates) {
  Host host(
      listen(" stick-table type ip size 10 expire 1m store conn_rate(1s),conn_cur,gpc0\n"
             " tcp-request connection track-sc0 src\n tcp-request connection sc-inc-gpc0(0)\n"
             " tcp-request connection reject if { sc0_conn_rate gt 2 }\n"));
  for (int i = 0; i < 2; ++i) {
    host.accept();
    host.connected(host.next_connect());
  }
  EXPECT_TRUE(host.is_closed(host.accept()));
  host.advance(2s);
  host.accept();
  EXPECT_EQ(host.connects.size(), 1u);
  const std::string table = host.cli("show table l", 1);
  EXPECT_THAT(table, HasSubstr("# table: l, type: ip, size:10, used:1\n"));
  EXPECT_THAT(table, HasSubstr("key=10.0.0.9 use=3 exp="));
  EXPECT_THAT(table, HasSubstr(" gpc0=4 conn_rate(1000)=1 conn_cur=3\n"));
}

TEST(Rules, TablesAreBoundedAndForget) {
  TableConfig config{.name = "t", .size = 2, .expire = 10s, .store = {{TableData::kGpc0, Duration{}}}};
  StickTable table(config);
  const Mono start(1000s);
  TableEntry* kept = table.touch("a", start);
  ++kept->refs;
  table.touch("b", start + 1s);
  EXPECT_NE(table.touch("c", start + 2s), nullptr);  // b had to go
  EXPECT_EQ(table.find("b", start + 2s), nullptr);
  EXPECT_NE(table.find("a", start + 100s), nullptr);  // somebody holds it
  EXPECT_FALSE(table.erase("a"));
  ++table.find("c", start + 3s)->refs;
  EXPECT_EQ(table.touch("d", start + 4s), nullptr);  // nobody may go
  --kept->refs;
  table.purge(start + 100s);
  EXPECT_EQ(table.entries().size(), 1u);
}

TEST(Rules, StickyClientsReturnToTheirServer) {
  Host host(listen(" balance roundrobin\n stick-table type ip size 10\n stick on src\n"));
  host.accept();
  const ConnId first = host.next_connect("127.0.0.1:1");
  host.connected(first);
  for (int i = 0; i < 3; ++i) {
    host.accept();
    host.connected(host.next_connect("127.0.0.1:1"));
  }
}

TEST(Rules, TheClientsAddressComesAndGoesInAProxyHeader) {
  Host host(
      "listen l\n bind :6378 accept-proxy\n timeout connect 1s\n timeout client 9s\n timeout server 9s\n"
      " tcp-request session reject if { src 192.0.2.66 }\n server s 127.0.0.1:1 send-proxy-v2\n");
  const std::string header = codec::encode_proxy_v1({"192.0.2.1", 1234, ""}, {"192.0.2.2", 6379, ""});
  const ConnId client = host.accept();
  host.receive(client, header.substr(0, 10));
  EXPECT_TRUE(host.connects.empty());
  host.receive(client, header.substr(10) + "PING\r\n");
  const ConnId server = host.next_connect();
  host.connected(server);
  EXPECT_EQ(host.take(server), codec::encode_proxy_v2({"192.0.2.1", 1234, ""}, {"192.0.2.2", 6379, ""}) + "PING\r\n");
  const ConnId banned = host.accept();
  host.receive(banned, codec::encode_proxy_v1({"192.0.2.66", 1, ""}, {"192.0.2.2", 2, ""}));
  EXPECT_TRUE(host.is_closed(banned));
  const ConnId alien = host.accept();
  host.receive(alien, "PING\r\n");
  EXPECT_TRUE(host.is_closed(alien));
  const ConnId slow = host.accept();
  host.advance(9s);
  EXPECT_TRUE(host.is_closed(slow));
}

TEST(Rules, ConvertersAndVariables) {
  Host host(
      listen(" tcp-request connection set-var(sess.a) src,ipmask(8)\n"
             " tcp-request connection set-var(sess.b) str(Hello),lower,bytes(0,2)\n"
             " tcp-request session reject unless { var(sess.a) -m str 10.0.0.0 } { var(sess.b) he }\n"
             " tcp-request session reject if { int(7),mul(6),sub(2) 40 } { str(a:b:c),field(2,:) x }\n"));
  host.accept();
  EXPECT_EQ(host.connects.size(), 1u);
}

}  // namespace
}  // namespace holdfast::proxy
