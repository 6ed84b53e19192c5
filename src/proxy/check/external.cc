#include "proxy/check/external.h"

#include <fmt/format.h>

namespace holdfast::proxy {
namespace {

constexpr std::string_view kDefaultPath = "";
constexpr std::string_view kNotUsed = "NOT_USED";

struct Endpoint {
  std::string host, port;
};

Endpoint endpoint_of(const Address& address) {
  if (address.is_unix()) return {address.unix_path, std::string(kNotUsed)};
  const std::string host = address.host == "*" ? "0.0.0.0" : address.host == "::*" ? "::" : address.host;
  return {host, std::to_string(address.port)};
}

Endpoint listener_of(const ProxyConfig& proxy) {
  for (const BindConfig& bind : proxy.binds) {
    if (!bind.inherited_fd) return endpoint_of(bind.address);
  }
  return {std::string(kNotUsed), std::string(kNotUsed)};
}

}  // namespace

std::vector<std::string> external_check_words(const Runtime& runtime, const ServerState& server) {
  const ProxyConfig& proxy = *runtime.backends[server.backend].config;
  const Endpoint listener = listener_of(proxy);
  const Endpoint target = endpoint_of(server.address);
  return {
      "/usr/bin/env",
      "-i",
      fmt::format("PATH={}", proxy.check_path.empty() ? kDefaultPath : proxy.check_path),
      fmt::format("HAPROXY_PROXY_NAME={}", proxy.name),
      fmt::format("HAPROXY_PROXY_ID={}", proxy.id),
      fmt::format("HAPROXY_PROXY_ADDR={}", listener.host),
      fmt::format("HAPROXY_PROXY_PORT={}", listener.port),
      fmt::format("HAPROXY_SERVER_NAME={}", server.config->name),
      fmt::format("HAPROXY_SERVER_ID={}", server.config->id),
      fmt::format("HAPROXY_SERVER_ADDR={}", target.host),
      fmt::format("HAPROXY_SERVER_PORT={}", target.port),
      fmt::format("HAPROXY_SERVER_MAXCONN={}", server.maxconn),
      fmt::format("HAPROXY_SERVER_CURCONN={}", server.sessions),
      "HAPROXY_SERVER_SSL=0",
      "HAPROXY_SERVER_PROTO=tcp",
      proxy.check_command,
      listener.host,
      listener.port,
      target.host,
      target.port,
  };
}

CheckOutcome external_check_outcome(int wait_status) {
  // Linux: the low seven bits are the signal, the next byte is the exit status.
  const bool exited = (wait_status & 0x7f) == 0;
  CheckOutcome outcome;
  outcome.code = exited ? wait_status >> 8 & 0xff : -1;
  outcome.status = exited && outcome.code == 0 ? CheckStatus::kProcessOk : CheckStatus::kProcessError;
  return outcome;
}

}  // namespace holdfast::proxy
