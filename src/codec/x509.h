// Certificates as facts: what a PEM text or a DER certificate says, in the words HAProxy's statistics and samples use.
//
// Pure: no file is opened. Anything that is not a certificate yields nothing; sizes are bounded by the text given.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::codec {

struct CertificateFacts {
  std::string subject, issuer;                                     // /O=Example/CN=a.example
  std::vector<std::pair<std::string, std::string>> subject_parts;  // O, Example
  std::vector<std::pair<std::string, std::string>> issuer_parts;
  std::string serial;      // bytes
  std::string not_before;  // Nov 22 17:00:00 2026 GMT
  std::string not_after;
  std::string not_before_compact;  // 261122170000Z
  std::string not_after_compact;
  std::vector<std::string> names;   // DNS:a.example
  std::string key_algorithm;        // rsaEncryption
  std::string signature_algorithm;  // RSA-SHA256
  std::string key_kind;             // RSA2048, EC256
  std::string sha1;                 // bytes
  int version = 0;                  // 3
  bool self_signed = false;
};

struct PemFacts {
  std::vector<CertificateFacts> certificates;  // the first is the one shown, the others its chain
  bool has_key = false;
  bool key_fits = false;  // to the first certificate
  size_t revocation_lists = 0;
};

std::optional<CertificateFacts> read_certificate(std::string_view der);
PemFacts read_pem(std::string_view text);

}  // namespace holdfast::codec
