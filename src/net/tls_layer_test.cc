// Both ends of real connections in one reactor, on both backends.
#include "net/tls_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <map>

#include "base/prng.h"
#include "net/clock.h"
#include "net/testing_certificates.h"

namespace holdfast::net {
namespace {

using testing::HasSubstr;

struct End {
  OutQueue out;
  std::string in;
  std::optional<TlsFacts> facts;
  std::string failure;
  bool eof = false, closed = false;
  int error = 0, drained = 0;
};

class Ends final : public TlsClient {
 public:
  explicit Ends(Backend backend) : reactor(std::move(*Reactor::make(backend, *this))), layer(*reactor, *this) {
    reactor->set_client(layer);
    const int fd = *open_listener({"127.0.0.1", 0, {}}, {});
    address = local_address(fd);
    reactor->add_listener(ListenerId{1}, fd);
  }

  /// A pair of connected plain ends: the accepted one, then the connecting one.
  std::pair<ConnId, ConnId> open_pair() {
    accepted = {};
    const ConnId conn = ids_.allocate();
    ends[conn] = std::make_unique<End>();
    const auto to = to_sockaddr(address);
    reactor->connect(conn, *open_connector(*to, std::nullopt), *to);
    connected = {};
    until([&] { return accepted && connected == conn; });
    return {accepted, conn};
  }
  void send(ConnId conn, std::string_view bytes) {
    at(conn).out.append(bytes);
    reactor->flush(conn);
  }
  void close(ConnId conn, action::CloseMode mode) {
    layer.close(conn, mode);
    gone(conn);
  }
  End& at(ConnId conn) { return *ends.at(conn); }
  void turn() {
    reactor->turn(std::min(reactor->now().mono + 20ms, layer.next_deadline()));
    layer.work(reactor->now().mono);
  }
  void until(const std::function<bool()>& done) {
    const Mono limit = read_monotonic() + 60s;
    while (!done() && read_monotonic() < limit) turn();
    EXPECT_TRUE(done());
  }
  void both_secured(ConnId a, ConnId b) {
    until([&] { return at(a).facts && at(b).facts; });
  }

  void on_accepted(ListenerId, int fd) override {
    accepted = ids_.allocate();
    ends[accepted] = std::make_unique<End>();
    reactor->adopt(accepted, fd);
  }
  void on_connected(ConnId conn) override { connected = conn; }
  void on_received(ConnId conn, std::string_view bytes) override {
    ASSERT_FALSE(at(conn).closed);
    at(conn).in += bytes;
    if (on_bytes) on_bytes(conn);
  }
  void on_eof(ConnId conn) override { at(conn).eof = true; }
  void on_closed(ConnId conn, int error) override {
    at(conn).error = error;
    gone(conn);
  }
  void on_drained(ConnId conn) override { ++at(conn).drained; }
  void on_watched(int) override {}
  OutQueue& output(ConnId conn) override { return at(conn).out; }
  bool half_open(ConnId) const override { return keep_half_open; }
  void on_secured(ConnId conn, const TlsFacts& facts) override { at(conn).facts = facts; }
  void on_tls_failed(ConnId conn, std::string_view text) override {
    at(conn).failure = text;
    gone(conn);
  }

  std::unique_ptr<Reactor> reactor;
  TlsLayer layer;
  Address address;
  std::map<ConnId, std::unique_ptr<End>> ends;
  ConnId accepted, connected;
  bool keep_half_open = false;
  std::function<void(ConnId)> on_bytes;

 private:
  void gone(ConnId conn) {
    ASSERT_FALSE(at(conn).closed);
    at(conn).closed = true;
    ids_.release(conn);
  }
  SlotIds ids_;
};

class TlsLayerTest : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    if (!Reactor::make(GetParam(), ends_or_null())) GTEST_SKIP() << "this kernel has no such backend";
    ends = std::make_unique<Ends>(GetParam());
  }
  /// A server that shows `name`, and a client that trusts the authority and shows a certificate of its own.
  TlsOptions server_options(const std::string& name = "server.test") {
    TlsOptions options;
    options.identities = {{name, authority.issue(name), {}}};
    options.ca_pem = authority.pem();
    return options;
  }
  TlsOptions client_options() {
    TlsOptions options = server_options("client.test");
    options.client = true;
    return options;
  }
  static SslContext make(const TlsOptions& options) {
    auto context = make_tls_context(options);
    EXPECT_TRUE(context.has_value()) << context.error().text;
    return std::move(*context);
  }
  std::pair<ConnId, ConnId> secured_pair() {
    const auto [a, b] = ends->open_pair();
    server_context = make(server_options());
    client_context = make(client_options());
    ends->layer.start(a, {.context = server_context.get()});
    ends->layer.start(b, {.context = client_context.get(), .client = true, .server_name = "server.test"});
    ends->both_secured(a, b);
    return {a, b};
  }
  /// The texts of both ends after a handshake that must not succeed.
  std::pair<std::string, std::string> refused(const TlsOptions& server, const TlsOptions& client,
                                              const std::string& name = "", const std::string& verify = "") {
    const auto [a, b] = ends->open_pair();
    server_context = make(server);
    client_context = make(client);
    ends->layer.start(a, {.context = server_context.get()});
    ends->layer.start(b, {.context = client_context.get(), .client = true, .server_name = name, .verify_name = verify});
    ends->until([&] { return ends->at(a).closed && ends->at(b).closed; });
    return {ends->at(a).failure, ends->at(b).failure};
  }

