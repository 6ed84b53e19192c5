// Directives of the `global` section.
#include <algorithm>

#include "conf/haproxy_value.h"
#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

void flag(KeywordContext& c, bool* target) {
  if (c.at_most(1, c.word(0))) *target = !c.negated;
}
void parse_daemon(KeywordContext& c) { flag(c, &c.config.global.daemon); }
void parse_quiet(KeywordContext& c) { flag(c, &c.config.global.quiet); }
void parse_insecure_fork(KeywordContext& c) { flag(c, &c.config.global.insecure_fork); }
void parse_external_check(KeywordContext& c) { flag(c, &c.config.global.external_check); }
void parse_zero_warning(KeywordContext& c) { flag(c, &c.config.global.zero_warning); }
void parse_master_worker(KeywordContext& c) {
  if (!c.at_most(2, c.word(0))) return;
  if (c.has(1) && c.word(1) != "no-exit-on-failure") {
    return c.alert("'master-worker' only supports 'no-exit-on-failure' option.");
  }
  c.config.global.master_worker = true;
  c.config.global.master_worker_restarts = c.word(1) == "no-exit-on-failure";
}

void integer(KeywordContext& c, int64_t* target) {
  if (!c.at_most(2, c.word(0))) return;
  if (c.word(1).empty()) return c.alert("'{}' expects an integer argument.", c.word(0));
  *target = conf::leading_integer(c.word(1));
}
void parse_maxconn(KeywordContext& c) { integer(c, &c.config.global.maxconn); }
void parse_ulimit_n(KeywordContext& c) { integer(c, &c.config.global.ulimit_n); }
void parse_ignored_integer(KeywordContext& c) {
  int64_t unused = 0;
  integer(c, &unused);
}

void parse_nbthread(KeywordContext& c) {
  if (!c.at_most(2, c.word(0))) return;
  const auto value = conf::whole_integer(c.word(1));
  if (!value) return c.alert("'nbthread' passed a missing or unparsable integer value in '{}'", c.word(1));
  if (*value < 1 || *value > 64) return c.alert("'nbthread' value must be between 1 and 64 (was {})", *value);
  c.config.global.nbthread = static_cast<int>(*value);
}
void parse_nbproc(KeywordContext& c) {
  c.alert(
      "nbproc is not supported any more since HAProxy 2.5. Threads will automatically be used on multi-processor "
      "machines if available.");
}

void text(KeywordContext& c, std::string* target, std::string_view expects) {
  if (!c.at_most(2, c.word(0))) return;
  if (c.word(1).empty()) return c.alert("'{}' expects {}", c.word(0), expects);
  *target = std::string(c.word(1));
}
void parse_pidfile(KeywordContext& c) { text(c, &c.config.global.pidfile, "a file name as an argument."); }
void parse_chroot(KeywordContext& c) { text(c, &c.config.global.chroot, "a directory as an argument."); }
void parse_user(KeywordContext& c) { text(c, &c.config.global.user, "a user name."); }
void parse_group(KeywordContext& c) { text(c, &c.config.global.group, "a group name."); }
void parse_log_tag(KeywordContext& c) { text(c, &c.config.global.log_tag, "a tag for use in syslog."); }
void parse_localpeer(KeywordContext& c) { text(c, &c.config.global.localpeer, "a name as an argument."); }
void parse_state_base(KeywordContext& c) {
  text(c, &c.config.global.server_state_base, "one argument: a directory path.");
}
void parse_state_file(KeywordContext& c) { text(c, &c.config.global.server_state_file, "one argument: a file path."); }

void parse_log_send_hostname(KeywordContext& c) { c.config.global.log_send_hostname = std::string(c.word(1)); }

