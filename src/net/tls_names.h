// Which certificate a TLS server shows: names, `*.` patterns and exclusions, each with its certificate.
//
// Source: HAProxy's configuration manual (`crt`, `crt-list`, `strict-sni`): an exact name goes before a pattern, a
// pattern covers one label, the first certificate is the default. Several that fit (one RSA, one ECDSA) are all shown.
#pragma once

#include <openssl/x509.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::net {

class TlsNames {
 public:
  struct Entry {
    struct Free {
      void operator()(X509* x) const { X509_free(x); }
      void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
      void operator()(STACK_OF(X509) * s) const { sk_X509_pop_free(s, X509_free); }
    };
    std::unique_ptr<X509, Free> certificate;
    std::unique_ptr<EVP_PKEY, Free> key;
    std::unique_ptr<STACK_OF(X509), Free> chain;
  };

  bool empty() const { return entries_.empty(); }
  /// `filters` empty: the names in the certificate.
  void add(Entry entry, const std::vector<std::string>& filters);
  /// Strict: nothing where no name fits; else the first entry.
  std::vector<const Entry*> pick(std::string_view name, bool strict) const;

 private:
  std::deque<Entry> entries_;
  std::multimap<std::string, const Entry*> exact_, patterns_;  // patterns without their star: `.example.net`
  std::multimap<const Entry*, std::string> excluded_;
};

/// The names a certificate is for: its DNS alternatives and its common names, in lower case.
std::vector<std::string> names_of(X509* certificate);

}  // namespace holdfast::net
