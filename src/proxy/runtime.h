// Runtime: the proxy's state between two inputs: proxies, servers, connections, timers. Plain data that the engines
// (session.h, check/runner.h, server_state.h, cli/cli.h) work on; it decides nothing.
//
// Invariants: a ConnSlot's owner exists while its kind is not kNone; indexes into `frontends`, `backends` and their
// servers never change after construction (handles instead of pointers).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/action.h"
#include "base/ids.h"
#include "base/prng.h"
#include "base/time.h"
#include "proxy/balance/balance.h"
#include "proxy/check/evaluator.h"
#include "proxy/check/health.h"
#include "proxy/config.h"
#include "proxy/counters.h"
#include "proxy/proxy.h"
#include "proxy/redis/primary_state.h"
#include "proxy/resolve/server_name.h"
#include "proxy/timer_queue.h"
#include "proxy/tls/tls_state.h"

namespace holdfast::proxy {

inline constexpr uint32_t kNoIndex = UINT32_MAX;

/// Why a server takes no traffic by order. The numeric values are those of `srv_admin_state`.
inline constexpr uint8_t kAdminForcedMaint = 0x01;
inline constexpr uint8_t kAdminConfigMaint = 0x04;
inline constexpr uint8_t kAdminForcedDrain = 0x08;
inline constexpr uint8_t kAdminResolveMaint = 0x20;
inline constexpr uint8_t kAdminHostName = 0x40;  // its name was changed since the start
inline constexpr uint8_t kAdminMaint = kAdminForcedMaint | kAdminConfigMaint | kAdminResolveMaint;

/// A running or scheduled health check of one server.
struct CheckState {
  bool configured = false;
  bool enabled = false;  // an operator may switch checks off
  bool running = false;
  bool connected = false;
  bool secure = false;   // its connection is TLS
  bool shaking = false;  // whose handshake is under way
  std::string server_name;
  std::optional<CheckEvaluator> evaluator;
  ConnId conn;
  JobId job{};  // of an external check that runs
  OutQueue out;
  bool linger = false;
  Mono started{};
  Mono deadline = kNever;  // of the running check
  Mono next = kNever;      // of the next one
  Mono queued_until = kNever;
  // the last result
  CheckStatus status = CheckStatus::kInit;
  int code = 0;
  std::string info;
  int64_t duration_ms = 0;
  bool had_result = false;
  Mono asked{};         // when the last whole run began
  Mono ended{};         // and ended
  bool urgent = false;  // the next run begins as soon as this one is over
  bool again = false;   // a doubt came up while this run was under way
};

/// The agent of one server (check/agent.h).
struct AgentState {
  bool configured = false;
  bool enabled = false;
  bool running = false;
  bool connected = false;
  bool down = false;  // what it says of its server
  bool had_result = false;
  ConnId conn;
  OutQueue out;
  std::string input;
  Mono started{};
  Mono deadline = kNever;
  Mono next = kNever;
  Mono queued_until = kNever;
  CheckStatus status = CheckStatus::kInit;
  std::string info;
  int64_t duration_ms = 0;
};

struct ServerState {
  uint32_t backend = 0;
  uint32_t index = 0;
  const ServerConfig* config = nullptr;  // owned by Runtime::config
  Address address;                       // host empty = not known
  std::string host_name;                 // as it is now, empty for a literal
  ServerName name;
  uint16_t check_port = 0;
  std::string check_address;
  int weight = 1;  // as set by an operator; initial = config->weight
  int64_t maxconn = 0;
  Health health;
  bool running = true;    // what health says
  bool stopping = false;  // NOLB: keeps sessions, takes no new ones
  bool fenced = false;    // not the primary its Sentinels name (redis-primary): down whatever its checks say
  uint8_t admin = 0;
  uint32_t track_backend = kNoIndex;
  uint32_t track_server = kNoIndex;
  Mono last_change{};
  Duration downtime{};
  int observed_errors = 0;  // observe layer4: failures in a row
  CheckState check;
  AgentState agent;
  Counters counters;
  int64_t sessions = 0;  // connections to it, established or under way
  std::deque<uint32_t> queue;