  TestAuthority authority;
  std::unique_ptr<Ends> ends;
  SslContext server_context, client_context;

 private:
  class Nobody final : public ReactorClient {
    void on_accepted(ListenerId, int) override {}
    void on_connected(ConnId) override {}
    void on_received(ConnId, std::string_view) override {}
    void on_eof(ConnId) override {}
    void on_closed(ConnId, int) override {}
    void on_drained(ConnId) override {}
    void on_watched(int) override {}
    OutQueue& output(ConnId) override { return none_; }
    bool half_open(ConnId) const override { return false; }
    OutQueue none_;
  };
  ReactorClient& ends_or_null() {
    static Nobody nobody;
    return nobody;
  }
};

INSTANTIATE_TEST_SUITE_P(Backends, TlsLayerTest, testing::Values(Backend::kEpoll, Backend::kUring),
                         [](const auto& row) { return row.param == Backend::kEpoll ? "epoll" : "uring"; });

TEST_P(TlsLayerTest, BytesGoBothWaysAndBothEndsKnowWhatWasAgreed) {
  const auto [a, b] = secured_pair();
  EXPECT_EQ(ends->at(a).facts->version, "TLSv1.3");
  EXPECT_EQ(ends->at(a).facts->sni, "server.test");
  EXPECT_TRUE(ends->at(a).facts->peer_certificate);
  EXPECT_EQ(ends->at(a).facts->peer_der, ends->at(b).facts->own_der);
  EXPECT_EQ(ends->at(b).facts->cipher, ends->at(a).facts->cipher);
  ends->send(b, "ping");
  ends->until([&, b = b, a = a] { return ends->at(a).in == "ping"; });
  ends->send(a, "pong");
  ends->until([&, b = b] { return ends->at(b).in == "pong"; });
}

