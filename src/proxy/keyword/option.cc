// `option X`, `no option X`, `default option X`.
#include "conf/haproxy_value.h"
#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

enum class Side : uint8_t { kFrontend, kBackend, kBoth };
struct FlagRow {
  std::string_view name;
  bool ProxyConfig::* field;  // null = accepted without meaning
  Side side;
};
constexpr FlagRow kFlags[] = {
    {"log-health-checks", &ProxyConfig::log_health_checks, Side::kBackend},
    {"redis-fast-check", &ProxyConfig::redis_fast_check, Side::kBackend},
    {"logasap", &ProxyConfig::logasap, Side::kFrontend},
    {"dontlognull", &ProxyConfig::dontlognull, Side::kFrontend},
    {"dontlog-normal", &ProxyConfig::dontlog_normal, Side::kFrontend},
    {"log-separate-errors", &ProxyConfig::log_separate_errors, Side::kFrontend},
    {"allbackups", &ProxyConfig::allbackups, Side::kBackend},
    {"nolinger", &ProxyConfig::nolinger, Side::kBoth},
    {"abortonclose", &ProxyConfig::abortonclose, Side::kBackend},
    {"clitcpka", &ProxyConfig::tcp_keepalive_client, Side::kFrontend},
    {"srvtcpka", &ProxyConfig::tcp_keepalive_server, Side::kBackend},
    {"contstats", nullptr, Side::kFrontend},
    {"socket-stats", nullptr, Side::kFrontend},
    {"independent-streams", nullptr, Side::kBoth},
    {"persist", nullptr, Side::kBackend},
    {"prefer-last-server", nullptr, Side::kBackend},
    {"splice-auto", nullptr, Side::kBoth},
    {"splice-request", nullptr, Side::kBoth},
    {"splice-response", nullptr, Side::kBoth},
    {"tcp-smart-accept", nullptr, Side::kFrontend},
    {"tcp-smart-connect", nullptr, Side::kBackend},
    {"http-use-proxy-header", nullptr, Side::kFrontend},
    {"http-keep-alive", nullptr, Side::kBoth},
    {"http-server-close", nullptr, Side::kBoth},
    {"httpclose", nullptr, Side::kBoth},
    {"http-pretend-keepalive", nullptr, Side::kBackend},
    {"http-buffer-request", nullptr, Side::kBoth},
    {"http-ignore-probes", nullptr, Side::kFrontend},
    {"idle-close-on-response", nullptr, Side::kFrontend},
};
bool wrong_side(KeywordContext& c, Side side, std::string_view name) {
  if (side == Side::kBackend) return c.ignored_without_backend(name);
  if (side == Side::kFrontend) return c.ignored_without_frontend(name);
  return false;
}

/// True when `name` was a plain flag.
bool flag_option(KeywordContext& c, std::string_view name) {
  for (const FlagRow& row : kFlags) {
    if (row.name != name) continue;
    if (wrong_side(c, row.side, name)) return true;
    if (c.at_most(2, name) && row.field != nullptr) c.proxy->*row.field = !c.negated;
    return true;
  }
  if (name == "tcpka") {
    if (!c.at_most(2, name)) return true;
    c.proxy->tcp_keepalive_client = c.proxy->tcp_keepalive_server = !c.negated;
    return true;
  }
  return false;
}

void redispatch(KeywordContext& c) {
  if (c.ignored_without_backend("redispatch")) return;
  c.proxy->redispatch = !c.negated;
  if (c.negated) return;
  c.proxy->redispatch_interval = -1;
  if (!c.has(2)) return;
  const auto interval = conf::whole_integer(c.word(2));
  if (!interval || *interval < -1000 || *interval > 1000) {
    return c.alert("invalid redispatch interval '{}'", c.word(2));
  }
  c.at_most(3, "option redispatch");
  c.proxy->redispatch_interval = static_cast<int>(*interval);
}

void tcplog(KeywordContext& c, std::string_view name) {
  ProxyConfig& proxy = *c.proxy;
  if (proxy.kind == ProxyConfig::Kind::kBackend) {
    return c.warn("{} '{}' : 'option {}' directive is ignored in backends.", kind_word(proxy), proxy.name, name);
  }
  if (name == "httplog") {
    proxy.tcplog = true;
    proxy.httplog_source = c.source();
    return;
  }
  if (!c.at_most(2, "option tcplog")) return;
  proxy.tcplog = true;
  proxy.httplog_source.reset();
  proxy.log_format.clear();
}

void parse_option(KeywordContext& c) {
  const std::string_view name = c.word(1);
  if (name.empty()) return c.alert_tight("'option' expects an option name.");
  if (flag_option(c, name)) return;
  if (name == "redispatch") return redispatch(c);
  if (c.negated) return c.alert_tight("negation/default is not supported for option '{}'.", name);
  if (name == "tcplog" || name == "httplog") return tcplog(c, name);
  if (parse_check_option(c, name)) return;
  if (name == "forwardfor" || name == "originalto") {
    c.proxy->http_only.push_back(fmt::format("option {}", name));
    return;
  }
  c.alert("unknown option '{}'.", name);
}

constexpr KeywordRow kRows[] = {
    {"option", kInProxies, parse_option, "switches: tcp-check, redis-check, tcplog, redispatch, ..."},
};

}  // namespace

std::span<const KeywordRow> option_keywords() { return kRows; }

}  // namespace holdfast::proxy
