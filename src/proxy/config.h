// The proxy's configuration as values: what a set of haproxy.cfg files means once every line has been understood.
//
// Source: HAProxy configuration manual (sections 2-5), TCP mode. Durations of 0 mean "not set" (no limit).
// Invariants of a config that parse_config returned: every default_backend and use_backend names a proxy with backend
// capability; proxy names are unique per capability; a check program is never empty where a check is enabled.
// How a host uses it: command_line.h -> parse_config -> startup_report (config_parse.h) -> Proxy (proxy.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "proxy/check/program.h"
#include "proxy/config_server.h"
#include "proxy/http/http_config.h"
#include "proxy/log_target.h"
#include "proxy/redis/redis_config.h"
#include "proxy/resolve/resolvers_config.h"
#include "proxy/rule/rule_config.h"
#include "proxy/rule/stick_table.h"

namespace holdfast::proxy {

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

enum class CheckKind : uint8_t { kLayer4, kTcpCheck, kRedisCheck, kHttpCheck, kPreset, kExternal };

/// Where `load-server-state-from-file` finds the states of servers.
enum class StateFile : uint8_t { kNone, kGlobal, kLocal };

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
  int64_t rate_limit_sessions = 0;  // new sessions per second, 0 = any
  // frontend
  std::vector<BindConfig> binds;
  std::vector<UseBackend> use_backends;
  std::vector<TcpRule> tcp_rules;  // of every stage, in file order
  Duration inspect_delay{};
  Duration response_inspect_delay{};
  TableConfig table;
  HttpConfig http;
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
  std::vector<UseServer> use_servers;
  std::vector<StickRule> stick_rules;
  ServerConfig default_server;
  BalanceConfig balance;
  int retries = 3;
  bool redispatch = false;
  int redispatch_interval = -1;  // every n retries; -1 = the last one only
  CheckKind check_kind = CheckKind::kLayer4;
  CheckProgram check_program;  // what check_kind means, set once the whole file is read
  CheckProgram tcp_check_rules;
  CheckProgram preset_program;  // kPreset: smtpchk, mysql-check, pgsql-check, ldap-check, ssl-hello-chk
  HttpCheckRequest http_check_request;
  CheckProgram http_check_rules;
  std::string check_command;  // kExternal
  std::string check_path;     // its PATH
  bool http_check_send_state = false;
  bool log_health_checks = false;
  bool redis_fast_check = true;  // ADR 0012
  RedisPrimaryConfig redis_primary;
  RedisAuth redis_auth;  // for checks
  bool allbackups = false;
  StateFile state_file = StateFile::kNone;
  std::string state_file_name;  // kLocal; empty = the proxy's name
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
  bool rules_unused = false;  // tcp-check rules while another kind of check is chosen
  bool http_rules_unused = false;
  bool http_rules_inherited = false;
  bool rules_inherited = false;        // the first tcp-check of a section replaces the inherited ones
  std::vector<std::string> http_only;  // directives that mean nothing in TCP mode
  std::map<std::string, Condition> acls;

  bool is_frontend() const { return kind == Kind::kFrontend || kind == Kind::kListen; }
  bool is_backend() const { return kind == Kind::kBackend || kind == Kind::kListen; }
};

struct GlobalConfig {
  bool daemon = false;
  bool master_worker = false;
  bool master_worker_restarts = false;  // no-exit-on-failure
  bool quiet = false;
  bool zero_warning = false;
  bool external_check = false;
  bool insecure_fork = false;
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
  TlsGlobal tls;
};

struct Config {
  GlobalConfig global;
  std::vector<ProxyConfig> proxies;  // in file order, without `defaults` sections
  std::vector<SentinelsConfig> sentinels;
  std::vector<ResolversConfig> resolvers;
  std::map<std::string, std::string> environment;
  std::vector<std::string> files;
};

}  // namespace holdfast::proxy
