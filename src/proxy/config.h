// The proxy's configuration as values: what a set of haproxy.cfg files means once every line has been understood.
//
// Source: HAProxy configuration manual (sections 2-5), TCP mode. Durations of 0 mean "not set" (no limit).
// Invariants of a config that parse_config returned: every default_backend and use_backend names a proxy with backend
// capability; proxy names are unique per capability; a check program is never empty where a check is enabled.
// How a host uses it: command_line.h -> parse_config -> startup_report (prints, decides) -> Proxy (proxy.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "conf/haproxy_diagnostics.h"
#include "proxy/check/program.h"
#include "proxy/log_target.h"

namespace holdfast::proxy {

/// Where a setting was written, for messages.
struct Source {
  std::string file;
  int line = 0;
};

enum class CliLevel : uint8_t { kUser, kOperator, kAdmin };

/// One listening address of a `bind` or `stats socket` line.
struct BindConfig {
  Address address;
  std::optional<int> inherited_fd;
  std::string name;
  uint32_t id = 0;
  int64_t maxconn = 0;  // 0 = none of its own
  int backlog = 0;      // 0 = the proxy's
  uint32_t unix_mode = 0;
  bool v6only = false;
  CliLevel level = CliLevel::kOperator;
  bool expose_listeners = false;
  std::string text;  // as written: `*:6378`
  Source source;
};

enum class InitState : uint8_t { kDefault, kFullyUp, kUp, kDown, kFullyDown };
enum class OnError : uint8_t { kFastInter, kFailCheck, kSuddenDeath, kMarkDown };

struct CheckConfig {
  bool enabled = false;
  Duration inter = 2s;
  Duration fastinter{};  // 0 = inter
  Duration downinter{};  // 0 = inter
  int rise = 2;
  int fall = 3;
  uint16_t port = 0;    // 0 = the server's
  std::string address;  // numeric host, empty = the server's
  bool observe_layer4 = false;
  OnError on_error = OnError::kFailCheck;
  int error_limit = 10;
};

struct ServerConfig {
  std::string name;
  uint32_t id = 0;
  bool forced_id = false;
  Address address;           // host numeric, or a name that is still to be resolved
  std::string fqdn;          // the name as configured, empty for a literal
  bool port_mapped = false;  // port is an offset to the client's destination port (`+0`, or no port at all)
  int port_offset = 0;
  int weight = 1;  // 0-256
  bool backup = false;
  bool disabled = false;
  int64_t maxconn = 0;
  int64_t minconn = 0;
  int64_t maxqueue = 0;
  Duration slowstart{};
  CheckConfig check;
  InitState init_state = InitState::kDefault;
  bool on_marked_down_shutdown = false;
  bool on_marked_up_shutdown_backup = false;
  std::string track;  // `[backend/]server`
  std::optional<Address> bind_source;
  Source source;
};

enum class Algorithm : uint8_t { kRoundRobin, kStaticRr, kLeastConn, kFirst, kSource, kRandom };
struct BalanceConfig {
  Algorithm algorithm = Algorithm::kRandom;  // the default since 3.3
  int random_draws = 2;
  bool consistent = false;  // hash-type consistent (source)
};

struct Timeouts {
  Duration connect{}, client{}, server{}, check{}, queue{}, tunnel{}, client_fin{}, server_fin{};
  Duration http_request{}, http_keep_alive{}, tarpit{};  // parsed for the messages, unused in TCP mode
};

/// A condition of use_backend: alternatives of terms that must all hold. Evaluated by condition.h.
struct ConditionTerm {
  enum class Fetch : uint8_t { kTrue, kFalse, kSource, kDestinationPort, kServerIsUp, kServersUp };
  bool negated = false;
  Fetch fetch = Fetch::kTrue;
  std::string argument;                             // `backend/server` or backend
  std::vector<std::string> patterns;                // networks `10.0.0.0/8`
  std::vector<std::pair<int64_t, int64_t>> ranges;  // integers, inclusive
};
using Condition = std::vector<std::vector<ConditionTerm>>;  // or of ands; empty = always

struct UseBackend {
  std::string backend;
  Condition condition;
  bool unless = false;
  Source source;
};

enum class CheckKind : uint8_t { kLayer4, kTcpCheck, kRedisCheck };

struct ProxyConfig {
  enum class Kind : uint8_t { kDefaults, kFrontend, kBackend, kListen };
  Kind kind = Kind::kDefaults;
  std::string name;
  uint32_t id = 0;
  bool forced_id = false;
  std::string description;
  bool disabled = false;
  Timeouts timeouts;
  int64_t maxconn = 0;   // 0 = the process'
  int64_t fullconn = 0;  // 0 = a tenth of the maxconn of the frontends that may use it
  int backlog = 0;
  int64_t rate_limit_sessions = 0;
  // frontend
  std::vector<BindConfig> binds;
  std::vector<UseBackend> use_backends;
  std::string default_backend;
  bool tcplog = false;
  std::string log_format;
  Source log_format_source;
  bool logasap = false;
  bool dontlognull = false;
  bool dontlog_normal = false;
  bool log_separate_errors = false;
  // backend
  std::vector<ServerConfig> servers;
  ServerConfig default_server;
  BalanceConfig balance;
  int retries = 3;
  bool redispatch = false;
  int redispatch_interval = -1;  // every n retries; -1 = the last one only
  CheckKind check_kind = CheckKind::kLayer4;
  CheckProgram check_program;  // what check_kind means, set once the whole file is read
  CheckProgram tcp_check_rules;
  bool log_health_checks = false;
  bool redis_fast_check = true;  // ADR 0012
  bool allbackups = false;
  bool nolinger = false;
  bool abortonclose = false;
  bool tcp_keepalive_client = false;
  bool tcp_keepalive_server = false;
  std::optional<Address> bind_source;
  // both
  std::vector<LogTarget> logs;
  std::string log_tag;
  Source source;
  // the parser's notes
  Timeouts inherited_timeouts;  // a second value in one section is worth a warning
  std::optional<Source> httplog_source;
  bool rules_unused = false;           // tcp-check rules while another kind of check is chosen
  bool rules_inherited = false;        // the first tcp-check of a section replaces the inherited ones
  std::vector<std::string> http_only;  // directives that mean nothing in TCP mode
  std::map<std::string, Condition> acls;

