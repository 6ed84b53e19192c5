// CheckRunner: schedules health checks, gives each run its connection, and turns results into server transitions.
// Source: HAProxy configuration manual 5.2 `check inter fastinter downinter`, `timeout check`, `spread-checks`.
// Invariant: a server has at most one check connection, and exactly while its check is running.
#pragma once

#include <map>
#include <string_view>
#include <utility>

#include "base/machine.h"
#include "proxy/runtime.h"
#include "proxy/server_state.h"
#include "proxy/suspicion.h"

namespace holdfast::proxy {

/// Who follows the roles that servers of `redis-primary` backends say they have.
class RoleListener {
 public:
  virtual ~RoleListener() = default;
  /// The server said it is a primary; `asked` = when the check began.
  virtual void role_passed(ServerState& server, Mono asked) = 0;
  /// A check of the adopted primary failed, or a session gave reason to doubt it.
  virtual void role_doubted(uint32_t backend) = 0;
};

class CheckRunner final : public SuspicionSink {
 public:
  CheckRunner(Runtime& runtime, ServerStates& states) : runtime_(runtime), states_(states) {}

  void set_role_listener(RoleListener* listener) { roles_ = listener; }
  /// Spreads the first checks over the shortest interval.
  void start();
  void connected(ConnSlot slot);
  void secured(ConnSlot slot);
  void receive(ConnSlot slot, std::string_view bytes);
  void eof(ConnSlot slot);
  void closed(ConnSlot slot, Closed why);
  void timer(uint32_t backend, uint32_t server);
  OutQueue& output(ConnSlot slot);
  /// A program that was started for a check has ended.
  void program_ended(JobId job, int wait_status);

  /// `enable|disable health`, and maintenance: a running check is given up without a result.
  void set_enabled(ServerState& server, bool enabled);
  void pause(ServerState& server);
  /// Every server of the backend is asked again at once, but none more often than every kRecheck.
  void suspect(uint32_t backend, uint32_t server) override;
  /// This server is asked at once, even if it was asked a moment ago.
  void check_now(ServerState& server);
  /// Stops all checks for good (soft stop).
  void stop();

 private:
  void begin(ServerState& server);
  void perform(ServerState& server, CheckStep step);
  void open(ServerState& server, const CheckRule& rule);
  void start_program(ServerState& server);
  void drop_program(ServerState& server);
  void drop_connection(ServerState& server);
  void finish(ServerState& server, const CheckOutcome& outcome);
  void apply(ServerState& server, const CheckOutcome& outcome);
  void check_soon(ServerState& server);
  void new_health(ServerState& server, const CheckOutcome& outcome, bool passed);
  bool in_doubt(const ServerState& server) const;
  void log_result(const ServerState& server, bool passed, bool conditional);
  void schedule(ServerState& server);
  void arm(ServerState& server);

  Runtime& runtime_;
  ServerStates& states_;
  RoleListener* roles_ = nullptr;
  std::map<JobId, std::pair<uint32_t, uint32_t>> programs_;  // running: backend, server
  uint64_t last_program_ = 0;
};

/// The system's words for why a connection ended.
std::string error_text(const Closed& why);

}  // namespace holdfast::proxy
