// Directives of proxies: mode, timeouts, limits, balancing. Options, servers, checks and routing have files of their
// own.
#include <algorithm>

#include "conf/haproxy_value.h"
#include "proxy/address_spec.h"
#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

void parse_mode(KeywordContext& c) {
  const std::string_view mode = c.word(1);
  if (mode == "tcp") {
    if (c.at_most(2, "mode tcp")) c.proxy->http.enabled = false;
    return;
  }
  if (mode == "http") {
    // Whether the section only answers by itself is known at its end.
    if (c.at_most(2, "mode http")) c.proxy->http.enabled = true;
    return;
  }
  if (mode == "health") {
    return c.alert("'mode health' doesn't exist anymore. Please use 'http-request return status 200' instead.");
  }
  c.alert("unknown proxy mode '{}'.", mode);
}

enum class Side : uint8_t { kFrontend, kBackend, kAny };
struct TimeoutRow {
  std::string_view name;
  Duration Timeouts::* field;
  Side side;
};
constexpr TimeoutRow kTimeouts[] = {
    {"client", &Timeouts::client, Side::kFrontend},
    {"server", &Timeouts::server, Side::kBackend},
    {"connect", &Timeouts::connect, Side::kBackend},
    {"check", &Timeouts::check, Side::kBackend},
    {"queue", &Timeouts::queue, Side::kBackend},
    {"tunnel", &Timeouts::tunnel, Side::kBackend},
    {"client-fin", &Timeouts::client_fin, Side::kFrontend},
    {"server-fin", &Timeouts::server_fin, Side::kBackend},
    {"http-request", &Timeouts::http_request, Side::kAny},
    {"http-keep-alive", &Timeouts::http_keep_alive, Side::kAny},
    {"tarpit", &Timeouts::tarpit, Side::kAny},
};

void parse_timeout(KeywordContext& c) {
  const TimeoutRow* row = nullptr;
  for (const TimeoutRow& candidate : kTimeouts) {
    if (candidate.name == c.word(1)) row = &candidate;
  }
  if (row == nullptr) {
    return c.alert(
        "'timeout' supports 'client', 'server', 'connect', 'check', 'queue', 'http-keep-alive', "
        "'http-request', 'tunnel', 'tarpit', 'client-fin' and 'server-fin' (got '{}')",
        c.word(1));
  }
  const std::string name = fmt::format("timeout {}", row->name);
  if (c.word(2).empty()) return c.alert("'{}' expects an integer value (in milliseconds)", name);
  const conf::TimeValue value = conf::parse_haproxy_time(c.word(2));
  if (value.error != conf::TimeValue::Error::kNone) return c.alert("{}", conf::time_error_text(value, c.word(2), name));
  if (c.has(3)) return c.alert("'{}' : unexpected extra argument '{}' after value '{}'.", name, c.word(3), c.word(2));
  const ProxyConfig& proxy = *c.proxy;
  const bool defaults = proxy.kind == ProxyConfig::Kind::kDefaults;
  if (!defaults && row->side == Side::kFrontend && !proxy.is_frontend()) {
    c.warn("'{}' will be ignored because {} '{}' has no frontend capability", name, kind_word(proxy), proxy.name);
  } else if (!defaults && row->side == Side::kBackend && !proxy.is_backend()) {
    c.warn("'{}' will be ignored because {} '{}' has no backend capability", name, kind_word(proxy), proxy.name);
  } else if (!defaults && c.proxy->timeouts.*row->field != proxy.inherited_timeouts.*row->field) {
    c.warn("overwriting '{}' which was already specified", name);
  }
  c.proxy->timeouts.*row->field = value.value;
}

