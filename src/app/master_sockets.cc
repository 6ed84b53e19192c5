#include "app/master_sockets.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "net/socket.h"
#include "proxy/config_parse.h"

namespace holdfast::app {
namespace {

using Kind = proxy::MasterStep::Kind;

constexpr size_t kUnreadMost = 64 * 1024;  // for a client that does not read

bool ready(const std::vector<pollfd>& polled, size_t at, short events) {
  return at != 0 && (polled[at].revents & (events | POLLHUP | POLLERR)) != 0;
}

}  // namespace

std::expected<proxy::BindConfig, std::string> parse_master_socket(const std::string& text) {
  std::string words = text;
  std::ranges::replace(words, ',', ' ');
  const proxy::ConfigFile file{"-S", "global\n stats socket " + words + "\n"};
  proxy::ParseOutcome outcome = proxy::parse_config({file}, {});
  if (outcome.exit_code == 1 || outcome.config.global.stats_sockets.empty()) {
    return std::unexpected(outcome.diagnostics.items().empty() ? text : outcome.diagnostics.items().front().text);
  }
  proxy::BindConfig bind = std::move(outcome.config.global.stats_sockets.front());
  // COMPAT: without a level it is the master's: everything.
  if (text.find(",level,") == std::string::npos) bind.level = proxy::CliLevel::kAdmin;
  return bind;
}

MasterSockets::~MasterSockets() {
  for (const Session& session : sessions_) {
    ::close(session.client);
    if (session.worker >= 0) ::close(session.worker);
  }
  if (listener_ >= 0) ::close(listener_);
  if (!path_.empty()) unlink(path_.c_str());
}

int MasterSockets::open(const proxy::BindConfig& bind) {
  const auto fd = net::open_listener(bind.address, {.unix_mode = bind.unix_mode});
  if (!fd) return fd.error();
  listener_ = *fd;
  level_ = bind.level;
  path_ = bind.address.unix_path;
  return 0;
}

void MasterSockets::watch(std::vector<pollfd>* out) {
  const auto add = [&](int fd, short events) {
    out->push_back({fd, events, 0});
    return out->size() - 1;
  };
  listener_at_ = listener_ >= 0 && sessions_.size() < kSessionsMost ? add(listener_, POLLIN) : 0;
  for (Session& session : sessions_) {
    short client = 0;
    const bool wanted = !session.client_ended && (session.relaying || !session.busy()) && session.to_worker.empty();
    if (wanted && session.to_client.size() < kUnreadMost) client |= POLLIN;
    if (!session.to_client.empty() || session.ending) client |= POLLOUT;  // its end needs a turn, too
    session.client_at = add(session.client, client);
    short worker = 0;
    if (session.to_client.size() < kUnreadMost) worker |= POLLIN;
    if (!session.to_worker.empty()) worker |= POLLOUT;
    session.worker_at = session.worker >= 0 ? add(session.worker, worker) : 0;
  }
}

void MasterSockets::turn(const std::vector<pollfd>& polled) {
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    Session& session = *at;
    bool alive = true;
    if (session.worker >= 0 && ready(polled, session.worker_at, POLLIN | POLLOUT)) {
      if (!flush(session.worker, &session.to_worker)) session.to_worker.clear();
      if ((polled[session.worker_at].revents & (POLLIN | POLLHUP | POLLERR)) != 0) read_worker(session);
    }
    if (ready(polled, session.client_at, POLLIN)) read_client(session);
    if (ready(polled, session.client_at, POLLOUT)) alive = flush(session.client, &session.to_client);
    if (alive) advance(session);
    const short said = polled[session.client_at].revents;
    const bool nobody_there =
        (said & POLLERR) != 0 || ((said & POLLHUP) != 0 && session.client_ended && session.busy());
    alive = alive && !nobody_there;
    if (alive && !(session.ending && session.to_client.empty())) {
      ++at;
      continue;
    }
    ::close(session.client);
    if (session.worker >= 0) ::close(session.worker);
    at = sessions_.erase(at);
  }
  if (ready(polled, listener_at_, POLLIN)) accept_ready();
}

void MasterSockets::accept_ready() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  sessions_.emplace_back(level_).client = fd;
}

/// Everything that can be done without waiting for anybody.
void MasterSockets::advance(Session& session) {
  while (!session.busy() && !session.ending && session.to_client.size() < kUnreadMost) {
    proxy::MasterStep step = session.session.next(control_.status());
    switch (step.kind) {
      case Kind::kWait:
        return;
      case Kind::kAnswer:
        session.to_client += step.text;
        flush(session.client, &session.to_client);
        break;
      case Kind::kForward:
      case Kind::kRelay:
        if (!reach(session, std::move(step))) session.session.forwarded(control_.status(), false);
        break;
      case Kind::kReload:
        session.reloading = true;
        control_.reload(step.hard);
        break;
      case Kind::kEnd:
        session.ending = true;
        break;
    }
  }
}

bool MasterSockets::reach(Session& session, proxy::MasterStep step) {
  Address address;
  address.unix_path = control_.worker_socket(step.pid);
  const auto to = net::to_sockaddr(address);
  if (address.unix_path.empty() || !to) return false;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  if (connect(fd, &to->base, to->length) != 0) {
    ::close(fd);
    return false;
  }
  session.worker = fd;
  session.relaying = step.kind == Kind::kRelay;
  session.to_worker = std::move(step.text);
  if (session.relaying) session.to_worker += session.session.take_input();
  flush(fd, &session.to_worker);
  return true;
}

void MasterSockets::read_client(Session& session) {
  std::array<char, 16384> buffer;
  const ssize_t n = recv(session.client, buffer.data(), buffer.size(), 0);
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) session.ending = true;
    return;
  }
  const std::string_view bytes(buffer.data(), static_cast<size_t>(n));
  if (n == 0) {
    session.client_ended = true;
    session.session.end_of_input();
    if (session.relaying && session.worker >= 0) shutdown(session.worker, SHUT_WR);
  } else if (session.relaying) {
    session.to_worker += bytes;
  } else if (!session.session.receive(bytes)) {
    session.ending = true;
  }
}

void MasterSockets::read_worker(Session& session) {
  std::array<char, 16384> buffer;
  const ssize_t n = recv(session.worker, buffer.data(), buffer.size(), 0);
  if (n > 0) {
    session.to_client.append(buffer.data(), static_cast<size_t>(n));
    flush(session.client, &session.to_client);
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    worker_gone(session);
  }
}

void MasterSockets::worker_gone(Session& session) {
  ::close(session.worker);
  session.worker = -1;
  session.worker_at = 0;
  session.to_worker.clear();
  if (session.relaying) session.ending = true;
  session.session.forwarded(control_.status(), true);
}

void MasterSockets::reloaded(bool worked, std::string_view startup_logs) {
  for (Session& session : sessions_) {
    if (!session.reloading) continue;
    session.reloading = false;
    session.session.reloaded(worked, startup_logs);
    advance(session);
  }
}

/// False: the other side is gone.
bool MasterSockets::flush(int fd, std::string* bytes) {
  while (!bytes->empty()) {
    const ssize_t n = send(fd, bytes->data(), bytes->size(), MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    bytes->erase(0, static_cast<size_t>(n));
  }
  return true;
}

}  // namespace holdfast::app
