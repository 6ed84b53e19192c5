// For tests: an authority and certificates made on the spot, as PEM text.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

namespace holdfast::net {

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "test authority") : key_(make_key()), x509_(X509_new()) {
    fill(x509_.get(), name, key_.get(), 1);
    add(x509_.get(), NID_basic_constraints, "critical,CA:TRUE");
    X509_set_issuer_name(x509_.get(), X509_get_subject_name(x509_.get()));
    X509_sign(x509_.get(), key_.get(), EVP_sha256());
  }
  std::string pem() const { return text_of(x509_.get(), nullptr); }
  /// Certificate and key for `name`; it is the common name and the alternative name.
  std::string issue(const std::string& name) {
    const Key key = make_key();
    const Cert cert(X509_new());
    fill(cert.get(), name, key.get(), ++serial_);
    if (!name.empty()) add(cert.get(), NID_subject_alt_name, "DNS:" + name);
    X509_set_issuer_name(cert.get(), X509_get_subject_name(x509_.get()));
    X509_sign(cert.get(), key_.get(), EVP_sha256());
    return text_of(cert.get(), key.get());
  }

 private:
  struct Free {
    void operator()(X509* x) const { X509_free(x); }
    void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
  };
  using Cert = std::unique_ptr<X509, Free>;
  using Key = std::unique_ptr<EVP_PKEY, Free>;

  static Key make_key() { return Key(EVP_EC_gen("P-256")); }
  static void fill(X509* cert, const std::string& name, EVP_PKEY* key, long serial) {
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  }
  static void add(X509* cert, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }
  static std::string text_of(X509* cert, EVP_PKEY* key) {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert);
    if (key != nullptr) PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    std::string out(bytes, static_cast<size_t>(size));
    BIO_free(bio);
    return out;
  }

  Key key_;
  Cert x509_;
  long serial_ = 1;
};

}  // namespace holdfast::net