TEST_P(TlsLayerTest, MegabytesArriveWholeAndAreEncryptedOnlyAsFastAsTheyLeave) {
  const auto [a, b] = secured_pair();
  Prng prng(1);
  std::string sent;
  for (int i = 0; i < 300'000; ++i) sent += prng.hex(1 + i % 40);
  ends->layer.pause(a, true);
  size_t at = 0;
  while (at < sent.size()) {  // pieces of every size, so that blocks and records never agree
    const size_t size = std::min<size_t>(1 + prng.below(50'000), sent.size() - at);
    ends->send(b, std::string_view(sent).substr(at, size));
    at += size;
  }
  const size_t before = ends->at(b).out.size();
  for (int i = 0; i < 50; ++i) ends->turn();
  EXPECT_TRUE(ends->at(a).in.empty());
  EXPECT_GT(ends->at(b).out.size(), before / 4) << "all was encrypted though nobody reads";
  ends->layer.pause(a, false);
  ends->until([&, a = a] { return ends->at(a).in.size() >= sent.size(); });
  EXPECT_TRUE(ends->at(a).in == sent);
  ends->until([&, b = b] { return ends->at(b).drained > 0 && ends->at(b).out.empty(); });
}

TEST_P(TlsLayerTest, APrefaceLeavesPlainAndWhatWasReadBeforeBelongsToTheHandshake) {
  const auto [a, b] = ends->open_pair();
  server_context = make(server_options());
  client_context = make(client_options());
  const ConnId server = a;
  ends->on_bytes = [&, server](ConnId conn) {
    std::string& in = ends->at(server).in;
    if (conn != server || ends->at(server).facts || in.size() < 8) return;
    ASSERT_EQ(in.substr(0, 8), "PREFIX\r\n");
    std::string rest = in.substr(8);
    in.clear();
    ends->on_bytes = nullptr;
    ends->layer.start(server, {.context = server_context.get(), .received = std::move(rest)});
  };
  ends->layer.start(b, {.context = client_context.get(), .client = true, .preface = "PREFIX\r\n"});
  ends->both_secured(a, b);
  ends->send(b, "inside");
  ends->until([&] { return ends->at(server).in == "inside"; });
}

TEST_P(TlsLayerTest, AnythingElseThanTlsEndsTheConnectionWithTheLibrarysWords) {
  for (const auto& [bytes, words] : {std::pair<std::string, std::string>{"GET / HTTP/1.0\r\n\r\n", "http request"},
                                     {"PING\r\n*1\r\n$4\r\nPING\r\n", "wrong version number"},
                                     {std::string("\x16\x03\x01\xff\xff", 5) + std::string(70'000, 'x'), "too long"}}) {
    const auto [a, b] = ends->open_pair();
    server_context = make(server_options());
    ends->layer.start(a, {.context = server_context.get()});
    ends->send(b, bytes);
    ends->until([&, a = a] { return ends->at(a).closed; });
    EXPECT_THAT(ends->at(a).failure, HasSubstr(words));
    EXPECT_EQ(ends->layer.sessions(), 0u);
    ends->until([&, b = b] { return ends->at(b).closed; });
  }
}

TEST_P(TlsLayerTest, CertificatesAreVerifiedBothWays) {
  TestAuthority stranger("another");
  TlsOptions server = server_options(), client = client_options();
  client.ca_pem = stranger.pem();
  EXPECT_THAT(refused(server, client).second, HasSubstr("certificate verify failed"));
  client = client_options();
  client.identities.clear();
  EXPECT_THAT(refused(server, client).first, HasSubstr("peer did not return a certificate"));
  client = client_options();
  client.identities[0].pem = stranger.issue("client.test");
  EXPECT_THAT(refused(server, client).first, HasSubstr("certificate verify failed"));
  EXPECT_THAT(refused(server, client_options(), "x.test", "x.test").second, HasSubstr("certificate verify failed"));
  EXPECT_EQ(ends->layer.sessions(), 0u);
}

TEST_P(TlsLayerTest, IgnoredErrorsPassAndAreTold) {
  TestAuthority stranger("another");
  TlsOptions server = server_options(), client = client_options();
  server.verify = TlsVerify::kOptional;
  server.ignored_errors = server.ignored_ca_errors = {-1};
  client.identities[0].pem = stranger.issue("client.test");
  const auto [a, b] = ends->open_pair();
  server_context = make(server);
  client_context = make(client);
  ends->layer.start(a, {.context = server_context.get()});
  ends->layer.start(b, {.context = client_context.get(), .client = true});
  ends->both_secured(a, b);
  EXPECT_NE(ends->at(a).facts->verify_error, 0);
}

TEST_P(TlsLayerTest, TheNamePicksTheCertificate) {
  TlsOptions server = server_options("first.test");
  server.identities.push_back({"second", authority.issue("second.test"), {}});
  server.identities.push_back({"wild", authority.issue("wild.test"), {"*.wild.test", "!not.wild.test"}});
  server.verify = TlsVerify::kNone;
  server_context = make(server);
  client_context = make(client_options());
  const auto shown = [&](const std::string& name, const std::string& verify) {
    const auto [a, b] = ends->open_pair();
    ends->layer.start(a, {.context = server_context.get()});
    ends->layer.start(b, {client_context.get(), true, {}, name, verify, {}, {}});
    ends->until([&, a = a, b = b] { return ends->at(b).facts || ends->at(b).closed; });
    return !ends->at(b).closed;
  };
  EXPECT_TRUE(shown("second.test", "second.test"));
  EXPECT_TRUE(shown("SECOND.test", "second.test"));
  EXPECT_TRUE(shown("a.wild.test", "wild.test"));
  EXPECT_TRUE(shown("not.wild.test", "first.test"));
  EXPECT_TRUE(shown("a.b.wild.test", "first.test"));
  EXPECT_TRUE(shown("", "first.test"));
  server.strict_sni = true;
  const auto [first, second] = refused(server, client_options(), "unknown.test");
  EXPECT_THAT(second, HasSubstr("unrecognized name"));
}

TEST_P(TlsLayerTest, ClosingSendsEverythingThenTheEnd) {
  const auto [a, b] = secured_pair();
  const std::string bytes(3'000'000, 'x');
  ends->at(a).out.append(bytes);
  ends->close(a, action::CloseMode::kFlush);
  ends->until([&, b = b] { return ends->at(b).closed; });
  EXPECT_EQ(ends->at(b).in.size(), bytes.size());
  EXPECT_EQ(ends->at(b).error, 0);
  EXPECT_EQ(ends->at(b).failure, "");
  ends->until([&] { return ends->reactor->connections() == 0; });
}

TEST_P(TlsLayerTest, HalfAConnectionGoesOn) {
  ends->keep_half_open = true;
  const auto [a, b] = secured_pair();
  ends->send(b, "last words");
  ends->layer.shutdown_write(b);
  ends->until([&, a = a] { return ends->at(a).eof; });
  EXPECT_EQ(ends->at(a).in, "last words");
  ends->send(a, std::string(500'000, 'y'));
  ends->layer.shutdown_write(a);
  ends->until([&, b = b] { return ends->at(b).eof; });
  EXPECT_EQ(ends->at(b).in.size(), 500'000u);
}

TEST_P(TlsLayerTest, AnEndInTheHandshakeSaysSo) {
  const auto [a, b] = ends->open_pair();
  server_context = make(server_options());
  ends->layer.start(a, {.context = server_context.get()});
  ends->turn();
  ends->reactor->close(b, action::CloseMode::kNow);
  ends->until([&, a = a] { return ends->at(a).closed; });
  EXPECT_THAT(ends->at(a).failure, HasSubstr("unexpected eof"));
}

TEST_P(TlsLayerTest, ManySilentPeersAreEndedByTheirLimitAndCostNoBuffers) {
  server_context = make(server_options());
  std::vector<ConnId> silent, keep;
  for (int i = 0; i < 50; ++i) {
    const auto [a, b] = ends->open_pair();
    silent.push_back(a);
    keep.push_back(b);
    ends->layer.start(a, {.context = server_context.get(), .limit = i % 2 == 0 ? 50ms : 100ms});
    ends->send(b, std::string("\x16\x03\x01\x02\x00\x01", 6));  // the beginning of a record, and no more
  }
  EXPECT_LE(ends->layer.next_deadline(), ends->reactor->now().mono + 100ms);
  ends->until([&] { return ends->layer.sessions() == 0; });
  for (const ConnId conn : silent) EXPECT_EQ(ends->at(conn).failure, "TLS handshake timed out");
  EXPECT_EQ(ends->layer.next_deadline(), kNever);
}

TEST_P(TlsLayerTest, AClientMayCloseInsideEveryCallback) {
  const auto [a, b] = secured_pair();
  const ConnId victim = a;
  ends->on_bytes = [&, victim](ConnId conn) {
    if (conn == victim) ends->close(victim, action::CloseMode::kNow);
  };
  ends->send(b, std::string(100'000, 'z'));
  ends->until([&, b = b] { return ends->at(b).closed && ends->at(victim).closed; });
  EXPECT_LE(ends->at(victim).in.size(), 16'384u);
}

TEST_P(TlsLayerTest, PlainConnectionsPassThrough) {
  secured_pair();
  const auto [c, d] = ends->open_pair();
  ends->send(d, "plain");
  ends->until([&, c = c] { return ends->at(c).in == "plain"; });
  ends->close(c, action::CloseMode::kNow);
  ends->until([&, d = d] { return ends->at(d).closed; });
  EXPECT_EQ(ends->layer.sessions(), 2u);
}

TEST(TlsContextTest, FailuresNameTheirStepAndTheFile) {
  TlsOptions options;
  options.certificate_file = "/nonexistent.crt";
  const auto missing = make_tls_context(options);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().step, TlsFailure::Step::kCertificate);
  EXPECT_EQ(missing.error().name, "/nonexistent.crt");
  EXPECT_THAT(missing.error().text, HasSubstr("No such file or directory"));
  options = {};
  options.ciphers = "no-such-cipher";
  EXPECT_EQ(make_tls_context(options).error().step, TlsFailure::Step::kCiphers);
  options = {};
  options.dh_params_file = "/nonexistent.dh";
  EXPECT_EQ(make_tls_context(options).error().error, ENOENT);
  TestAuthority authority;
  options = {};
  const std::string one = authority.issue("one"), two = authority.issue("two");
  options.identities = {
      {"mixed", one.substr(0, one.find("-----BEGIN PRIVATE")) + two.substr(two.find("-----BEGIN PRIVATE")), {}}};
  EXPECT_EQ(make_tls_context(options).error().step, TlsFailure::Step::kPrivateKey);
}

TEST(TlsContextTest, AReleasedContextServesItsConnectionsOn) {
  TlsContexts contexts;
  const auto id = contexts.make({.client = true});
  ASSERT_TRUE(id.has_value());
  SSL* ssl = SSL_new(contexts.find(*id));
  contexts.release(*id);
  EXPECT_EQ(contexts.find(*id), nullptr);
  EXPECT_NE(SSL_get_SSL_CTX(ssl), nullptr);
  SSL_free(ssl);
}

}  // namespace
}  // namespace holdfast::net
