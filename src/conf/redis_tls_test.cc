#include "conf/redis_tls.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::conf {
namespace {

class Provider final : public TlsProvider {
 public:
  std::expected<TlsContextId, TlsFailure> make(const TlsOptions& options) override {
    if (options.certificate_file == failing) {
      return std::unexpected(TlsFailure{TlsFailure::Step::kCertificate, options.certificate_file, "words", 0});
    }
    made.push_back(options);
    return TlsContextId{static_cast<uint32_t>(made.size())};
  }
  void release(TlsContextId context) override { released.push_back(context); }
  std::vector<TlsOptions> made;
  std::vector<TlsContextId> released;
  std::string failing = "nothing";
};

RedisTls good() {
  RedisTls tls;
  tls.cert_file = "cert";
  tls.key_file = "key";
  tls.ca_cert_file = "ca";
  return tls;
}

TEST(RedisTlsTest, EveryRowIsSetAndPrinted) {
  RedisTls tls;
  for (const RedisTlsRow& row : redis_tls_rows()) {
    const std::string value = row.flag != nullptr                   ? "yes"
                              : row.number != nullptr               ? "7"
                              : row.text == &RedisTls::auth_clients ? "optional"
                                                                    : "some text";
    EXPECT_EQ(set_redis_tls(tls, row.name, value), "");
    EXPECT_EQ(print_redis_tls(tls, row.name), value) << row.name;
  }
  EXPECT_EQ(set_redis_tls(tls, "TLS-PORT", "65536"), "argument must be between 0 and 65535 inclusive");
  EXPECT_EQ(set_redis_tls(tls, "tls-port", "x"), "argument couldn't be parsed into an integer");
  EXPECT_EQ(set_redis_tls(tls, "tls-replication", "x"), "argument must be 'yes' or 'no'");
  EXPECT_EQ(set_redis_tls(tls, "tls-auth-clients", "x"), "argument(s) must be one of the following: no, yes, optional");
  EXPECT_EQ(tls.port, 7);
}

TEST(RedisTlsTest, WhatIsMissingIsSaidInTheOriginalsWords) {
  Provider provider;
  RedisTls tls;
  EXPECT_EQ(make_redis_tls(tls, &provider).error(), "No tls-cert-file configured!");
  tls.cert_file = "cert";
  EXPECT_EQ(make_redis_tls(tls, &provider).error(), "No tls-key-file configured!");
  tls.key_file = "key";
  EXPECT_TRUE(make_redis_tls(tls, &provider).error().starts_with("Either tls-ca-cert-file or tls-ca-cert-dir"));
  tls.auth_clients = "no";
  EXPECT_TRUE(make_redis_tls(tls, &provider).has_value());
  tls.protocols = "TLSv1.2 SSLv3";
  EXPECT_TRUE(make_redis_tls(tls, &provider).error().starts_with("Invalid tls-protocols specified."));
  tls = good();
  provider.failing = "cert";
  EXPECT_EQ(make_redis_tls(tls, &provider).error(), "Failed to load certificate: cert: words");
}

TEST(RedisTlsTest, TheClientsContextHasItsOwnFilesOrTheServers) {
  Provider provider;
  RedisTls tls = good();
  tls.auth_clients = "optional";
  tls.protocols = "tlsv1.2";
  ASSERT_TRUE(make_redis_tls(tls, &provider).has_value());
  EXPECT_EQ(provider.made[0].verify, TlsVerify::kOptional);
  EXPECT_EQ(provider.made[1].verify, TlsVerify::kRequired);
  EXPECT_TRUE(provider.made[1].client);
  EXPECT_EQ(provider.made[1].certificate_file, "cert");
  EXPECT_EQ(provider.made[1].protocols, uint32_t{kTls12});
  tls.client_cert_file = "mine";
  tls.client_key_file = "my key";
  ASSERT_TRUE(make_redis_tls(tls, &provider).has_value());
  EXPECT_EQ(provider.made[3].certificate_file, "mine");
  provider.failing = "mine";
  EXPECT_FALSE(make_redis_tls(tls, &provider).has_value());
  EXPECT_EQ(provider.released.size(), 1u) << "the half that was made is given back";
}

TEST(RedisTlsTest, OnlyNamesAreNamed) {
  EXPECT_EQ(redis_tls_server_name("db.example.net"), "db.example.net");
  EXPECT_EQ(redis_tls_server_name("10.0.0.1"), "");
  EXPECT_EQ(redis_tls_server_name("::1"), "");
}

}  // namespace
}  // namespace holdfast::conf
