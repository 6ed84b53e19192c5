// Sockets: the system calls that make, name and tune them. No event loop here.
//
// Every descriptor made here is close-on-exec. Expected failures are values: an errno and the address it concerns.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"

namespace holdfast::net {

/// A socket address of any family this program speaks, ready for the system.
struct SockAddr {
  union {
    sockaddr base;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un un;
    sockaddr_storage storage;
  };
  socklen_t length = 0;
  SockAddr();
  int family() const { return base.sa_family; }
};

/// Numeric hosts only; `*` and the empty host are every IPv4 address, `::*` every IPv6 address. Fails with EINVAL, or
/// ENAMETOOLONG for a UNIX path beyond 107 bytes.
std::expected<SockAddr, int> to_sockaddr(const Address& address);
Address to_address(const SockAddr& address);
Address local_address(int fd);
Address peer_address(int fd);

struct ListenOptions {
  int backlog = 511;
  uint32_t unix_mode = 0;                // permissions of a UNIX socket, 0 = leave
  std::optional<int> inherited_fd = {};  // already bound and listening
  bool v6only = true;
  bool share_port = false;  // SO_REUSEPORT
};
/// A bound, listening, non-blocking socket, or errno. A stale UNIX socket file at the path is replaced; anything else
/// there is left alone (EADDRINUSE).
std::expected<int, int> open_listener(const Address& address, const ListenOptions& options);

/// A stream or datagram socket for connecting to `to`, bound to `source` if given; not yet connecting. Errno on
/// failure.
std::expected<int, int> open_connector(const SockAddr& to, const std::optional<Address>& source, bool datagram = false);

/// Disables Nagle's delay; nothing on UNIX sockets.
void set_no_delay(int fd);
/// First probe after `idle_s` seconds of silence, then three at a third of that: dead peers show up after 2 x idle_s.
void set_keepalive(int fd, int idle_s);
void set_nonblocking(int fd, bool on);
/// The next close() sends RST and drops unsent bytes.
void set_reset_on_close(int fd);
/// The pending error of a socket (SO_ERROR), cleared by reading it.
int take_error(int fd);

/// Blocking name lookup (getaddrinfo): numeric addresses in the resolver's order, no duplicates. Empty = none.
std::vector<std::string> look_up_blocking(const std::string& host);

}  // namespace holdfast::net
