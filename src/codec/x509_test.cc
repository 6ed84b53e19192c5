#include "codec/x509.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace holdfast::codec {
namespace {

struct Made {
  std::string certificate, key, der;
};

Made make(const char* name, const char* alternatives) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* x = X509_new();
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 0x1234);
  ASN1_TIME_set_string(X509_getm_notBefore(x), "260101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(x), "20510101000000Z");
  X509_set_pubkey(x, key);
  for (const auto& [field, value] : {std::pair{"O", "Test"}, {"CN", name}}) {
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), field, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(value), -1, -1, 0);
  }
  X509_set_issuer_name(x, X509_get_subject_name(x));
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternatives);
  X509_add_ext(x, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(x, key, EVP_sha256());
  const auto text = [](auto write) {
    BIO* bio = BIO_new(BIO_s_mem());
    write(bio);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    std::string out(bytes, static_cast<size_t>(size));
    BIO_free(bio);
    return out;
  };
  Made out;
  out.certificate = text([&](BIO* b) { PEM_write_bio_X509(b, x); });
  out.key = text([&](BIO* b) { PEM_write_bio_PrivateKey(b, key, nullptr, nullptr, 0, nullptr, nullptr); });
  out.der = text([&](BIO* b) { i2d_X509_bio(b, x); });
  X509_free(x);
  EVP_PKEY_free(key);
  return out;
}

TEST(X509Test, SaysWhatACertificateSays) {
  const Made made = make("a.test", "DNS:a.test,DNS:*.b.test");
  const auto facts = read_certificate(made.der);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->subject, "/O=Test/CN=a.test");
  EXPECT_EQ(facts->subject_parts[1], (std::pair<std::string, std::string>{"CN", "a.test"}));
  EXPECT_EQ(facts->serial, std::string("\x12\x34", 2));
  EXPECT_EQ(facts->not_before, "Jan  1 00:00:00 2026 GMT");
  EXPECT_EQ(facts->not_before_compact, "260101000000Z");
  EXPECT_EQ(facts->not_after_compact, "510101000000Z");
  EXPECT_EQ(facts->names, (std::vector<std::string>{"DNS:a.test", "DNS:*.b.test"}));
  EXPECT_EQ(facts->key_kind, "EC256");
  EXPECT_EQ(facts->key_algorithm, "id-ecPublicKey");
  EXPECT_EQ(facts->signature_algorithm, "ecdsa-with-SHA256");
  EXPECT_EQ(facts->sha1.size(), 20u);
  EXPECT_EQ(facts->version, 3);
  EXPECT_TRUE(facts->self_signed);
}

TEST(X509Test, APemTextHasCertificatesAndMaybeTheirKey) {
  const Made one = make("one", "DNS:one"), two = make("two", "DNS:two");
  const PemFacts whole = read_pem("words before\n" + one.certificate + one.key + two.certificate);
  EXPECT_EQ(whole.certificates.size(), 2u);
  EXPECT_TRUE(whole.has_key);
  EXPECT_TRUE(whole.key_fits);
  EXPECT_TRUE(read_pem(one.certificate + two.key).has_key);
  EXPECT_FALSE(read_pem(one.certificate + two.key).key_fits);
  EXPECT_FALSE(read_pem(one.certificate).has_key);
  EXPECT_TRUE(read_pem("").certificates.empty());
}

TEST(X509Test, AnythingElseYieldsNothing) {
  const Made made = make("a", "DNS:a");
  for (size_t size = 0; size < made.der.size(); ++size) {
    EXPECT_FALSE(read_certificate(std::string_view(made.der).substr(0, size)).has_value()) << size;
  }
  for (size_t at = 0; at < made.certificate.size(); at += 7) {
    std::string broken = made.certificate + made.key;
    broken[at] = static_cast<char>(broken[at] ^ 0x11);
    read_pem(broken);  // whatever it is, it is survived
  }
}

}  // namespace
}  // namespace holdfast::codec