void parse_node(KeywordContext& c) {
  if (!c.at_most(2, c.word(0))) return;
  bool valid = !c.word(1).empty();
  for (char ch : c.word(1)) {
    valid = valid && ((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '.' ||
                      ch == '-' || ch == '_');
  }
  if (!valid) {
    return c.alert_tight(
        "'node' requires valid node name - non-empty string with digits(0-9), letters(A-Z, a-z), dot(.), "
        "hyphen(-) or underscode(_).");
  }
  c.config.global.node = std::string(c.word(1));
}

void parse_description(KeywordContext& c) {
  if (c.word(1).empty()) return c.alert_tight("'description' expects a string argument.");
  std::string joined;
  for (size_t i = 1; i < c.count(); ++i) joined += (i > 1 ? " " : "") + std::string(c.word(i));
  c.config.global.description = std::move(joined);
}

void parse_spread_checks(KeywordContext& c) {
  if (!c.at_most(2, c.word(0))) return;
  if (c.word(1).empty()) return c.alert("'spread-checks' expects an integer argument (0..50).");
  const int64_t value = conf::leading_integer(c.word(1));
  if (value < 0 || value > 50) return c.alert_tight("'spread-checks' needs a positive value in range 0..50.");
  c.config.global.spread_checks_percent = static_cast<int>(value);
}

void duration(KeywordContext& c, size_t at, std::string_view name, Duration* target, bool seconds) {
  const conf::TimeValue value = conf::parse_haproxy_time(c.word(at), seconds);
  if (value.error == conf::TimeValue::Error::kCharacter) {
    return c.alert("'{}' : unexpected character '{}'", name, value.character);
  }
  if (value.error != conf::TimeValue::Error::kNone)
    return c.alert("{}", conf::time_error_text(value, c.word(at), name));
  *target = value.value;
}
void parse_max_spread(KeywordContext& c) {
  if (c.word(1).empty()) return c.alert("'max-spread-checks' expects an integer argument (0..50).");
  duration(c, 1, "max-spread-checks", &c.config.global.max_spread_checks, false);
}
void parse_hard_stop_after(KeywordContext& c) {
  if (c.word(1).empty()) return c.alert("'hard-stop-after' expects <time> as argument.\n");
  const conf::TimeValue value = conf::parse_haproxy_time(c.word(1));
  if (value.error != conf::TimeValue::Error::kNone) {
    return c.alert("unexpected character '{}' in argument to <hard-stop-after>.\n", value.character);
  }
  c.config.global.hard_stop_after = value.value;
}

void parse_stats(KeywordContext& c) {
  GlobalConfig& global = c.config.global;
  if (c.word(1) == "socket") {
    if (c.word(2).empty()) {
      return c.alert("'stats socket' in global section expects an address or a path to a UNIX socket");
    }
    parse_bind_line(c, 2, true, &global.stats_sockets);
  } else if (c.word(1) == "timeout") {
    duration(c, 2, "stats timeout", &global.stats_timeout, false);
  } else if (c.word(1) == "maxconn") {
    const int64_t value = conf::leading_integer(c.word(2));
    if (value <= 0) return c.alert("'stats maxconn' expects a positive value");
    global.stats_maxconn = value;
  } else if (c.word(1) == "bind-process") {
    c.warn_tight("'stats bind-process' has no effect.");
  } else {
    c.alert("'stats' only supports 'socket', 'maxconn', 'bind-process' and 'timeout' (got '{}')", c.word(1));
  }
}

void parse_tune(KeywordContext& c) {
  if (c.word(0) != "tune.bufsize") return;
  const auto size = conf::parse_haproxy_size(c.word(1));
  if (!size || *size == 0) return c.alert("'tune.bufsize' expects a positive integer argument.");
  c.config.global.bufsize = std::min<size_t>(std::max<size_t>(*size, 1024), size_t{16} << 20);
}

void parse_environment(KeywordContext& c) {
  auto& environment = c.config.environment;
  const std::string_view verb = c.word(0);
  if (verb == "setenv" || verb == "presetenv") {
    if (c.word(2).empty() && !c.has(2)) return c.alert("'{}' expects a name and a value.", verb);
    if (!c.at_most(3, verb)) return;
    const std::string name(c.word(1));
    if (verb == "presetenv" && environment.contains(name)) return;
    environment[name] = std::string(c.word(2));
  } else if (verb == "unsetenv") {
    if (!c.has(1)) return c.alert("'{}' expects at least one variable name.", verb);
    for (size_t i = 1; i < c.count(); ++i) environment.erase(std::string(c.word(i)));
  } else {
    std::map<std::string, std::string> kept;
    for (size_t i = 1; i < c.count(); ++i) {
      const auto found = environment.find(std::string(c.word(i)));
      if (found != environment.end()) kept.insert(*found);
    }
    environment = std::move(kept);
  }
}

/// Known, accepted, without meaning for this implementation.
void parse_accepted(KeywordContext&) {}

constexpr KeywordRow kRows[] = {
    {"daemon", kInGlobal, parse_daemon, "run in the background"},
    {"quiet", kInGlobal, parse_quiet, "print nothing at start"},
    {"zero-warning", kInGlobal, parse_zero_warning, "treat warnings as errors"},
    {"master-worker", kInGlobal, parse_master_worker, "a master supervises the worker"},
    {"maxconn", kInGlobal, parse_maxconn, "connections of the process"},
    {"ulimit-n", kInGlobal, parse_ulimit_n, "descriptors of the process"},
    {"nbthread", kInGlobal, parse_nbthread, "threads"},
    {"nbproc", kInGlobal, parse_nbproc, "removed"},
    {"thread-groups", kInGlobal, parse_ignored_integer, "accepted"},
    {"pidfile", kInGlobal, parse_pidfile, "file the pids are written to"},
    {"chroot", kInGlobal, parse_chroot, "directory to change the root to"},
    {"user", kInGlobal, parse_user, "user to become"},
    {"group", kInGlobal, parse_group, "group to become"},
    {"uid", kInGlobal, parse_ignored_integer, "accepted"},
    {"gid", kInGlobal, parse_ignored_integer, "accepted"},
    {"log-tag", kInGlobal, parse_log_tag, "tag of log lines"},
    {"log-send-hostname", kInGlobal, parse_log_send_hostname, "host name in log lines"},
    {"node", kInGlobal, parse_node, "name of this node in statistics"},
    {"description", kInGlobal, parse_description, "text shown in statistics"},
    {"localpeer", kInGlobal, parse_localpeer, "name among peers"},
    {"spread-checks", kInGlobal, parse_spread_checks, "percentage of randomness in check intervals"},
    {"max-spread-checks", kInGlobal, parse_max_spread, "upper bound of the start-up spreading of checks"},
    {"hard-stop-after", kInGlobal, parse_hard_stop_after, "longest time of a soft stop"},
    {"server-state-base", kInGlobal, parse_state_base, "directory of state files"},
    {"server-state-file", kInGlobal, parse_state_file, "state file read at start"},
    {"stats", kInGlobal, parse_stats, "runtime API sockets and their limits"},
    {"setenv", kInGlobal, parse_environment, "set a variable"},
    {"presetenv", kInGlobal, parse_environment, "set a variable unless it exists"},
    {"unsetenv", kInGlobal, parse_environment, "forget variables"},
    {"resetenv", kInGlobal, parse_environment, "forget all variables but those named"},
    {"tune.bufsize", kInGlobal, parse_tune, "bytes in flight per direction"},
    {"tune.maxaccept", kInGlobal, parse_accepted, "accepted"},
    {"tune.maxrewrite", kInGlobal, parse_accepted, "accepted"},
    {"tune.maxpollevents", kInGlobal, parse_accepted, "accepted"},
    {"tune.idletimer", kInGlobal, parse_accepted, "accepted"},
    {"tune.pipesize", kInGlobal, parse_accepted, "accepted"},
    {"tune.rcvbuf.client", kInGlobal, parse_accepted, "accepted"},
    {"tune.rcvbuf.server", kInGlobal, parse_accepted, "accepted"},
    {"tune.sndbuf.client", kInGlobal, parse_accepted, "accepted"},
    {"tune.sndbuf.server", kInGlobal, parse_accepted, "accepted"},
    {"tune.max-checks-per-thread", kInGlobal, parse_accepted, "accepted"},
    {"tune.buffers.limit", kInGlobal, parse_accepted, "accepted"},
    {"tune.listener.multi-queue", kInGlobal, parse_accepted, "accepted"},
    {"tune.sched.low-latency", kInGlobal, parse_accepted, "accepted"},
    {"cpu-map", kInGlobal, parse_accepted, "accepted"},
    {"nosplice", kInGlobal, parse_accepted, "accepted"},
    {"noreuseport", kInGlobal, parse_accepted, "accepted"},
    {"noepoll", kInGlobal, parse_accepted, "accepted"},
    {"nopoll", kInGlobal, parse_accepted, "accepted"},
    {"nogetaddrinfo", kInGlobal, parse_accepted, "accepted"},
    {"busy-polling", kInGlobal, parse_accepted, "accepted"},
    {"set-dumpable", kInGlobal, parse_accepted, "accepted"},
    {"strict-limits", kInGlobal, parse_accepted, "accepted"},
    {"insecure-fork-wanted", kInGlobal, parse_insecure_fork, "programs may be started"},
    {"external-check", kInGlobal, parse_external_check, "allow external checks"},
    {"expose-experimental-directives", kInGlobal, parse_accepted, "accepted"},
    {"maxconnrate", kInGlobal, parse_ignored_integer, "accepted"},
    {"maxsessrate", kInGlobal, parse_ignored_integer, "accepted"},
    {"maxpipes", kInGlobal, parse_ignored_integer, "accepted"},
};

}  // namespace

std::span<const KeywordRow> global_keywords() { return kRows; }

}  // namespace holdfast::proxy
