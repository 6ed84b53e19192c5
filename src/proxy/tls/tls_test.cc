// TLS in the proxy, with made-up files and contexts: which handshakes begin when, and what the runtime API changes.
#include <openssl/pem.h>

#include "proxy/test_host.h"

namespace holdfast::proxy {
namespace {

using ::testing::HasSubstr;

std::string certificate(const std::string& name) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* x = X509_new();
  X509_set_pubkey(x, key);
  X509_gmtime_adj(X509_getm_notBefore(x), 0);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(x));
  X509_sign(x, key, EVP_sha256());
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, x);
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string out(bytes, static_cast<size_t>(size));
  BIO_free(bio);
  X509_free(x);
  EVP_PKEY_free(key);
  return out;
}

class World : public FileLookup, public TlsProvider {
 public:
  std::expected<std::string, std::string> read(const std::string& path) override {
    const auto at = files.find(path);
    if (at == files.end()) return std::unexpected("No such file or directory");
    return at->second;
  }
  std::expected<TlsContextId, TlsFailure> make(const TlsOptions& options) override {
    if (failing) return std::unexpected(TlsFailure{TlsFailure::Step::kCiphers, "x", "words", 0});
    made.push_back(options);
    return TlsContextId{static_cast<uint32_t>(made.size())};
  }
  void release(TlsContextId context) override { released.push_back(context); }
  ParseOptions options() {
    ParseOptions out;
    out.files = this;
    out.tls = this;
    return out;
  }
  std::map<std::string, std::string> files = {{"a.pem", certificate("a")}, {"b.pem", certificate("b")}};
  std::vector<TlsOptions> made;
  std::vector<TlsContextId> released;
  bool failing = false;
};

const std::string kHead =
    "global\n stats socket /tmp/s level admin\n log 127.0.0.1 local0\ndefaults\n log global\n timeout connect 300ms\n"
    " timeout client 2s\n timeout server 3s\n";

TEST(ProxyTls, AClientIsServedAfterItsHandshake) {
  World world;
  Host host(kHead + "listen l\n log-format \"%ft %sslv %sslc\"\n bind :6378 ssl crt a.pem\n server s1 127.0.0.1:1\n",
            world.options());
  const ConnId client = host.accept();
  ASSERT_EQ(host.handshakes.size(), 1u);
  EXPECT_EQ(host.handshakes[0].conn, client);
  EXPECT_EQ(host.handshakes[0].context, TlsContextId{1});
  EXPECT_TRUE(host.connects.empty());
  TlsFacts facts;
  facts.version = "TLSv1.3";
  facts.cipher = "SUITE";
  host.secured(client, facts);
  const ConnId server = host.next_connect("127.0.0.1:1");
  host.connected(server);
  host.receive(client, "PING\r\n");
  EXPECT_EQ(host.take(server), "PING\r\n");
  host.eof(client);
  host.eof(server);
  ASSERT_EQ(host.logs.size(), 1u);
  EXPECT_EQ(host.logs[0], "l~ TLSv1.3 SUITE");
}

