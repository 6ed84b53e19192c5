// MachineHost: runs one Machine on one reactor. The translator between actions and the operating system.
//
// It keeps the contract of base/machine.h: one input, then every action, in order. Answers that are known at once (a
// listener, a child that could not start) are given after the actions that asked for them, never in between.
// Demands on the machine beyond machine.h: output(conn) still works while its Close action is being carried out,
// because the host takes the unsent bytes over then (all modes). Close: kFlush sends at most linger_max long without
// the machine knowing; kReset drops everything and sends RST. Exit: marked output is written once without waiting,
// files asked for before are finished, run() returns the code.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/machine.h"
#include "net/child.h"
#include "net/file.h"
#include "net/log_writer.h"
#include "net/reactor.h"
#include "net/resolver.h"
#include "net/signal.h"
#include "net/tls_layer.h"

namespace holdfast::app {

/// Where a machine's Log actions go.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void log(LogLevel level, std::string_view text, Now now) = 0;
};

struct HostOptions {
  net::Backend backend = net::Backend::kAuto;
  std::vector<int> signals;         // given to the machine; blocked for the process
  Duration linger_max = 10s;        // of Close kFlush
  int accepted_keepalive_s = 300;   // 0 = none
  int connected_keepalive_s = 300;  // for Connect with tcp_keepalive
  std::vector<int> inherited;       // listening sockets of the process this one replaces, used where they fit
  net::TlsContexts* tls = nullptr;  // what StartTls names; none: it is refused. Outlives the host
};

class MachineHost final : private net::TlsClient {
 public:
  /// Fails with an errno if the wanted backend is not to be had. `machine` and `log` outlive the host.
  static std::expected<std::unique_ptr<MachineHost>, int> make(Machine& machine, LogSink& log, HostOptions options);
  ~MachineHost() override;

  /// The first input. Its actions are carried out on return (listeners are open).
  void start();
  /// Closes the inherited sockets that no listener wanted.
  void drop_inherited();
  /// One turn, sleeping until `limit` at most. False once the machine has asked to exit.
  bool turn(Mono limit = kNever);
  /// start() if not done yet, then turns until Exit. Returns its code.
  int run();

  std::optional<int> exit_code() const { return exit_code_; }
  std::string_view backend_name() const { return reactor_->name(); }
  net::Reactor& reactor() { return *reactor_; }
  Now now() const { return reactor_->now(); }

 private:
  MachineHost(Machine& machine, LogSink& log, HostOptions options);
  struct Job {
    net::Child child;
    JobId id{};
  };
  /// What is known at once, but told only after the actions of the same input.
  struct Listened {
    ListenerId listener{};
    Address bound;
    int error = 0;
  };
  struct Ended {
    JobId job{};
    int status = 0;
  };

  void on_accepted(ListenerId listener, int fd) override;
  void on_connected(ConnId conn) override;
  void on_received(ConnId conn, std::string_view bytes) override;
  void on_eof(ConnId conn) override;
  void on_closed(ConnId conn, int error) override;
  void on_drained(ConnId conn) override;
  void on_watched(int fd) override;
  OutQueue& output(ConnId conn) override { return machine_.output(conn); }
  bool half_open(ConnId) const override { return half_open_; }
  void on_secured(ConnId conn, const TlsFacts& facts) override;
  void on_tls_failed(ConnId conn, std::string_view text) override;

  /// Carries out what the last input asked for, answers included.
  void settle();
  void answer();
  void finish();
  net::LogWriter& logs();

  void perform(const action::Flush& a) { reactor_->flush(a.conn); }
  void perform(const action::Close& a) { tls_ ? tls_->close(a.conn, a.mode) : reactor_->close(a.conn, a.mode); }
  void perform(const action::Connect& a);
  void perform(const action::PauseReading& a) {
    tls_ ? tls_->pause(a.conn, a.paused) : reactor_->pause(a.conn, a.paused);
  }
  void perform(const action::ShutdownWrite& a) {
    tls_ ? tls_->shutdown_write(a.conn) : reactor_->shutdown_write(a.conn);
  }
  void perform(action::StartTls& a);
  void perform(const action::Log& a) { log_.log(a.level, a.text, reactor_->now()); }
  void perform(const action::Listen& a);
  void perform(const action::SendListeners& a);
  std::optional<int> inherited_for(const Address& address);
  void perform(const action::CloseListener& a) { reactor_->remove_listener(a.listener); }
  void perform(action::WriteFile& a) { files_->write(a.job, std::move(a.path), std::move(a.bytes), a.mode); }
  void perform(action::BeginFile& a) { files_->begin(a.job, std::move(a.path), a.mode); }
  void perform(action::AppendFile& a) { files_->append(a.job, std::move(a.bytes)); }
  void perform(const action::CommitFile& a) { files_->commit(a.job); }
  void perform(const action::AbandonFile& a) { files_->abandon(a.job); }
  void perform(action::ReadFile& a) { files_->read(a.job, std::move(a.path)); }
  void perform(action::RemoveFile& a) { files_->remove(std::move(a.path)); }
  void perform(action::StatFile& a) { files_->stat(a.job, std::move(a.path)); }
  void perform(action::TruncateFile& a) { files_->truncate(a.job, std::move(a.path), a.size); }
  void perform(action::RenameFile& a) { files_->rename(a.job, std::move(a.from), std::move(a.to)); }
  void perform(action::MakeDirectory& a) { files_->make_directory(a.job, std::move(a.path)); }
  void perform(action::OpenLog& a) { logs().open(a.job, std::move(a.path), a.truncate, a.mode); }
  void perform(action::AppendLog& a) { logs().append(a.log, a.job, std::move(a.bytes), a.sync); }
  void perform(const action::SyncLog& a) { logs().sync(a.log, a.job); }
  void perform(const action::CloseLog& a) { logs().close(a.log, a.job); }
  void perform(const action::Spawn& a);
  void perform(const action::KillChild& a);
  void perform(action::Resolve& a) { resolver_->look_up(a.job, std::move(a.host)); }
  void perform(const action::Stall& a);
  void perform(const action::Crash& a);
  void perform(const action::Exit& a) { exit_code_ = a.code; }

  Machine& machine_;
  LogSink& log_;
  HostOptions options_;
  bool half_open_;
  bool started_ = false;
  std::optional<int> exit_code_;
  net::SignalSource signals_;  // before any thread
  std::unique_ptr<net::Reactor> reactor_;
  std::unique_ptr<net::TlsLayer> tls_;  // none until the first StartTls
  std::unique_ptr<net::FileWorker> files_;
  std::unique_ptr<net::LogWriter> logs_;  // none until the first log is opened
  std::unique_ptr<net::Resolver> resolver_;
  std::map<int, Job> children_;  // by pidfd
  std::vector<Listened> listened_;
  std::vector<Ended> ended_;
  Action action_;
};

}  // namespace holdfast::app
