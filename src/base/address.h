// A network address as text: what configuration names and the wire prints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast {

/// A TCP endpoint (`host` numeric or a name, `port` 1-65535) or a UNIX socket (`unix_path` set).
struct Address {
  std::string host;
  uint16_t port = 0;
  std::string unix_path;

  bool is_unix() const { return !unix_path.empty(); }
  bool operator==(const Address&) const = default;
  auto operator<=>(const Address&) const = default;
};

/// `127.0.0.1:6379`, `[::1]:6379` or the UNIX path: the form of Redis' logs and tables.
std::string to_string(const Address& address);
/// `host:port` with the brackets an IPv6 literal needs.
std::string host_port(std::string_view host, uint16_t port);
/// True for an IPv4 or IPv6 literal; false for a name.
bool is_numeric_host(std::string_view host);
/// True for 127.0.0.0/8, ::1 and every UNIX socket: the peer is on this machine.
bool is_loopback(const Address& address);

}  // namespace holdfast
