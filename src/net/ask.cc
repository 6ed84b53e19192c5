#include "net/ask.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "net/clock.h"
#include "net/socket.h"

namespace holdfast::net {
namespace {

/// Waits for `events`; 0, ETIMEDOUT or errno.
int wait_for(int fd, short events, Mono end) {
  while (true) {
    const int64_t rest = to_ms(end - read_monotonic());
    if (rest <= 0) return ETIMEDOUT;
    pollfd one{fd, events, 0};
    const int n = poll(&one, 1, static_cast<int>(rest));
    if (n > 0) return 0;
    if (n < 0 && errno != EINTR) return errno;
  }
}

std::expected<std::string, int> converse(int fd, const SockAddr& to, std::string_view request, Mono end,
                                         size_t enough) {
  set_nonblocking(fd, true);
  if (::connect(fd, &to.base, to.length) != 0) {
    if (errno != EINPROGRESS) return std::unexpected(errno);
    if (const int error = wait_for(fd, POLLOUT, end); error != 0) return std::unexpected(error);
    if (const int error = take_error(fd); error != 0) return std::unexpected(error);
  }
  while (!request.empty()) {
    const ssize_t n = send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    if (n > 0) {
      request.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EAGAIN && errno != EINTR) {
      return std::unexpected(errno);
    } else if (const int error = wait_for(fd, POLLOUT, end); error != 0) {
      return std::unexpected(error);
    }
  }
  std::string reply;
  while (reply.size() < enough || reply.find('\n') == std::string::npos) {
    char piece[4096];
    const ssize_t n = recv(fd, piece, sizeof piece, 0);
    if (n == 0) break;
    if (n > 0) {
      reply.append(piece, static_cast<size_t>(n));
    } else if (errno != EAGAIN && errno != EINTR) {
      return std::unexpected(errno);
    } else if (const int error = wait_for(fd, POLLIN, end); error != 0) {
      return std::unexpected(error);
    }
  }
  return reply;
}

}  // namespace

std::expected<std::string, int> ask(const Address& to, std::string_view request, Duration limit, size_t enough) {
  const auto where = to_sockaddr(to);
  if (!where) return std::unexpected(where.error());
  const auto fd = open_connector(*where, std::nullopt);
  if (!fd) return std::unexpected(fd.error());
  auto reply = converse(*fd, *where, request, read_monotonic() + limit, enough);
  ::close(*fd);
  return reply;
}

int port_is_free(const Address& address) {
  const auto fd = open_listener(address, {});
  if (!fd) return fd.error();
  ::close(*fd);
  return 0;
}

}  // namespace holdfast::net