void parse_maxconn(KeywordContext& c) {
  if (c.ignored_without_frontend("maxconn", " Maybe you want 'fullconn' instead ?")) return;
  if (c.word(1).empty()) return c.alert("'maxconn' expects an integer argument.");
  if (c.at_most(2, "maxconn")) c.proxy->maxconn = conf::leading_integer(c.word(1));
}
void parse_fullconn(KeywordContext& c) {
  if (c.ignored_without_backend("fullconn")) return;
  if (c.word(1).empty()) return c.alert("'fullconn' expects an integer argument.");
  if (c.at_most(2, "fullconn")) c.proxy->fullconn = conf::leading_integer(c.word(1));
}
void parse_backlog(KeywordContext& c) {
  if (c.ignored_without_frontend("backlog")) return;
  if (c.word(1).empty()) return c.alert("'backlog' expects an integer argument.");
  if (c.at_most(2, "backlog")) {
    c.proxy->backlog = static_cast<int>(std::clamp<int64_t>(conf::leading_integer(c.word(1)), 0, INT32_MAX));
  }
}
void parse_retries(KeywordContext& c) {
  if (c.ignored_without_backend("retries")) return;
  if (c.word(1).empty()) {
    return c.alert("'retries' expects an integer argument (dispatch counts for one).");
  }
  if (c.at_most(2, "retries")) {
    c.proxy->retries = static_cast<int>(std::clamp<int64_t>(conf::leading_integer(c.word(1)), 0, 1'000'000));
  }
}
/// `random(3)`: the number in parentheses, or an error text.
bool random_draws(KeywordContext& c, std::string_view text) {
  if (text.empty()) return true;
  const std::string_view inner = text.ends_with(')') ? text.substr(1, text.size() - 2) : text.substr(1);
  const auto draws = conf::whole_integer(inner);
  if (!draws) {
    const size_t bad = inner.find_first_not_of("0123456789");
    c.alert("balance random : unexpected character '{}' after argument.", bad < inner.size() ? inner[bad] : ')');
    return false;
  }
  if (*draws <= 0 || *draws > 1000) {
    c.alert("balance random : the number of draws must be at least 1.");
    return false;
  }
  c.proxy->balance.random_draws = static_cast<int>(*draws);
  return true;
}

void parse_balance(KeywordContext& c) {
  if (c.ignored_without_backend("balance")) return;
  const std::string_view name = c.word(1);
  BalanceConfig& balance = c.proxy->balance;
  if (name.empty() || name == "roundrobin") {
    balance.algorithm = Algorithm::kRoundRobin;
  } else if (name == "static-rr") {
    balance.algorithm = Algorithm::kStaticRr;
  } else if (name == "leastconn") {
    balance.algorithm = Algorithm::kLeastConn;
  } else if (name == "first") {
    balance.algorithm = Algorithm::kFirst;
  } else if (name == "source") {
    balance.algorithm = Algorithm::kSource;
  } else if (name == "random" || name.starts_with("random(")) {
    if (random_draws(c, name.substr(6))) balance.algorithm = Algorithm::kRandom;
  } else if (name == "uri" || name == "url_param" || name.starts_with("hdr(") || name.starts_with("rdp-cookie") ||
             name == "hash") {
    c.alert("'balance {}' is not supported by this version.", name);
  } else {
    c.alert(
        "balance only supports 'roundrobin', 'static-rr', 'leastconn', 'source', 'uri', 'url_param', 'hdr(name)' "
        "and 'rdp-cookie(name)' options.");
  }
}

void parse_hash_type(KeywordContext& c) {
  if (c.ignored_without_backend("hash-type")) return;
  if (c.word(1) != "consistent" && c.word(1) != "map-based") {
    return c.alert("'hash-type' only supports 'consistent' and 'map-based'.");
  }
  c.proxy->balance.consistent = c.word(1) == "consistent";
}