TEST(ProxyTls, AHeaderComesFirstAndWhatFollowsItBelongsToTheHandshake) {
  World world;
  Host host(kHead + "listen l\n bind :6378 accept-proxy ssl crt a.pem\n server s1 127.0.0.1:1\n", world.options());
  const ConnId client = host.accept();
  EXPECT_TRUE(host.handshakes.empty());
  host.receive(client, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nhello");
  ASSERT_EQ(host.handshakes.size(), 1u);
  EXPECT_EQ(host.handshakes[0].received, "hello");
}

TEST(ProxyTls, BrokenAndSlowHandshakesAreLoggedAndLeaveNothing) {
  World world;
  Host host(kHead + "listen l\n option tcplog\n bind :6378 name b1 ssl crt a.pem\n server s1 127.0.0.1:1\n",
            world.options());
  host.handshake_broken(host.accept());
  ASSERT_EQ(host.logs.size(), 1u);
  EXPECT_THAT(host.logs[0], HasSubstr("] l/b1: SSL handshake failure"));
  const ConnId slow = host.accept();
  host.advance(3s);
  EXPECT_TRUE(host.is_closed(slow));
  ASSERT_EQ(host.logs.size(), 2u);
  EXPECT_THAT(host.logs[1], HasSubstr("l/b1: Timeout during SSL handshake"));
}

TEST(ProxyTls, AServerIsOfUseAfterItsHandshake) {
  World world;
  Host host(kHead +
                "listen l\n bind :6378\n retries 0\n server s1 127.0.0.1:1 ssl verify none send-proxy sni str(db.test) "
                "crt b.pem\n",
            world.options());
  const ConnId client = host.accept();
  host.receive(client, "PING\r\n");
  const ConnId server = host.next_connect();
  host.connected(server);
  ASSERT_EQ(host.handshakes.size(), 1u);
  EXPECT_TRUE(host.handshakes[0].client);
  EXPECT_EQ(host.handshakes[0].server_name, "db.test");
  EXPECT_EQ(host.handshakes[0].preface, "PROXY TCP4 10.0.0.9 127.0.0.1 5555 6378\r\n");
  host.secured(server);
  EXPECT_EQ(host.take(server), "PING\r\n") << "the header went before";
  ASSERT_EQ(world.made.size(), 1u);
  EXPECT_EQ(world.made[0].verify, TlsVerify::kNone);
  ASSERT_EQ(world.made[0].identities.size(), 1u);
}

TEST(ProxyTls, AServersBrokenHandshakeIsAFailedConnection) {
  World world;
  Host host(kHead + "listen l\n option tcplog\n bind :6378\n retries 0\n server s1 127.0.0.1:1 ssl verify none\n",
            world.options());
  const ConnId client = host.accept();
  const ConnId server = host.next_connect();
  host.connected(server);
  host.handshake_broken(server);
  EXPECT_TRUE(host.is_closed(client));
  ASSERT_EQ(host.logs.size(), 1u);
  EXPECT_THAT(host.logs[0], HasSubstr(" SC "));
}

TEST(ProxyTls, ChecksSpeakTlsWhereTheyShould) {
  World world;
  Host host(kHead +
                "backend b\n option log-health-checks\n server s1 127.0.0.1:1 ssl verify none check inter 1s check-sni "
                "c.test\n"
                "listen l\n bind :6378\n use_backend b\n",
            world.options());
  host.advance(1ms);
  const ConnId check = host.next_connect();
  host.connected(check);
  ASSERT_EQ(host.handshakes.size(), 1u);
  EXPECT_EQ(host.handshakes[0].server_name, "c.test");
  host.secured(check);
  ASSERT_FALSE(host.logs.empty());
  EXPECT_THAT(host.logs.back(), HasSubstr("Layer6 check passed"));
}

class ProxyTlsApi : public testing::Test {
 protected:
  std::string api(const std::string& line) {
    const ConnId conn = host.accept(1);
    host.receive(conn, line + "\n");
    return host.flushed();
  }
  World world;
  Host host{kHead + "listen l\n bind :6378 ssl crt a.pem\n server s1 127.0.0.1:1\n", world.options()};
};

TEST_F(ProxyTlsApi, ACommittedCertificateIsForNewConnections) {
  EXPECT_THAT(api("show ssl cert"), HasSubstr("a.pem\n"));
  EXPECT_THAT(api("show ssl cert a.pem"), HasSubstr("Subject: /CN=a\n"));
  EXPECT_THAT(api("set ssl cert a.pem <<\n" + world.files["b.pem"] + "\n"),
              HasSubstr("Transaction created for certificate a.pem!"));
  EXPECT_THAT(api("show ssl cert *a.pem"), HasSubstr("Subject: /CN=b\n"));
  EXPECT_THAT(api("show ssl cert a.pem"), HasSubstr("Subject: /CN=a\n"));
  host.accept();
  EXPECT_EQ(host.handshakes.back().context, TlsContextId{1});
  EXPECT_THAT(api("commit ssl cert a.pem"), HasSubstr("Success!"));
  host.accept();
  EXPECT_EQ(host.handshakes.back().context, TlsContextId{2});
  EXPECT_THAT(api("show ssl cert a.pem"), HasSubstr("Subject: /CN=b\n"));
}

TEST_F(ProxyTlsApi, WhatDoesNotFitChangesNothing) {
  const std::string& a = world.files["a.pem"];
  const std::string& b = world.files["b.pem"];
  const std::string mixed = a.substr(0, a.find("-----BEGIN PRIVATE")) + b.substr(b.find("-----BEGIN PRIVATE"));
  EXPECT_THAT(api("commit ssl cert a.pem"), HasSubstr("No ongoing transaction!"));
  EXPECT_THAT(api("set ssl cert a.pem <<\njunk\n"), HasSubstr("unable to load certificate from file 'a.pem'."));
  api("set ssl cert a.pem <<\n" + mixed + "\n");
  EXPECT_THAT(api("commit ssl cert a.pem"), HasSubstr("inconsistencies between private key and certificate"));
  api("set ssl cert a.pem <<\n" + b + "\n");
  world.failing = true;
  EXPECT_THAT(api("commit ssl cert a.pem"), HasSubstr("Can't commit a.pem!"));
  host.accept();
  EXPECT_EQ(host.handshakes.back().context, TlsContextId{1});
  EXPECT_THAT(api("abort ssl cert a.pem"), HasSubstr("Transaction aborted for certificate 'a.pem'!"));
  EXPECT_THAT(api("del ssl cert a.pem"), HasSubstr("in use, can't be deleted!"));
}

}  // namespace
}  // namespace holdfast::proxy
