#include "conf/redis_tls.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/address.h"
#include "base/assert.h"
#include "base/text.h"

namespace holdfast::conf {
namespace {

constexpr int64_t kIntMax = 2147483647;

constexpr RedisTlsRow kRows[] = {
    {"tls-auth-clients", "whether clients must show a certificate", &RedisTls::auth_clients},
    {"tls-ca-cert-dir", "directory of the authorities' certificates", &RedisTls::ca_cert_dir},
    {"tls-ca-cert-file", "file of the authorities' certificates", &RedisTls::ca_cert_file},
    {"tls-cert-file", "our certificate with its chain", &RedisTls::cert_file},
    {"tls-ciphers", "ciphers up to TLS 1.2", &RedisTls::ciphers},
    {"tls-ciphersuites", "ciphers of TLS 1.3", &RedisTls::ciphersuites},
    {"tls-client-cert-file", "our certificate where we are the client", &RedisTls::client_cert_file},
    {"tls-client-key-file", "its key", &RedisTls::client_key_file},
    {"tls-client-key-file-pass", "the password of that key", &RedisTls::client_key_file_pass},
    {"tls-cluster", "accepted; there is no cluster bus", nullptr, &RedisTls::cluster},
    {"tls-dh-params-file", "parameters for Diffie-Hellman", &RedisTls::dh_params_file},
    {"tls-key-file", "the key of our certificate", &RedisTls::key_file},
    {"tls-key-file-pass", "the password of that key", &RedisTls::key_file_pass},
    {"tls-port", "port for TLS, 0 for none", nullptr, nullptr, &RedisTls::port, 65535},
    {"tls-prefer-server-ciphers", "our order of ciphers decides", nullptr, &RedisTls::prefer_server_ciphers},
    {"tls-protocols", "versions of the protocol", &RedisTls::protocols},
    {"tls-replication", "links to the primary and to Sentinels use TLS", nullptr, &RedisTls::replication},
    {"tls-session-cache-size", "sessions remembered, 0 for no bound", nullptr, nullptr, &RedisTls::session_cache_size,
     kIntMax},
    {"tls-session-cache-timeout", "seconds they are remembered", nullptr, nullptr, &RedisTls::session_cache_timeout,
     kIntMax},
    {"tls-session-caching", "remember sessions", nullptr, &RedisTls::session_caching},
};

const RedisTlsRow& row_of(std::string_view name) {
  const auto* at = std::find_if(std::begin(kRows), std::end(kRows),
                                [&](const RedisTlsRow& row) { return equal_ignoring_case(row.name, name); });
  HF_ASSERT(at != std::end(kRows));
  return *at;
}

constexpr std::string_view kBadProtocols =
    "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.";

/// Bits of TlsProtocol; none = not a list of versions.
std::optional<uint32_t> protocols_of(std::string_view text) {
  if (text.empty()) return kTls12 | kTls13;
  uint32_t out = 0;
  for (const std::string_view word : split(text, ' ')) {
    if (equal_ignoring_case(word, "tlsv1")) {
      out |= kTls10;
    } else if (equal_ignoring_case(word, "tlsv1.1")) {
      out |= kTls11;
    } else if (equal_ignoring_case(word, "tlsv1.2")) {
      out |= kTls12;
    } else if (equal_ignoring_case(word, "tlsv1.3")) {
      out |= kTls13;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::string line_of(const TlsFailure& failure) {
  using Step = TlsFailure::Step;
  switch (failure.step) {
    case Step::kCertificate:
      return fmt::format("Failed to load certificate: {}: {}", failure.name, failure.text);
    case Step::kPrivateKey:
      return fmt::format("Failed to load private key: {}: {}", failure.name, failure.text);
    case Step::kAuthorities:
      return fmt::format("Failed to configure CA certificate(s) file/directory: {}", failure.text);
    case Step::kCiphers:
      return fmt::format("Failed to configure ciphers: {}", failure.name);
    case Step::kCiphersuites:
      return fmt::format("Failed to configure ciphersuites: {}", failure.name);
    case Step::kDhOpen:
      return fmt::format("Failed to load {}: {}", failure.name, failure.text);
    case Step::kDhRead:
      return fmt::format("{}: failed to read DH params.", failure.name);
    case Step::kDhUse:
      return fmt::format("Failed to load DH params file: {}: {}", failure.name, failure.text);
    case Step::kRevocations:
    case Step::kCurves:
    case Step::kSignatures:
    case Step::kProtocols:
      break;
  }
  return failure.text;
}

TlsOptions options_of(const RedisTls& tls, uint32_t protocols, bool own_client_files) {
  TlsOptions out;
  out.client = own_client_files;
  out.certificate_file = own_client_files ? tls.client_cert_file : tls.cert_file;
  out.key_file = own_client_files ? tls.client_key_file : tls.key_file;
  out.key_password = own_client_files ? tls.client_key_file_pass : tls.key_file_pass;
  out.ca_file = tls.ca_cert_file;
  out.ca_dir = tls.ca_cert_dir;
  out.protocols = protocols;
  out.ciphers = tls.ciphers;
  out.ciphersuites = tls.ciphersuites;
  out.dh_params_file = tls.dh_params_file;
  out.prefer_server_ciphers = tls.prefer_server_ciphers;
  out.session_cache = tls.session_caching;
  out.session_cache_size = tls.session_cache_size;
  out.session_timeout_s = tls.session_cache_timeout;
  out.session_context = "redis";
  return out;
}

}  // namespace

std::span<const RedisTlsRow> redis_tls_rows() { return kRows; }

std::string set_redis_tls(RedisTls& tls, std::string_view name, std::string_view value) {
  const RedisTlsRow& row = row_of(name);
  if (row.flag != nullptr) {
    const bool yes = equal_ignoring_case(value, "yes");
    if (!yes && !equal_ignoring_case(value, "no")) return "argument must be 'yes' or 'no'";
    tls.*row.flag = yes;
    return {};
  }
  if (row.number != nullptr) {
    const auto number = parse_int64(value);
    if (!number) return "argument couldn't be parsed into an integer";
    if (*number < 0 || *number > row.number_max) {
      return fmt::format("argument must be between 0 and {} inclusive", row.number_max);
    }
    tls.*row.number = *number;
    return {};
  }
  if (row.text == &RedisTls::auth_clients) {
    const std::string word = to_lower(value);
    if (word != "no" && word != "yes" && word != "optional") {
      return "argument(s) must be one of the following: no, yes, optional";
    }
    tls.auth_clients = word;
    return {};
  }
  tls.*row.text = std::string(value);
  return {};
}

std::string print_redis_tls(const RedisTls& tls, std::string_view name) {
  const RedisTlsRow& row = row_of(name);
  if (row.flag != nullptr) return tls.*row.flag ? "yes" : "no";
  return row.number != nullptr ? std::to_string(tls.*row.number) : tls.*row.text;
}

std::expected<RedisTlsContexts, std::string> make_redis_tls(const RedisTls& tls, TlsProvider* provider) {
  using Failed = std::unexpected<std::string>;
  if (tls.cert_file.empty()) return Failed("No tls-cert-file configured!");
  if (tls.key_file.empty()) return Failed("No tls-key-file configured!");
  const bool verifies = tls.auth_clients != "no" || tls.cluster || tls.replication;
  if (verifies && tls.ca_cert_file.empty() && tls.ca_cert_dir.empty()) {
    return Failed(
        "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or "
        "tls-auth-clients are enabled!");
  }
  const auto protocols = protocols_of(tls.protocols);
  if (!protocols) return Failed(std::string(kBadProtocols));
  if (provider == nullptr) return Failed("TLS is not available here");

  RedisTlsContexts out;
  TlsOptions options = options_of(tls, *protocols, false);
  options.verify = tls.auth_clients == "no"    ? TlsVerify::kNone
                   : tls.auth_clients == "yes" ? TlsVerify::kRequired
                                               : TlsVerify::kOptional;
  const auto accepting = provider->make(options);
  if (!accepting) return Failed(line_of(accepting.error()));
  out.accepting = *accepting;
  // A certificate of our own as a client, or the server's in that part.
  const bool own_files = !tls.client_cert_file.empty() && !tls.client_key_file.empty();
  options = options_of(tls, *protocols, own_files);
  options.client = true;
  const auto connecting = provider->make(options);
  if (!connecting) {
    provider->release(out.accepting);
    return Failed(line_of(connecting.error()));
  }
  out.connecting = *connecting;
  return out;
}

std::string redis_tls_server_name(std::string_view host) {
  return is_numeric_host(host) ? std::string() : std::string(host);
}

}  // namespace holdfast::conf