void parse_id(KeywordContext& c) {
  if (c.proxy->kind == ProxyConfig::Kind::kDefaults) return c.alert_tight("'id' not allowed in 'defaults' section.");
  if (c.word(1).empty()) return c.alert_tight("'id' expects an integer argument.");
  const int64_t value = conf::leading_integer(c.word(1));
  if (value <= 0 || value > INT32_MAX) return c.alert_tight("custom id has to be > 0.");
  for (const ProxyConfig& other : c.config.proxies) {
    if (&other != c.proxy && other.forced_id && other.id == value) {
      return c.alert_tight("{} {} reuses same custom id as {} {} (declared at {}:{}).", kind_word(*c.proxy),
                           c.proxy->name, kind_word(other), other.name, other.source.file, other.source.line);
    }
  }
  c.proxy->id = static_cast<uint32_t>(value);
  c.proxy->forced_id = true;
}

void parse_description(KeywordContext& c) {
  if (c.word(1).empty()) return c.alert_tight("'description' expects a string argument.");
  c.proxy->description.clear();
  for (size_t i = 1; i < c.count(); ++i) c.proxy->description += (i > 1 ? " " : "") + std::string(c.word(i));
}

void parse_disabled(KeywordContext& c) {
  if (c.at_most(1, c.word(0))) c.proxy->disabled = c.word(0) == "disabled";
}

void parse_source(KeywordContext& c) {
  if (c.ignored_without_backend("source")) return;
  if (c.word(1).empty()) {
    return c.alert("'source' expects <addr>[:<port>], and optionally 'usesrc' <addr>, and 'interface' <name>.");
  }
  AddressRules rules;
  rules.names = c.options.names;
  const auto spec = parse_address(c.word(1), rules);
  if (!spec) return c.alert("'source' : {}", spec.error());
  if (c.has(2)) return c.alert("'source {}' is not supported by this version.", c.word(2));
  c.proxy->bind_source = spec->address;
}

void parse_log_format(KeywordContext& c) {
  if (c.word(1).empty()) return c.alert("{} expects an argument.", c.word(0));
  if (c.has(2)) return c.alert("{} expects only one argument, don't forget to escape spaces!", c.word(0));
  if (c.word(0) == "log-format") {
    c.proxy->log_format = std::string(c.word(1));
    c.proxy->log_format_source = c.source();
    c.proxy->tcplog = false;
  }
}
void parse_log_tag(KeywordContext& c) {
  if (c.word(1).empty()) return c.alert("'log-tag' expects a tag for use in syslog.");
  if (c.at_most(2, "log-tag")) c.proxy->log_tag = std::string(c.word(1));
}

void parse_rate_limit(KeywordContext& c) {
  if (c.word(1) != "sessions") return c.alert("'rate-limit' only supports 'sessions' (got '{}').", c.word(1));
  if (c.ignored_without_frontend("rate-limit sessions")) return;
  if (c.word(2).empty()) return c.alert("'rate-limit sessions' expects a numeric value.");
  const auto value = conf::whole_integer(c.word(2));
  if (!value || *value < 0) return c.alert("unparsable number '{}' in 'rate-limit sessions'.", c.word(2));
  c.proxy->rate_limit_sessions = *value;
}

void parse_external_check(KeywordContext& c) {
  const std::string_view what = c.word(1);
  if (what.empty()) return c.alert("missing argument after 'external-check'.\n");
  if (what != "command" && what != "path") {
    return c.alert("'external-check' only supports 'command' and 'path'. but got '{}'.", what);
  }
  if (!c.at_most(3, c.word(0))) return;
  if (c.word(2).empty()) return c.alert("missing argument after '{}'.", what);
  (what == "command" ? c.proxy->check_command : c.proxy->check_path) = std::string(c.word(2));
}

void parse_load_state(KeywordContext& c) {
  if (c.ignored_without_backend("load-server-state-from-file")) return;
  if (!c.at_most(2, c.word(0))) return;
  const std::string_view from = c.word(1);
  if (from == "global") {
    c.proxy->state_file = StateFile::kGlobal;
  } else if (from == "local") {
    c.proxy->state_file = StateFile::kLocal;
  } else if (from == "none") {
    c.proxy->state_file = StateFile::kNone;
  } else {
    c.alert("'load-server-state-from-file' expects 'global', 'local' or 'none'. Got '{}'", from);
  }
}

