#include "net/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace holdfast::net {
namespace {

void set_int(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); }

/// Closes `fd` and gives back the errno that made it useless.
std::unexpected<int> give_up(int fd, int error) {
  ::close(fd);
  return std::unexpected(error);
}

std::expected<SockAddr, int> unix_sockaddr(const std::string& path) {
  SockAddr out;
  if (path.size() >= sizeof out.un.sun_path) return std::unexpected(ENAMETOOLONG);
  out.un.sun_family = AF_UNIX;
  std::memcpy(out.un.sun_path, path.data(), path.size());
  out.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return out;
}

std::expected<SockAddr, int> v6_sockaddr(std::string host, uint16_t port) {
  SockAddr out;
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(port);
  out.length = sizeof(sockaddr_in6);
  if (const size_t percent = host.find('%'); percent != std::string::npos) {
    const std::string zone = host.substr(percent + 1);
    out.v6.sin6_scope_id = if_nametoindex(zone.c_str());
    if (out.v6.sin6_scope_id == 0) return std::unexpected(ENODEV);
    host.resize(percent);
  }
  if (inet_pton(AF_INET6, host.c_str(), &out.v6.sin6_addr) != 1) return std::unexpected(EINVAL);
  return out;
}

void remove_stale_socket(const std::string& path) {
  struct stat st{};
  if (lstat(path.c_str(), &st) == 0 && S_ISSOCK(st.st_mode)) unlink(path.c_str());
}

}  // namespace

SockAddr::SockAddr() { std::memset(&storage, 0, sizeof storage); }

std::expected<SockAddr, int> to_sockaddr(const Address& address) {
  if (address.is_unix()) return unix_sockaddr(address.unix_path);
  if (address.host == "::*") return v6_sockaddr("::", address.port);
  if (address.host.find(':') != std::string::npos) return v6_sockaddr(address.host, address.port);
  SockAddr out;
  out.v4.sin_family = AF_INET;
  out.v4.sin_port = htons(address.port);
  out.length = sizeof(sockaddr_in);
  const bool any = address.host.empty() || address.host == "*";
  if (any) {
    out.v4.sin_addr.s_addr = htonl(INADDR_ANY);
  } else if (inet_pton(AF_INET, address.host.c_str(), &out.v4.sin_addr) != 1) {
    return std::unexpected(EINVAL);
  }
  return out;
}

Address to_address(const SockAddr& address) {
  Address out;
  char text[INET6_ADDRSTRLEN] = "";
  switch (address.family()) {
    case AF_INET:
      inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text);
      out.host = text;
      out.port = ntohs(address.v4.sin_port);
      break;
    case AF_INET6:
      inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof text);
      out.host = text;
      out.port = ntohs(address.v6.sin6_port);
      break;
    case AF_UNIX: {
      const size_t header = offsetof(sockaddr_un, sun_path);
      if (address.length > header) {
        const size_t room = std::min(address.length - header, sizeof address.un.sun_path);
        out.unix_path.assign(address.un.sun_path, strnlen(address.un.sun_path, room));
      }
      break;
    }
    default:
      break;
  }
  return out;
}

Address local_address(int fd) {
  SockAddr out;
  out.length = sizeof out.storage;
  if (getsockname(fd, &out.base, &out.length) != 0) return {};
  return to_address(out);
}

Address peer_address(int fd) {
  SockAddr out;
  out.length = sizeof out.storage;
  if (getpeername(fd, &out.base, &out.length) != 0) return {};
  return to_address(out);
}

std::expected<int, int> open_listener(const Address& address, const ListenOptions& options) {
  if (options.inherited_fd) {
    const int fd = *options.inherited_fd;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return std::unexpected(errno);
    set_nonblocking(fd, true);
    // An inherited socket may be bound but not yet listening; listening twice is harmless.
    if (listen(fd, options.backlog) != 0) return std::unexpected(errno);
    return fd;
  }
  const auto where = to_sockaddr(address);
  if (!where) return std::unexpected(where.error());
  const int fd = socket(where->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(errno);
  if (where->family() == AF_UNIX) {
    remove_stale_socket(address.unix_path);
  } else {
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.share_port) set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (where->family() == AF_INET6) set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.v6only ? 1 : 0);
  }
  if (bind(fd, &where->base, where->length) != 0) return give_up(fd, errno);
  if (where->family() == AF_UNIX && options.unix_mode != 0) chmod(address.unix_path.c_str(), options.unix_mode);
  if (listen(fd, options.backlog) != 0) return give_up(fd, errno);
  return fd;
}

std::expected<int, int> open_connector(const SockAddr& to, const std::optional<Address>& source, bool datagram) {
  const int fd = socket(to.family(), (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(errno);
  if (source && to.family() != AF_UNIX) {
    const auto from = to_sockaddr(*source);
    if (!from) return give_up(fd, from.error());
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    // The port is chosen at connect() time, so one source address serves more than 28,000 connections.
    if (source->port == 0) set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (bind(fd, &from->base, from->length) != 0) return give_up(fd, errno);
  }
  return fd;
}

void set_no_delay(int fd) { set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1); }

void set_keepalive(int fd, int idle_s) {
  if (idle_s <= 0) return;
  set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
  set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, idle_s / 3));
  set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

void set_nonblocking(int fd, bool on) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return;
  const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (wanted != flags) fcntl(fd, F_SETFL, wanted);
}

void set_reset_on_close(int fd) {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

int take_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

std::vector<std::string> look_up_blocking(const std::string& host) {
  std::vector<std::string> out;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return out;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    SockAddr address;
    if (at->ai_addrlen > sizeof address.storage) continue;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.length = at->ai_addrlen;
    std::string text = to_address(address).host;
    if (!text.empty() && std::find(out.begin(), out.end(), text) == out.end()) out.push_back(std::move(text));
  }
  freeaddrinfo(list);
  return out;
}

}  // namespace holdfast::net
