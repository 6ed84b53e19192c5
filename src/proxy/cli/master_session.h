// MasterSession: one connection to the master's own socket (`-S`): finds out which process a command is for, and
// answers those that are the master's. A pure function of bytes and of what the master knows; the sockets are
// app/master_sockets.
//
// One step at a time: what comes after a forwarded command waits for its end. Invariants: a line is at most kLineMax
// bytes, a payload kPayloadMax, and unread input no more than both.
// Source: HAProxy 3.4 management manual 9.4 "Master CLI"; answers compared with 2.6.12.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "proxy/config_server.h"

namespace holdfast::proxy {

struct MasterWorker {
  int64_t pid = 0;
  int reloads = 0;  // that it survived
  Duration up{};
  bool leaving = false;
};

/// What the master knows of itself and its workers, the newest first.
struct MasterStatus {
  int64_t pid = 0;
  int reloads = 0;
  int failed_reloads = 0;
  bool last_reload_failed = false;
  Duration up{};
  std::string_view startup_logs;  // of the latest start of a worker
  std::vector<MasterWorker> workers;
};

struct MasterStep {
  enum class Kind : uint8_t {
    kWait,     // for more input
    kAnswer,   // `text` to the client
    kForward,  // `text` to the worker `pid`, what it says to the client until it hangs up; then forwarded()
    kRelay,    // the same, and everything else the client sends goes there, too; the session ends with it
    kReload,   // start a new worker, then reloaded()
    kEnd,      // hang up when everything is delivered
  };
  Kind kind = Kind::kWait;
  std::string text;
  int64_t pid = 0;
  bool hard = false;  // kReload: the old worker does not finish its sessions
};

class MasterSession {
 public:
  static constexpr size_t kLineMax = 16384;
  static constexpr size_t kPayloadMax = size_t{1024} * 1024;

  explicit MasterSession(CliLevel level) : level_(level) {}

  /// False: it sent more than a session may; it has to end.
  bool receive(std::string_view bytes);
  /// The client sends no more.
  void end_of_input();
  /// What to do now. Not to be called between kForward or kReload and their end.
  MasterStep next(const MasterStatus& status);
  /// The worker hung up. `reached`: it could be spoken to.
  void forwarded(const MasterStatus& status, bool reached);
  void reloaded(bool worked, std::string_view startup_logs);
  /// What came behind the command of a kRelay.
  std::string take_input();

 private:
  struct Target {
    bool master = true;
    int64_t pid = 0;
  };

  bool take_line(std::string* line);
  void begin_line(std::string line);
  void run(std::string_view command, const MasterStatus& status);
  void run_master(const std::vector<std::string>& words, const MasterStatus& status);
  void forward(int64_t pid, std::string_view command);
  bool set_mode(const std::vector<std::string>& words);
  bool set_level(CliLevel wanted);
  void say(std::string_view text);
  void command_over(const MasterStatus& status);
  void end_line();
  std::string prompt(const MasterStatus& status) const;
  std::optional<Target> find_target(std::string_view prefix, const MasterStatus& status) const;

  CliLevel level_;
  std::string input_;
  bool ended_ = false;
  bool interactive_ = false;
  bool expert_ = false;
  bool experimental_ = false;
  Target target_;
  std::deque<std::string> commands_;  // of the line being carried out
  bool in_line_ = false;
  bool finishing_ = false;
  std::string payload_;
  bool has_payload_ = false;
  std::deque<MasterStep> steps_;
};

}  // namespace holdfast::proxy