  bool is_frontend() const { return kind == Kind::kFrontend || kind == Kind::kListen; }
  bool is_backend() const { return kind == Kind::kBackend || kind == Kind::kListen; }
};

struct GlobalConfig {
  bool daemon = false;
  bool master_worker = false;
  bool quiet = false;
  bool zero_warning = false;
  std::string pidfile, chroot, user, group, node, description, localpeer;
  int64_t maxconn = 0;   // 0 = computed by the host from the descriptor limit
  int64_t ulimit_n = 0;  // 0 = computed
  int nbthread = 0;
  std::vector<BindConfig> stats_sockets;
  Duration stats_timeout = 10s;
  int64_t stats_maxconn = 10;
  int spread_checks_percent = 0;
  Duration max_spread_checks{};
  Duration hard_stop_after{};
  size_t bufsize = 16384;  // bytes in flight per direction before reading pauses
  std::vector<LogTarget> logs;
  std::string log_tag = "haproxy";
  std::optional<std::string> log_send_hostname;  // empty string = the machine's name
  std::string server_state_base, server_state_file;
};

struct Config {
  GlobalConfig global;
  std::vector<ProxyConfig> proxies;  // in file order, without `defaults` sections
  std::map<std::string, std::string> environment;
  std::vector<std::string> files;
};

struct ConfigFile {
  std::string name;
  std::string text;
};

/// Turns host names into numeric addresses while parsing (a proxy with an unknown server name must not start).
class NameLookup {
 public:
  virtual ~NameLookup() = default;
  virtual std::vector<std::string> lookup(const std::string& host) = 0;
};

struct ParseOptions {
  std::map<std::string, std::string> environment;
  NameLookup* names = nullptr;           // null: names stay and the machine resolves them at start
  bool ignore_resolve_failures = false;  // -dr
  bool zero_warning = false;             // -dW
  bool diagnostic_mode = false;          // -dD
  std::string hostname;
  std::string localpeer;  // -L, empty = hostname
};

struct ParseOutcome {
  Config config;  // meaningful when exit_code is 0
  conf::Diagnostics diagnostics;
  int exit_code = 0;  // 0 = fine, 1 = errors, 2 = no error, but nothing to listen on
};
ParseOutcome parse_config(const std::vector<ConfigFile>& files, const ParseOptions& options);

/// `-cc`: 0 = true, 1 = false, 2 = error with the text to print as an alert.
int check_condition(const std::string& condition, const ParseOptions& options, std::string* error);

struct StartupReport {
  std::string standard_output;
  std::string standard_error;
  std::optional<int> exit_code;  // set = stop here
};
/// What HAProxy prints before it starts (or, with `check_only`, instead of starting).
StartupReport startup_report(const ParseOutcome& outcome, bool check_only, bool quiet, int64_t pid,
                             const std::string& executable);

}  // namespace holdfast::proxy
