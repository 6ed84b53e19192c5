#include "sentinel/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <set>

#include "base/address.h"
#include "base/text.h"
#include "sentinel/config_names.h"
#include "sentinel/fast.h"

namespace holdfast::sentinel {
namespace {

using Words = std::vector<std::string>;

constexpr std::string_view kNoSuchPrimary = "No such master with specified name.";
constexpr std::string_view kUnrecognized = "Unrecognized sentinel configuration statement.";
constexpr std::string_view kCannotResolve = "Can't resolve instance hostname.";
constexpr std::string_view kInvalidPort = "Invalid port number.";
constexpr size_t kMyidSize = 40;

/// COMPAT: numbers are read as far as they go, and anything else is 0, as the original's atoi does.
int64_t lenient_number(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}
uint64_t lenient_epoch(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// A directive's words start at words[1], so that words[2] is the primary's name where there is one.
/// Handlers answer with an error text, or with "".
struct Row {
  std::string_view name;
  size_t words;  // including `sentinel`
  int phase;     // 0 settings, 1 monitor, 2 the rest
  std::string_view (*apply)(Core& core, const Words& words);
};

/// The address a line names, with the errors the original has for it.
std::string_view read_address(Core& core, const std::string& host, const std::string& port_text, NodeAddress& out) {
  const int64_t port = lenient_number(port_text);
  if (port < 0 || port > 65535) return kInvalidPort;
  out = core.address_of(host, static_cast<uint16_t>(port));
  if (out.ip.empty() && !core.settings.style.resolve_hostnames) return kCannotResolve;
  return "";
}

std::string_view apply_monitor(Core& core, const Words& words) {
  const int64_t quorum = lenient_number(words[5]);
  if (quorum <= 0 || quorum > INT_MAX) return "Quorum must be 1 or greater.";
  NodeAddress address;
  const std::string_view error = read_address(core, words[3], words[4], address);
  if (!error.empty()) return error;
  if (core.topology.find(words[2]) != nullptr) return "Duplicate master name.";
  Primary& primary = core.topology.add_primary(words[2], address, quorum, core.now.mono);
  primary.down_after = core.periods.default_down_after;
  primary.failover_timeout = core.periods.default_failover_timeout;
  return "";
}

/// For handlers that change one primary.
template <std::string_view (*Apply)(Core&, Primary&, const Words&)>
std::string_view with_primary(Core& core, const Words& words) {
  Primary* primary = core.topology.find(words[2]);
  return primary == nullptr ? kNoSuchPrimary : Apply(core, *primary, words);
}

std::string_view apply_down_after(Core&, Primary& primary, const Words& words) {
  const int64_t ms = lenient_number(words[3]);
  if (ms <= 0 || ms > INT_MAX) return "negative or zero time parameter.";
  primary.down_after = from_ms(ms);
  Topology::propagate_down_after(primary);
  return "";
}

std::string_view apply_failover_timeout(Core&, Primary& primary, const Words& words) {
  const int64_t ms = lenient_number(words[3]);
  if (ms <= 0 || ms > INT_MAX) return "negative or zero time parameter.";
  primary.failover_timeout = from_ms(ms);
  return "";
}

std::string_view apply_parallel_syncs(Core&, Primary& primary, const Words& words) {
  primary.parallel_syncs = lenient_number(words[3]);
  return "";
}

bool executable(const Core& core, const std::string& path) {
  if (core.options.is_executable == nullptr) return true;
  const std::string& base = core.options.script_directory;
  return core.options.is_executable(base.empty() || path.starts_with('/') ? path : base + "/" + path);
}

std::string_view apply_notification_script(Core& core, Primary& primary, const Words& words) {
  if (!executable(core, words[3])) return "Notification script seems non existing or non executable.";
  primary.notification_script = words[3];
  return "";
}

std::string_view apply_reconfig_script(Core& core, Primary& primary, const Words& words) {
  if (!executable(core, words[3])) return "Client reconfiguration script seems non existing or non executable.";
  primary.client_reconfig_script = words[3];
  return "";
}

std::string_view apply_auth_pass(Core&, Primary& primary, const Words& words) {
  primary.auth_pass = words[3];
  return "";
}
std::string_view apply_auth_user(Core&, Primary& primary, const Words& words) {
  primary.auth_user = words[3];
  return "";
}

std::string_view apply_reboot_period(Core&, Primary& primary, const Words& words) {
  const int64_t ms = lenient_number(words[3]);
  if (ms < 0 || ms > INT_MAX) return "negative time parameter.";
  primary.reboot_down_after = from_ms(ms);
  return "";
}

std::string_view apply_config_epoch(Core& core, Primary& primary, const Words& words) {
  primary.config_epoch = lenient_epoch(words[3]);
  core.settings.current_epoch = std::max(core.settings.current_epoch, primary.config_epoch);
  return "";
}

std::string_view apply_leader_epoch(Core& core, Primary& primary, const Words& words) {
  primary.leader_epoch = lenient_epoch(words[3]);
  core.settings.current_epoch = std::max(core.settings.current_epoch, primary.leader_epoch);
  return "";
}

std::string_view apply_known_replica(Core& core, Primary& primary, const Words& words) {
  NodeAddress address;
  const std::string_view error = read_address(core, words[3], words[4], address);
  if (!error.empty()) return error;
  std::string key = announced_key(address, core.settings.style);
  if (primary.replicas.contains(key)) return "Duplicate hostname and port for replica.";
  core.topology.add_replica(primary, std::move(key), std::move(address), core.now.mono);
  return "";
}

std::string_view apply_known_sentinel(Core& core, Primary& primary, const Words& words) {
  NodeAddress address;
  const std::string_view error = read_address(core, words[3], words[4], address);
  if (!error.empty()) return error;
  if (primary.sentinels.contains(words[5])) return "Duplicate runid for sentinel.";
  core.topology.share_link(core.topology.add_sentinel(primary, words[5], std::move(address), core.now.mono));
  return "";
}

std::string_view ignore_old_known_sentinel(Core&, const Words&) { return ""; }  // the form without a run id

std::string_view apply_rename_command(Core&, Primary& primary, const Words& words) {
  if (!primary.renamed_commands.emplace(words[3], words[4]).second) {
    return "Same command renamed multiple times with rename-command.";
  }
  return "";
}

std::string_view apply_fast_failover(Core&, Primary& primary, const Words& words) {
  const std::optional<FastFailover> value = parse_fast_failover(words[3]);
  if (!value) return "Please specify auto, yes or no for the fast-failover option.";
  primary.fast_failover = *value;
  return "";
}
std::string_view apply_crash_confirm(Core&, Primary& primary, const Words& words) {
  const int64_t ms = lenient_number(words[3]);
  if (ms < 0 || ms > INT_MAX) return "negative time parameter.";
  primary.crash_confirm = from_ms(ms);
  return "";
}

std::string_view apply_announce_ip(Core& core, const Words& words) {
  core.settings.announce_ip = words[2];
  return "";
}
std::string_view apply_announce_port(Core& core, const Words& words) {
  const int64_t port = lenient_number(words[2]);
  core.settings.announce_port = port > 0 && port <= 65535 ? static_cast<uint16_t>(port) : 0;
  return "";
}
std::string_view apply_deny_scripts(Core& core, const Words& words) {
  const std::optional<bool> value = parse_yes_no(words[2]);
  if (!value) return "Please specify yes or no for the deny-scripts-reconfig options.";
  core.settings.deny_scripts_reconfig = *value;
  return "";
}
std::string_view apply_sentinel_user(Core& core, const Words& words) {
  core.settings.sentinel_user = words[2];
  return "";
}
std::string_view apply_sentinel_pass(Core& core, const Words& words) {
  core.settings.sentinel_pass = words[2];
  return "";
}
std::string_view apply_current_epoch(Core& core, const Words& words) {
  core.settings.current_epoch = std::max(core.settings.current_epoch, lenient_epoch(words[2]));
  return "";
}
std::string_view apply_myid(Core& core, const Words& words) {
  if (words[2].size() != kMyidSize) return "Malformed Sentinel id in myid option.";
  core.settings.myid = words[2];
  return "";
}
std::string_view apply_resolve_hostnames(Core& core, const Words& words) {
  const std::optional<bool> value = parse_yes_no(words[2]);
  if (!value) return "Please specify yes or no for the resolve-hostnames option.";
  core.settings.style.resolve_hostnames = *value;
  return "";
}
std::string_view apply_announce_hostnames(Core& core, const Words& words) {
  const std::optional<bool> value = parse_yes_no(words[2]);
  if (!value) return "Please specify yes or no for the announce-hostnames option.";
  core.settings.style.announce_hostnames = *value;
  return "";
}

constexpr Row kRows[] = {
    {"announce-ip", 3, 0, apply_announce_ip},
    {"announce-port", 3, 0, apply_announce_port},
    {"deny-scripts-reconfig", 3, 0, apply_deny_scripts},
    {"sentinel-user", 3, 0, apply_sentinel_user},
    {"sentinel-pass", 3, 0, apply_sentinel_pass},
    {"current-epoch", 3, 0, apply_current_epoch},
    {"myid", 3, 0, apply_myid},
    {"resolve-hostnames", 3, 0, apply_resolve_hostnames},
    {"announce-hostnames", 3, 0, apply_announce_hostnames},
    {"monitor", 6, 1, apply_monitor},
    {"down-after-milliseconds", 4, 2, with_primary<apply_down_after>},
    {"failover-timeout", 4, 2, with_primary<apply_failover_timeout>},
    {"parallel-syncs", 4, 2, with_primary<apply_parallel_syncs>},
    {"notification-script", 4, 2, with_primary<apply_notification_script>},
    {"client-reconfig-script", 4, 2, with_primary<apply_reconfig_script>},
    {"auth-pass", 4, 2, with_primary<apply_auth_pass>},
    {"auth-user", 4, 2, with_primary<apply_auth_user>},
    {"master-reboot-down-after-period", 4, 2, with_primary<apply_reboot_period>},
    {"config-epoch", 4, 2, with_primary<apply_config_epoch>},
    {"leader-epoch", 4, 2, with_primary<apply_leader_epoch>},
    {"known-slave", 5, 2, with_primary<apply_known_replica>},
    {"known-replica", 5, 2, with_primary<apply_known_replica>},
    {"known-sentinel", 5, 2, ignore_old_known_sentinel},
    {"known-sentinel", 6, 2, with_primary<apply_known_sentinel>},
    {"rename-command", 5, 2, with_primary<apply_rename_command>},
    {"fast-failover", 4, 2, with_primary<apply_fast_failover>},
    {"crash-confirm-milliseconds", 4, 2, with_primary<apply_crash_confirm>},
};

const Row* find_row(const Words& words) {
  for (const Row& row : kRows) {
    if (row.words == words.size() && equal_ignoring_case(words[1], row.name)) return &row;
  }
  return nullptr;
}

/// When a line of an unknown form is applied: after everything it could depend on.
int phase_of(const Words& words) {
  for (const Row& row : kRows) {
    if (equal_ignoring_case(words[1], row.name)) return row.phase;
  }
  return 2;
}

std::string hint_for(const Words& words, std::string_view error) {
  if (error == kCannotResolve) {
    return fmt::format(
        "write the IP address instead of '{}', or allow host names with a line 'sentinel resolve-hostnames yes'",
        words[3]);
  }
  if (error != kUnrecognized) return "";
  if (equal_ignoring_case(words[1], "parallel-syncs") && words.size() > 4) {
    return fmt::format("parallel-syncs takes a name and a count: 'sentinel parallel-syncs {} {}'", words[2],
                       words.back());
  }
  for (const Row& row : kRows) {
    if (equal_ignoring_case(words[1], row.name)) {
      return fmt::format("{} takes {} argument{}, this line has {}", row.name, row.words - 2, row.words == 3 ? "" : "s",
                         words.size() - 2);
    }
  }
  return "";
}

std::string set_integer(const Words& words, int64_t min, int64_t max, int64_t& out) {
  const std::optional<int64_t> value = parse_int64(words[1]);
  if (!value) return "argument couldn't be parsed into an integer";
  if (*value < min || *value > max) return fmt::format("argument must be between {} and {} inclusive", min, max);
  out = *value;
  return "";
}

/// The directives of redis.conf that mean something to a Sentinel.
std::string apply_server_directive(Settings& settings, const Words& words) {
  const std::string& name = words[0];
  int64_t number = 0;
  std::string error;
  if (name == "port") {
    error = set_integer(words, 0, 65535, number);
    if (error.empty()) settings.port = static_cast<uint16_t>(number);
  } else if (name.starts_with("tls-")) {
    error = conf::set_redis_tls(settings.tls, name, words[1]);
  } else if (name == "bind") {
    settings.binds.clear();
    for (size_t i = 1; i < words.size(); ++i) {
      for (const std::string_view piece : split(words[i], ' ')) {
        if (!piece.empty()) settings.binds.emplace_back(piece);
      }
    }
    if (settings.binds.size() > 16) error = "Too many bind addresses specified.";
  } else if (name == "unixsocket") {
    settings.unixsocket = words[1];
  } else if (name == "unixsocketperm") {
    uint32_t mode = 0;
    const char* end = words[1].data() + words[1].size();
    if (std::from_chars(words[1].data(), end, mode, 8).ptr != end)
      error = "argument couldn't be parsed as an octal number";
    settings.unixsocket_mode = mode;
  } else if (name == "bind-source-addr") {
    settings.bind_source = words[1];
  } else if (name == "requirepass") {
    settings.requirepass = words[1];
  } else if (name == "aclfile") {
    settings.aclfile = words[1];
  } else if (name == "acllog-max-len") {
    error = set_integer(words, 0, INT64_MAX, settings.acllog_max_len);
  } else if (name == "user") {
    auto line = acl::read_user_line(std::span(words).subspan(1), settings.user_lines);
    if (!line) return line.error();
    settings.user_lines.push_back(std::move(*line));
  } else if (name == "maxclients") {
    error = set_integer(words, 1, UINT_MAX, settings.maxclients);
  } else if (name == "timeout") {
    error = set_integer(words, 0, INT_MAX, settings.timeout_s);
  } else if (name == "tcp-backlog") {
    error = set_integer(words, 0, INT_MAX, settings.tcp_backlog);
  } else if (name == "client-default-resp") {
    error = set_integer(words, 2, 3, number);
    if (error.empty()) settings.client_default_resp = static_cast<int>(number);
  } else if (name == "protected-mode") {
    const std::optional<bool> value = parse_yes_no(words[1]);
    if (!value) return "argument must be 'yes' or 'no'";
    settings.protected_mode = *value;
  } else if (name == "loglevel") {
    const std::string level = to_lower(words[1]);
    if (level != "debug" && level != "verbose" && level != "notice" && level != "warning" && level != "nothing") {
      return "argument(s) must be one of the following: debug, verbose, notice, warning, nothing";
    }
    settings.loglevel = level;
  } else if (name == "pidfile" || name == "daemonize") {
    settings.has_pidfile |= name == "pidfile" || parse_yes_no(words[1]).value_or(false);
  }
  return error;
}

std::string check_shape(const Words& words) {
  switch (directive_shape(words[0])) {
    case Shape::kUnknown:
      return "Bad directive or wrong number of arguments";
    case Shape::kOneArgument:
      return words.size() == 2 ? "" : "wrong number of arguments";
    case Shape::kAnyArguments:
      return words.size() >= 2 ? "" : "Bad directive or wrong number of arguments";
  }
  HF_UNREACHABLE();
}

conf::Diagnostic diagnostic(const conf::Directive& directive, std::string_view message) {
  return {directive.place, directive.text, std::string(message), ""};
}

}  // namespace

std::optional<bool> parse_yes_no(std::string_view text) {
  if (equal_ignoring_case(text, "yes")) return true;
  if (equal_ignoring_case(text, "no")) return false;
  return std::nullopt;
}

std::vector<conf::Diagnostic> apply_config(Core& core, const conf::ParsedConf& conf) {
  std::vector<conf::Diagnostic> errors = conf.errors;
  for (const conf::Directive& directive : conf.directives) {
    if (directive.words[0] == "sentinel") continue;
    std::string error = check_shape(directive.words);
    if (error.empty()) error = apply_server_directive(core.settings, directive.words);
    if (!error.empty()) errors.push_back(diagnostic(directive, error));
  }
  std::set<std::string, std::less<>> broken;  // primaries whose own line was refused
  for (int phase = 0; phase <= 2; ++phase) {
    for (const conf::Directive& directive : conf.directives) {
      const Words& words = directive.words;
      // `sentinel` alone is the command line's `--sentinel`.
      if (words[0] != "sentinel" || words.size() < 2 || phase_of(words) != phase) continue;
      const Row* row = find_row(words);
      const std::string_view error = row == nullptr ? kUnrecognized : row->apply(core, words);
      if (error.empty()) continue;
      if (phase == 1 && words.size() > 2) broken.insert(words[2]);
      if (error == kNoSuchPrimary && broken.contains(words[2])) continue;
      errors.push_back(diagnostic(directive, error));
      errors.back().hint = hint_for(words, error);
    }
  }
  return errors;
}

std::vector<std::string> config_hostnames(const conf::ParsedConf& conf) {
  bool allowed = false;
  std::set<std::string> names;
  for (const conf::Directive& directive : conf.directives) {
    const Words& words = directive.words;
    if (words[0] != "sentinel" || words.size() < 3) continue;
    if (words.size() == 3 && equal_ignoring_case(words[1], "resolve-hostnames")) {
      allowed = parse_yes_no(words[2]).value_or(false);
    }
    const bool has_address = equal_ignoring_case(words[1], "monitor") || equal_ignoring_case(words[1], "known-slave") ||
                             equal_ignoring_case(words[1], "known-replica") ||
                             equal_ignoring_case(words[1], "known-sentinel");
    if (has_address && words.size() >= 5 && !is_numeric_host(words[3])) names.insert(words[3]);
  }
  if (!allowed) return {};
  return {names.begin(), names.end()};
}

std::vector<conf::Diagnostic> check_config(const conf::ParsedConf& conf,
                                           bool (*is_executable)(const std::string& path)) {
  Options options;
  options.is_executable = is_executable;
  options.script_directory = process_settings(conf).dir;
  Core core(std::move(options));
  return apply_config(core, conf);
}

ProcessSettings process_settings(const conf::ParsedConf& conf) {
  ProcessSettings out;
  for (const conf::Directive& directive : conf.directives) {
    const Words& words = directive.words;
    if (words.size() != 2) continue;
    const bool yes = parse_yes_no(words[1]).value_or(false);
    if (words[0] == "daemonize") out.daemonize = yes;
    if (words[0] == "pidfile") out.pidfile = words[1];
    if (words[0] == "logfile") out.logfile = words[1];
    if (words[0] == "aclfile") out.aclfile = words[1];
    if (words[0] == "dir") out.dir = words[1];
    if (words[0] == "loglevel") out.loglevel = to_lower(words[1]);
    if (words[0] == "supervised") out.supervised = to_lower(words[1]);
    if (words[0] == "syslog-enabled") out.syslog_enabled = yes;
    if (words[0] == "syslog-ident") out.syslog_ident = words[1];
    if (words[0] == "syslog-facility") out.syslog_facility = to_lower(words[1]);
    if (words[0] == "always-show-logo") out.always_show_logo = yes;
  }
  return out;
}

}  // namespace holdfast::sentinel
