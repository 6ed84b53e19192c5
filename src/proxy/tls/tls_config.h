// TLS on listening addresses and towards servers, as configuration values.
//
// Source: HAProxy configuration manual 5.1 (bind) and 5.2 (server). Texts that are empty were not given. Contexts are
// made once the whole file is known to be good (prepare.h). Read through config_server.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/tls.h"
#include "proxy/rule/rule_config.h"

namespace holdfast::proxy {

/// Versions of the protocol by their place in the list SSLv3, TLSv1.0, TLSv1.1, TLSv1.2, TLSv1.3; -1 = not given.
struct TlsVersions {
  int least = -1;
  int most = -1;
  uint32_t off = 0;  // bits by place
};

/// What `bind`, `server` and the defaults of `global` share.
struct TlsParameters {
  std::string ciphers, ciphersuites, curves, sigalgs;
  std::vector<std::string> alpn;
  TlsVersions versions;
  std::string ca_file, crl_file;  // as found: with their base
  std::optional<bool> tickets;
};

/// One certificate of a bind line, or of a line in a crt-list.
struct TlsCertificate {
  std::string file;
  std::vector<std::string> sni;
};

struct BindTls {
  bool enabled = false;
  TlsParameters parameters;
  std::vector<TlsCertificate> certificates;
  std::vector<std::string> lists;  // crt-list files
  TlsVerify verify = TlsVerify::kNone;
  bool strict_sni = false;
  bool prefer_client_ciphers = false;
  std::vector<int> ca_ignored, crt_ignored;
  TlsContextId context{};
};

struct ServerTls {
  bool enabled = false;
  bool check = false;     // check-ssl
  bool no_check = false;  // no-check-ssl
  TlsParameters parameters;
  std::string certificate;
  std::optional<bool> verify;  // none: as the global default says
  std::string verify_name;
  std::optional<Expression> sni;
  std::string check_sni;
  TlsContextId context{};

  /// A connection of some kind speaks TLS.
  bool used() const { return enabled || check; }
};

/// Of the `global` section, and what was read.
struct TlsGlobal {
  TlsParameters bind, server;
  bool strict_sni = false;
  bool verify_servers = true;
  std::string ca_base, crt_base;
  int64_t cache_size = 20000;
  int64_t lifetime_s = 300;
  std::map<std::string, std::string> certificates;  // file -> certificate, chain and key in one text
  std::map<std::string, std::string> authorities;   // file -> certificates or revocation lists
};

}  // namespace holdfast::proxy
