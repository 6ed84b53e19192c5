// The sockets of the master's command line (`-S`): who is connected, the way to a worker's runtime API and back. What
// commands mean is proxy/cli/master_session.h.
//
// Part of the master's poll loop: watch() adds what it waits for, turn() handles what came. Nothing blocks. Bounds:
// kSessionsMost sessions; one whose client does not read is not read from, nor is its worker.
#pragma once

#include <poll.h>

#include <expected>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/cli/master_session.h"
#include "proxy/config_server.h"

namespace holdfast::app {

/// What sessions need of the master.
class MasterControl {
 public:
  virtual ~MasterControl() = default;
  virtual proxy::MasterStatus status() const = 0;
  /// The path of a worker's runtime API; empty if there is no such worker.
  virtual std::string worker_socket(int64_t pid) const = 0;
  virtual void reload(bool hard) = 0;
};

class MasterSockets {
 public:
  static constexpr size_t kSessionsMost = 10;

  explicit MasterSockets(MasterControl& control) : control_(control) {}
  MasterSockets(const MasterSockets&) = delete;
  MasterSockets& operator=(const MasterSockets&) = delete;
  /// Closes everything and removes a UNIX socket.
  ~MasterSockets();

  /// 0 or errno.
  int open(const proxy::BindConfig& bind);
  void watch(std::vector<pollfd>* out);
  /// `polled` as watch() left it, with what poll() said.
  void turn(const std::vector<pollfd>& polled);
  /// A reload came to its end: whoever asked for it is told.
  void reloaded(bool worked, std::string_view startup_logs);

 private:
  struct Session {
    explicit Session(proxy::CliLevel level) : session(level) {}
    int client = -1;
    int worker = -1;
    proxy::MasterSession session;
    std::string to_client;
    std::string to_worker;
    bool client_ended = false;
    bool relaying = false;  // what the client sends goes to the worker as it is
    bool reloading = false;
    bool ending = false;                  // hang up when everything is delivered
    size_t client_at = 0, worker_at = 0;  // places in what is polled, 0 = none

    bool busy() const { return worker >= 0 || reloading; }
  };

  void accept_ready();
  void advance(Session& session);
  bool reach(Session& session, proxy::MasterStep step);
  void read_client(Session& session);
  void read_worker(Session& session);
  void worker_gone(Session& session);
  static bool flush(int fd, std::string* bytes);

  MasterControl& control_;
  int listener_ = -1;
  size_t listener_at_ = 0;
  proxy::CliLevel level_ = proxy::CliLevel::kAdmin;
  std::string path_;  // of a UNIX socket
  std::list<Session> sessions_;
};

/// `-S <address>[,<bind option>]*`. The error is a text for an alert.
std::expected<proxy::BindConfig, std::string> parse_master_socket(const std::string& text);

}  // namespace holdfast::app
