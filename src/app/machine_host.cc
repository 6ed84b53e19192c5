#include "app/machine_host.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "base/assert.h"
#include "net/handover.h"

namespace holdfast::app {
namespace {

// The exit codes Redis' script runner sees for a program that could not be started at all.
constexpr int kForkFailed = 99;
constexpr int kExecFailed = 2;

CloseReason reason_of(int error) {
  switch (error) {
    case 0:
      return CloseReason::kEof;
    case ECONNRESET:
    case EPIPE:
      return CloseReason::kReset;
    case ECONNREFUSED:
    case ENOENT:
      return CloseReason::kRefused;  // ENOENT: no such UNIX socket
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case EINVAL:
    case EADDRNOTAVAIL:
      return CloseReason::kUnreachable;
    case ETIMEDOUT:
      return CloseReason::kTimedOut;
    default:
      return CloseReason::kError;
  }
}

}  // namespace

MachineHost::MachineHost(Machine& machine, LogSink& log, HostOptions options)
    : machine_(machine),
      log_(log),
      options_(std::move(options)),
      half_open_(machine.half_open()),
      signals_(options_.signals) {}

std::expected<std::unique_ptr<MachineHost>, int> MachineHost::make(Machine& machine, LogSink& log,
                                                                   HostOptions options) {
  std::unique_ptr<MachineHost> host(new MachineHost(machine, log, std::move(options)));
  auto reactor = net::Reactor::make(host->options_.backend, *host);
  if (!reactor) return std::unexpected(reactor.error());
  host->reactor_ = std::move(*reactor);
  host->reactor_->set_linger_max(host->options_.linger_max);
  host->files_ = std::make_unique<net::FileWorker>();
  host->resolver_ = std::make_unique<net::Resolver>();
  if (host->signals_.descriptor() >= 0) host->reactor_->watch(host->signals_.descriptor());
  host->reactor_->watch(host->files_->descriptor());
  host->reactor_->watch(host->resolver_->descriptor());
  return host;
}

MachineHost::~MachineHost() {
  for (auto& [fd, job] : children_) ::close(fd);  // children outlive us, as with Redis
}

void MachineHost::start() {
  started_ = true;
  reactor_->refresh_clock();
  machine_.start(reactor_->now());
  settle();
}

bool MachineHost::turn(Mono limit) {
  if (exit_code_) return false;
  reactor_->turn(std::min({limit, machine_.next_deadline(), tls_ ? tls_->next_deadline() : kNever}));
  if (tls_ && !exit_code_) tls_->work(reactor_->now().mono);
  if (!exit_code_ && machine_.next_deadline() <= reactor_->now().mono) {
    machine_.tick(reactor_->now());
    settle();
  }
  if (exit_code_) finish();
  return !exit_code_.has_value();
}

int MachineHost::run() {
  if (!started_) start();
  if (exit_code_) finish();
  while (turn()) {
  }
  return *exit_code_;
}

net::LogWriter& MachineHost::logs() {
  if (!logs_) {
    logs_ = std::make_unique<net::LogWriter>();
    reactor_->watch(logs_->descriptor());
  }
  return *logs_;
}

void MachineHost::finish() {
  reactor_->write_marked_now();
  files_->finish();
  if (logs_) logs_->finish();
}

// ---- inputs -----------------------------------------------------------------------------------------------------

void MachineHost::settle() {
  while (!exit_code_ && machine_.poll_action(action_)) {
    std::visit([this](auto& a) { perform(a); }, action_);
  }
  if (!listened_.empty() || !ended_.empty()) [[unlikely]] {
    answer();
  }
}

void MachineHost::answer() {
  while (!exit_code_ && (!listened_.empty() || !ended_.empty())) {
    if (!listened_.empty()) {
      const Listened first = std::move(listened_.front());
      listened_.erase(listened_.begin());
      machine_.listening(first.listener, first.bound, first.error, reactor_->now());
    } else {
      const Ended first = ended_.front();
      ended_.erase(ended_.begin());
      machine_.job_done(first.job, first.status, reactor_->now());
    }
    while (!exit_code_ && machine_.poll_action(action_)) {
      std::visit([this](auto& a) { perform(a); }, action_);
    }
  }
}

void MachineHost::on_accepted(ListenerId listener, int fd) {
  if (exit_code_) {
    ::close(fd);
    return;
  }
  Accepted from{listener, net::peer_address(fd), net::local_address(fd)};
  if (!from.local.is_unix() && !from.local.host.empty()) {
    net::set_no_delay(fd);
    net::set_keepalive(fd, options_.accepted_keepalive_s);
  }
  const ConnId conn = machine_.accepted(from, reactor_->now());
  reactor_->adopt(conn, fd);
  settle();
}

void MachineHost::on_connected(ConnId conn) {
  if (exit_code_) return;
  const int fd = reactor_->descriptor(conn);
  machine_.connected(conn, net::local_address(fd), net::peer_address(fd), reactor_->now());
  settle();
}

void MachineHost::on_received(ConnId conn, std::string_view bytes) {
  if (exit_code_) return;
  machine_.receive(conn, bytes, reactor_->now());
  settle();
}

void MachineHost::on_eof(ConnId conn) {
  if (exit_code_) return;
  machine_.eof(conn, reactor_->now());
  settle();
}

void MachineHost::on_closed(ConnId conn, int error) {
  if (exit_code_) return;
  machine_.closed(conn, {reason_of(error), error}, reactor_->now());
  settle();
}

void MachineHost::on_secured(ConnId conn, const TlsFacts& facts) {
  if (exit_code_) return;
  machine_.secured(conn, facts, reactor_->now());
  settle();
}

void MachineHost::on_tls_failed(ConnId conn, std::string_view text) {
  if (exit_code_) return;
  machine_.closed(conn, {CloseReason::kTls, 0, text}, reactor_->now());
  settle();
}

void MachineHost::on_drained(ConnId conn) {
  if (exit_code_) return;
  machine_.drained(conn, reactor_->now());
  settle();
}

void MachineHost::on_watched(int fd) {
  if (fd == signals_.descriptor()) {
    while (const auto number = signals_.next()) {
      if (exit_code_) return;
      machine_.signal(*number, reactor_->now());
      settle();
    }
  } else if (fd == files_->descriptor()) {
    for (const net::FileWorker::Result& result : files_->take()) {
      if (exit_code_) return;
      if (result.done) {
        machine_.job_done(result.job, result.status, reactor_->now());
      } else {
        machine_.file_data(result.job, result.bytes, reactor_->now());
      }
      settle();
    }
  } else if (logs_ && fd == logs_->descriptor()) {
    for (const net::LogWriter::Result& result : logs_->take()) {
      if (exit_code_) return;
      machine_.job_done(result.job, result.status, reactor_->now());
      settle();
    }
  } else if (fd == resolver_->descriptor()) {
    for (const net::Resolver::Answer& result : resolver_->take()) {
      if (exit_code_) return;
      machine_.resolved(result.job, result.addresses, reactor_->now());
      settle();
    }
  } else if (const auto at = children_.find(fd); at != children_.end()) {
    reactor_->unwatch(fd);
    const int status = net::reap(at->second.child);
    const JobId job = at->second.id;
    children_.erase(at);
    if (exit_code_) return;
    machine_.job_done(job, status, reactor_->now());
    settle();
  }
}

// ---- actions ----------------------------------------------------------------------------------------------------

void MachineHost::perform(const action::SendListeners& a) {
  const int fd = reactor_->descriptor(a.conn);
  if (fd >= 0) net::send_descriptors(fd, reactor_->listener_descriptors());
}

/// The inherited socket that listens on this address, taken out of the list.
std::optional<int> MachineHost::inherited_for(const Address& address) {
  const auto wanted = net::to_sockaddr(address);
  if (!wanted) return std::nullopt;
  for (auto at = options_.inherited.begin(); at != options_.inherited.end(); ++at) {
    if (net::local_address(*at) != net::to_address(*wanted)) continue;
    const int fd = *at;
    options_.inherited.erase(at);
    return fd;
  }
  return std::nullopt;
}

void MachineHost::drop_inherited() {
  for (const int fd : options_.inherited) ::close(fd);
  options_.inherited.clear();
}

void MachineHost::perform(const action::Listen& a) {
  net::ListenOptions options{a.backlog, a.unix_mode, a.inherited_fd, a.v6only, a.share_port};
  if (!options.inherited_fd && !options_.inherited.empty()) options.inherited_fd = inherited_for(a.address);
  const auto fd = net::open_listener(a.address, options);
  if (!fd) {
    listened_.push_back({a.listener, a.address, fd.error()});
    return;
  }
  listened_.push_back({a.listener, net::local_address(*fd), 0});
  reactor_->add_listener(a.listener, *fd);
}

void MachineHost::perform(const action::Connect& a) {
  const auto to = net::to_sockaddr(a.to);
  if (!to) {
    reactor_->connect_failed(a.conn, to.error());
    return;
  }
  const auto fd = net::open_connector(*to, a.source, a.datagram);
  if (!fd) {
    reactor_->connect_failed(a.conn, fd.error());
    return;
  }
  if (!a.to.is_unix() && !a.datagram) {
    net::set_no_delay(*fd);
    if (a.tcp_keepalive) net::set_keepalive(*fd, options_.connected_keepalive_s);
  }
  reactor_->connect(a.conn, *fd, *to, a.datagram);
}

void MachineHost::perform(action::StartTls& a) {
  SSL_CTX* context = options_.tls == nullptr ? nullptr : options_.tls->find(a.context);
  HF_ASSERT(context != nullptr);  // a machine names what its provider made
  if (!tls_) {
    tls_.reset(new net::TlsLayer(*reactor_, *this));  // make_unique could not see our private base
    reactor_->set_client(*tls_);
  }
  tls_->start(a.conn, {context, a.client, std::move(a.preface), std::move(a.server_name), std::move(a.verify_name),
                       std::move(a.received), a.limit});
}

void MachineHost::perform(const action::Spawn& a) {
  const auto child = net::spawn(a.argv);
  if (!child) {
    const bool not_forked = child.error() == EAGAIN || child.error() == EMFILE || child.error() == ENFILE;
    ended_.push_back({a.job, W_EXITCODE(not_forked ? kForkFailed : kExecFailed, 0)});
    return;
  }
  children_[child->pidfd] = {*child, a.job};
  reactor_->watch(child->pidfd);
}

void MachineHost::perform(const action::KillChild& a) {
  for (const auto& [fd, job] : children_) {
    if (job.id == a.job) ::kill(job.child.pid, a.signal);  // not reaped yet, so the pid is still its own
  }
}

void MachineHost::perform(const action::Stall& a) {
  std::this_thread::sleep_for(std::chrono::microseconds(a.duration));
  reactor_->refresh_clock();
}

void MachineHost::perform(const action::Crash& a) {
  ::raise(a.signal);            // the crash handler reports and dies by it
  ::signal(a.signal, SIG_DFL);  // no handler, or one that came back
  ::raise(a.signal);
  ::_exit(128 + a.signal);
}

}  // namespace holdfast::app