  bool in_maintenance() const { return (admin & kAdminMaint) != 0; }
  bool draining() const { return (admin & kAdminForcedDrain) != 0 || weight == 0; }
  bool up() const { return running && !in_maintenance(); }
  bool usable() const { return up() && !stopping && !draining(); }
};

struct BackendState {
  const ProxyConfig* config = nullptr;
  uint32_t proxy = 0;
  std::vector<ServerState> servers;
  std::deque<uint32_t> queue;  // sessions without a server
  BalanceState balance;
  std::unique_ptr<CompiledCheck> check;
  bool asks_role = false;  // checked for a Redis role, promptly (check/redis_role.h)
  PrimaryState primary;    // redis-primary
  Counters counters;
  int64_t fullconn = 0;
  const Mono* clock = nullptr;  // Runtime::now
  bool up = true;
  Mono last_change{};
  Duration downtime{};
  int64_t down_transitions = 0;
};

struct FrontendState {
  const ProxyConfig* config = nullptr;
  uint32_t proxy = 0;
  Counters counters;
  int64_t maxconn = 0;
  bool stopped = false;       // disabled by an operator or a soft stop
  std::deque<uint32_t> held;  // accepted sessions waiting for a free place
  Mono rate_queued = kNever;  // when those that wait for `rate-limit sessions` are looked at again
};

struct ListenerState {
  const BindConfig* config = nullptr;
  uint32_t frontend = kNoIndex;  // kNoIndex = runtime API
  Address bound;
  int64_t sessions = 0;
  bool listening = false;
  bool answered = false;
};

enum class ConnKind : uint8_t { kNone, kClient, kServer, kCheck, kCli, kSentinel, kHttp, kAgent, kName };
struct ConnSlot {
  uint32_t generation = 0;
  ConnKind kind = ConnKind::kNone;
  uint32_t owner = 0;   // session, CLI connection, link to a Sentinel, question, or backend of a check
  uint32_t second = 0;  // server of a check
};

class ActionSink {
 public:
  virtual ~ActionSink() = default;
  virtual void emit(Action action) = 0;
};

class Runtime {
 public:
  Runtime(Config configuration, ProxyOptions proxy_options, ActionSink& action_sink);

  ConnId open(ConnKind kind, uint32_t owner, uint32_t second = 0);
  /// Null when the handle is dead.
  ConnSlot* find(ConnId conn);
  /// Emits Close and forgets the handle. The host takes unsent bytes over while it carries the action out: the queue
  /// lives in `closing` until the next input.
  void close(ConnId conn, action::CloseMode mode, OutQueue&& out);
  OutQueue& closing_output(ConnId conn);
  void forget_closing() { closing_.clear(); }
  /// Forgets a handle that the host closed.
  void forget(ConnId conn);
  void act(Action action) { sink.emit(std::move(action)); }

  /// A line to the targets of a proxy (kNoIndex: the global ones). `event` lines also go to standard error.
  void log(LogLevel level, uint32_t proxy, bool event, std::string text);
  bool has_log_targets(uint32_t proxy) const;

  ServerState& server(uint32_t backend, uint32_t index) { return backends[backend].servers[index]; }
  /// A stick table by its proxy's name, kNoIndex = none.
  uint32_t find_table(std::string_view name) const;
  uint32_t find_backend(std::string_view name) const;
  uint32_t find_server(uint32_t backend, std::string_view name) const;

  Config config;
  ProxyOptions options;
  ActionSink& sink;
  Now now;
  Now started;
  Prng random;
  TimerQueue timers;
  std::vector<FrontendState> frontends;
  std::vector<BackendState> backends;
  std::vector<ListenerState> listeners;
  std::vector<LogChannel> channels;  // 0 global; then per proxy, and once more for events
  std::deque<uint32_t> log_channels;
  std::vector<StickTable> tables;
  std::map<std::string, Value> variables;  // of scope proc
  TlsState tls;
  int64_t maxconn = 0;
  Counters process;
  int64_t connections_total = 0;
  int64_t bytes_out = 0;
  bool stopping = false;

 private:
  void build_proxies();
  void build_servers(BackendState& backend);
  void build_channels();
  void build_listeners();
  void resolve_tracking();

  SlotIds ids_;
  std::vector<ConnSlot> slots_;
  std::vector<std::pair<ConnId, OutQueue>> closing_;
  OutQueue nothing_;
};

/// Servers that may take a connection now, in order. With `full_too`, those at their limit are included and marked.
void usable_servers(const BackendState& backend, std::vector<Candidate>* candidates);
/// How much of its weight and limits a server that came up `slowstart` or less ago takes, in percent: 1-100.
int slowstart_percent(const BackendState& backend, const ServerState& server);
int64_t effective_maxconn(const BackendState& backend, const ServerState& server);

}  // namespace holdfast::proxy
