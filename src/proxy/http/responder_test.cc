// Listeners in mode http on the whole machine.
#include "proxy/test_host.h"

namespace holdfast::proxy {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kPages =
    "defaults\n timeout client 2s\n timeout connect 1s\n timeout server 1s\n"
    "listen health\n bind :1\n mode http\n monitor-uri /healthz\n acl dead nbsrv(be) lt 1\n monitor fail if dead\n"
    "frontend pages\n bind :2\n mode http\n http-request use-service prometheus-exporter if { path /metrics }\n"
    " http-request return status 200 content-type text/plain string hello if { path_beg /ret }\n"
    " http-request deny deny_status 429 if { path /deny } METH_GET\n stats enable\n stats uri /stats\n"
    " stats auth a:b\n stats admin if { src 10.0.0.9 } || TRUE\n"
    "backend be\n server s1 127.0.0.1:1\n";

/// One request on a new connection; what came back.
std::string ask(Host& host, uint32_t listener, const std::string& request) {
  const ConnId conn = host.accept(listener);
  host.receive(conn, request);
  return host.is_closed(conn) ? host.flushed() : host.take(conn);
}
std::string get(const std::string& target, const std::string& more = "") {
  return "GET " + target + " HTTP/1.1\r\nhost: x\r\n" + more + "\r\n";
}

TEST(HttpResponder, MonitorTellsWhetherABackendHasServers) {
  Host host(kPages);
  EXPECT_THAT(ask(host, 0, get("/healthz")), StartsWith("HTTP/1.1 200 OK\r\ncontent-length: 58\r\n"));
  EXPECT_THAT(ask(host, 0, get("/other")), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  const std::string post = "POST /stats HTTP/1.1\r\nauthorization: Basic YTpi\r\ncontent-length: ";
  EXPECT_THAT(ask(host, 1, post + "22\r\n\r\n" + "s=s1&action=maint&b=be"), HasSubstr("location: ;st=DONE"));
  EXPECT_THAT(ask(host, 0, get("/healthz")), StartsWith("HTTP/1.1 503 "));
}

TEST(HttpResponder, RulesStatisticsAndMetrics) {
  Host host(kPages);
  EXPECT_EQ(ask(host, 1, get("/ret/x")),
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-type: text/plain\r\n\r\nhello");
  EXPECT_THAT(ask(host, 1, get("/deny")), StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
  EXPECT_THAT(ask(host, 1, get("/stats")), HasSubstr("www-authenticate: Basic realm=\"HAProxy Statistics\""));
  EXPECT_THAT(ask(host, 1, get("/stats", "authorization: Basic YTp6\r\n")), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(ask(host, 1, get("/stats;csv", "authorization: Basic YTpi\r\n")), HasSubstr("\nbe,s1,"));
  EXPECT_THAT(ask(host, 1, get("/stats", "authorization: Basic YTpi\r\n")), HasSubstr("<h2>be</h2>"));
  const std::string metrics = ask(host, 1, get("/metrics?scope=server"));
  EXPECT_THAT(metrics, HasSubstr("haproxy_server_current_sessions{proxy=\"be\",server=\"s1\"} 0\n"));
  EXPECT_THAT(metrics, HasSubstr("haproxy_server_status{proxy=\"be\",server=\"s1\",state=\"UP\"} 1\n"));
  EXPECT_EQ(metrics.find("haproxy_frontend"), std::string::npos);
}

TEST(HttpResponder, KeepsConnectionsAndEndsBadOnes) {
  Host host(kPages);
  const ConnId conn = host.accept(0);
  host.receive(conn, get("/healthz") + "HEAD /healthz HTTP/1.1\r\n\r\nGET /heal");
  const std::string both = host.take(conn);
  EXPECT_THAT(both, HasSubstr("</body></html>\nHTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(both.ends_with("\r\n\r\n"));
  EXPECT_FALSE(host.is_closed(conn));
  host.advance(2s);
  EXPECT_TRUE(host.is_closed(conn));
  EXPECT_THAT(host.flushed(), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(ask(host, 0, "PING\r\n\r\n"), StartsWith("HTTP/1.1 400 Bad request\r\n"));
  EXPECT_THAT(ask(host, 1, "POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
}

TEST(HttpResponder, ForwardingInModeHttpIsRefusedClearly) {
  const ParseOutcome outcome =
      parse_config({{"t.cfg",
                     "listen l\n bind :1\n mode http\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n"
                     " server s 127.0.0.1:1\n"}},
                   {});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.diagnostics.items().at(0).text,
              HasSubstr("'mode http' is not supported with servers or backends"));
}

}  // namespace
}  // namespace holdfast::proxy