void parse_state_name(KeywordContext& c) {
  if (c.ignored_without_backend("server-state-file-name") || !c.at_most(2, c.word(0))) return;
  c.proxy->state_file_name = c.word(1) == "use-backend-name" ? std::string() : std::string(c.word(1));
}

void parse_http_only(KeywordContext& c) { remember_http_only(c); }
void parse_accepted(KeywordContext&) {}
void parse_unsupported(KeywordContext& c) { c.alert("'{}' is not supported by this version.", c.word(0)); }

void parse_removed(KeywordContext& c) {
  const std::string_view name = c.word(0);
  if (name == "redispatch") {
    return c.alert(
        "keyword 'redispatch' directive is not supported anymore since HAProxy 2.1. Use 'option redispatch'.");
  }
  const std::string_view use = name == "clitimeout"   ? "timeout client"
                               : name == "srvtimeout" ? "timeout server"
                                                      : "timeout connect";
  c.alert("the '{}' directive is not supported anymore since HAProxy 2.1. Use '{}'.", name, use);
}

constexpr KeywordRow kRows[] = {
    {"mode", kInProxies, parse_mode, "tcp"},
    {"timeout", kInProxies, parse_timeout, "client, server, connect, check, queue, tunnel, client-fin, server-fin"},
    {"maxconn", kInProxies, parse_maxconn, "connections of a frontend"},
    {"fullconn", kInProxies, parse_fullconn, "load at which servers take their maxconn"},
    {"backlog", kInProxies, parse_backlog, "connections the kernel may hold before they are accepted"},
    {"retries", kInProxies, parse_retries, "attempts to connect after a failure"},
    {"rate-limit", kInProxies, parse_rate_limit, "new sessions per second"},
    {"balance", kInProxies, parse_balance, "how a server is chosen; random when absent"},
    {"hash-type", kInProxies, parse_hash_type, "map-based or consistent"},
    {"id", kInProxies, parse_id, "number of the proxy in statistics"},
    {"guid", kInProxies, parse_accepted, "accepted"},
    {"description", kInProxies, parse_description, "text shown in statistics"},
    {"disabled", kInProxies, parse_disabled, "the proxy does not start"},
    {"enabled", kInProxies, parse_disabled, "revert `disabled`"},
    {"source", kInProxies, parse_source, "local address of connections to servers"},
    {"log-format", kInProxies, parse_log_format, "shape of session log lines"},
    {"error-log-format", kInProxies, parse_log_format, "accepted"},
    {"log-tag", kInProxies, parse_log_tag, "tag of log lines"},
    {"http-response", kInProxies, parse_http_only, "HTTP only"},
    {"http-after-response", kInProxies, parse_http_only, "HTTP only"},
    {"cookie", kInProxies, parse_http_only, "HTTP only"},
    {"errorfile", kInProxies, parse_http_only, "HTTP only"},
    {"compression", kInProxies, parse_http_only, "HTTP only"},
    {"load-server-state-from-file", kInProxies, parse_load_state, "global, local, none: states of the process before"},
    {"server-state-file-name", kInProxies, parse_state_name, "the local state file"},
    {"filter", kInProxies, parse_unsupported, "not yet"},
    {"email-alert", kInProxies, parse_unsupported, "not yet"},
    {"external-check", kInProxies, parse_external_check, "command, path: the program of `option external-check`"},
    {"dispatch", kInProxies, parse_unsupported, "not yet"},
    {"redispatch", kInProxies, parse_removed, "removed"},
    {"contimeout", kInProxies, parse_removed, "removed"},
    {"clitimeout", kInProxies, parse_removed, "removed"},
    {"srvtimeout", kInProxies, parse_removed, "removed"},
};

}  // namespace

std::span<const KeywordRow> section_keywords() { return kRows; }

}  // namespace holdfast::proxy
