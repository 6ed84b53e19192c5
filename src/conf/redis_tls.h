// The tls-* directives of redis.conf: their values, and the contexts they describe.
//
// Source: redis.conf 7.2 and the original's log lines for what does not load. Shared by the data server and the
// Sentinel. Empty texts are directives that were not given.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/tls.h"

namespace holdfast::conf {

struct RedisTls {
  int64_t port = 0;
  std::string cert_file, key_file, key_file_pass;
  std::string client_cert_file, client_key_file, client_key_file_pass;
  std::string dh_params_file;
  std::string ca_cert_file, ca_cert_dir;
  std::string protocols, ciphers, ciphersuites;
  std::string auth_clients = "yes";  // no, yes, optional
  bool replication = false;
  bool cluster = false;
  bool prefer_server_ciphers = false;
  bool session_caching = true;
  int64_t session_cache_size = 20480;
  int64_t session_cache_timeout = 300;

  /// Something speaks TLS: the files must load.
  bool wanted() const { return port != 0 || replication || cluster; }
};

struct RedisTlsRow {
  std::string_view name;
  std::string_view summary;
  std::string RedisTls::* text = nullptr;
  bool RedisTls::* flag = nullptr;
  int64_t RedisTls::* number = nullptr;
  int64_t number_max = 0;
};
std::span<const RedisTlsRow> redis_tls_rows();

/// Empty = good, else the original's words. `name` is one of the rows.
std::string set_redis_tls(RedisTls& tls, std::string_view name, std::string_view value);
std::string print_redis_tls(const RedisTls& tls, std::string_view name);

struct RedisTlsContexts {
  TlsContextId accepting = TlsContextId::kNone;
  TlsContextId connecting = TlsContextId::kNone;
};
/// Both contexts or, as an error, the line for the log.
std::expected<RedisTlsContexts, std::string> make_redis_tls(const RedisTls& tls, TlsProvider* provider);

/// What a client names in its handshake: hosts, not addresses.
std::string redis_tls_server_name(std::string_view host);

}  // namespace holdfast::conf
