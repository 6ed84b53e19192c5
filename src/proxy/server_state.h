// Server states: the transitions a server makes (by checks, by an operator, by a tracked server), and all they entail:
// log lines in HAProxy's words, counters, killed sessions, followers, the backend's own state.
// Source: HAProxy management manual "set server"; log lines compared with 2.6.12.
#pragma once

#include <string>
#include <string_view>

#include "proxy/runtime.h"

namespace holdfast::proxy {

/// What happens to sessions when a server changes; implemented by Sessions.
class SessionControl {
 public:
  virtual ~SessionControl() = default;
  /// Ends every session of a server. `marked_up`: because a non-backup server came up.
  virtual void shutdown_server(uint32_t backend, uint32_t server, bool marked_up) = 0;
  /// Moves the queue of a server that is gone back to its backend. Returns how many.
  virtual int64_t requeue_server(uint32_t backend, uint32_t server) = 0;
  /// Gives waiting sessions to servers that can take them. Returns how many were taken from the backend's queue.
  virtual int64_t serve_queue(uint32_t backend) = 0;
  /// Sessions that wait before they try the server that refused them go on at once: another one is there now.
  virtual void wake_turnarounds(uint32_t backend) = 0;
};

/// ", reason: …" of a transition, or ", changed from CLI".
using Cause = std::string;
Cause cause_of_check(const ServerState& server, bool log_health_checks);

class ServerStates {
 public:
  ServerStates(Runtime& runtime, SessionControl& sessions) : runtime_(runtime), sessions_(sessions) {}

  void set_stopped(ServerState& server, const Cause& cause);
  void set_running(ServerState& server, const Cause& cause);
  void set_stopping(ServerState& server, const Cause& cause);
  /// Down for not being the primary: its sessions are closed, and no check brings it up.
  void set_fenced(ServerState& server, const Cause& cause);
  /// `set server state maint|drain|ready`.
  void set_maintenance(ServerState& server);
  void set_drain(ServerState& server);
  void set_ready(ServerState& server);
  void set_weight(ServerState& server, int weight);
  /// No address is known any more, or one is again.
  void enter_resolve_maintenance(ServerState& server, std::string_view cause);
  void leave_resolve_maintenance(ServerState& server);
  /// Applies the address of a late name resolution, or its failure.
  void set_resolved(ServerState& server, const std::vector<std::string>& addresses);
  /// Makes servers what the process before left them as (saved_state.h). Once, at the start.
  void restore();
  /// Called once at start, so that a backend without servers is not announced as lost.
  void initialize();

 private:
  struct Left {
    int active = 0;
    int backup = 0;
  };
  Left left(const BackendState& backend) const;
  std::string down_tail(const ServerState& server, int64_t requeued) const;
  std::string up_tail(const ServerState& server, int64_t requeued) const;
  void went_down(ServerState& server, std::string text, LogLevel level);
  void went_up(ServerState& server, std::string text, bool with_tail);
  void update_backend(uint32_t backend);
  void follow(const ServerState& leader, bool up);
  void stamp(ServerState& server, bool was_up);
  void start_over(ServerState& server);
  void restore_server(ServerState& server, const SavedState& saved);
  void restore_admin(ServerState& server, const SavedState& saved);

  Runtime& runtime_;
  SessionControl& sessions_;
};

}  // namespace holdfast::proxy
