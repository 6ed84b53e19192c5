// What a listener in `mode http` answers by itself: monitor-uri, monitor fail, stats, http-request.
#include <algorithm>

#include "conf/haproxy_value.h"
#include "proxy/condition.h"
#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

std::vector<std::string_view> words_from(const KeywordContext& c, size_t first) {
  std::vector<std::string_view> words;
  for (size_t i = first; i < c.count(); ++i) words.push_back(c.word(i));
  return words;
}

/// `if ...` or `unless ...` at word `at`; nothing = always. The error is empty when it is fine.
std::string read_condition(KeywordContext& c, size_t at, RuleCondition* condition) {
  if (!c.has(at)) return "";
  if (c.word(at) != "if" && c.word(at) != "unless") return fmt::format("unexpected argument '{}'", c.word(at));
  condition->unless = c.word(at) == "unless";
  auto terms = parse_condition(words_from(c, at + 1), c.proxy->acls, c.options.files);
  if (!terms) return terms.error();
  condition->terms = std::move(*terms);
  return "";
}

void parse_monitor_uri(KeywordContext& c) {
  remember_http_only(c);
  if (c.word(1).empty()) return c.alert("'monitor-uri' expects an URI.");
  c.proxy->http.monitor_uri = std::string(c.word(1));
}

void parse_monitor(KeywordContext& c) {
  if (c.word(1) != "fail") return c.alert("'monitor' only supports 'fail'.");
  RuleCondition condition;
  if (const std::string error = read_condition(c, 2, &condition); !error.empty()) {
    return c.alert("error detected while parsing a 'monitor fail' condition : {}.", error);
  }
  c.proxy->http.monitor_failures.push_back(std::move(condition));
}

/// Options of return, deny and redirect: pairs of words up to the condition. Returns where they end.
size_t reply_options(KeywordContext& c, size_t at, HttpRule* rule) {
  for (; c.has(at) && c.word(at) != "if" && c.word(at) != "unless"; at += 2) {
    const std::string_view name = c.word(at);
    const std::string value(c.word(at + 1));
    if (name == "status" || name == "deny_status" || name == "code") {
      rule->status = static_cast<int>(conf::leading_integer(value));
    } else if (name == "content-type") {
      rule->content_type = value;
    } else if (name == "string") {
      rule->body = value;
    } else if (name == "lf-string") {
      rule->body = value;
      if (value.find('%') != std::string::npos) rule->problem = "log-format strings are not supported";
    } else if (name == "file") {
      const auto text =
          c.options.files == nullptr ? std::unexpected(std::string("no files")) : c.options.files->read(value);
      if (!text) rule->problem = fmt::format("unable to read file '{}' : {}", value, text.error());
      if (text) rule->body = *text;
    } else if (name == "hdr") {
      rule->fields.emplace_back(value, c.word(at + 2));
      ++at;
    } else if (name == "location" || name == "prefix") {
      rule->location = value;
    } else {
      rule->problem = fmt::format("'{}' is not supported", name);
      return at;
    }
  }
  return at;
}

void parse_http_request(KeywordContext& c) {
  remember_http_only(c);
  HttpRule rule;
  rule.source = c.source();
  const std::string_view action = c.word(1);
  size_t at = 2;
  using Action = HttpRule::Action;
  if (action == "return") {
    rule.action = Action::kReturn;
    at = reply_options(c, at, &rule);
  } else if (action == "deny" || action == "reject" || action == "silent-drop") {
    rule.action = Action::kDeny;
    rule.status = 403;
    at = reply_options(c, at, &rule);
  } else if (action == "redirect") {
    rule.action = Action::kRedirect;
    rule.status = 302;
    at = reply_options(c, at, &rule);
  } else if (action == "allow") {
    rule.action = Action::kAllow;
  } else if (action == "use-service" && c.word(2) == "prometheus-exporter") {
    rule.action = Action::kPrometheus;
    at = 3;
  } else {
    rule.problem = fmt::format("the action '{}' needs HTTP proxying, which is not supported", action);
    at = c.count();
  }
  // In a TCP section the rule is ignored whatever it says.
  if (const std::string error = read_condition(c, at, &rule.condition); !error.empty() && rule.problem.empty()) {
    rule.problem = error;
  }
  if (rule.status < 200 || rule.status > 599) rule.problem = fmt::format("invalid status code '{}'", rule.status);
  c.proxy->http.rules.push_back(std::move(rule));
}

void parse_stats(KeywordContext& c) {
  remember_http_only(c);
  StatsConfig& stats = c.proxy->http.stats;
  const std::string_view what = c.word(1);
  const std::string value(c.word(2));
  stats.enabled = true;  // COMPAT: any stats line enables them
  if (what == "enable" || what == "show-legends" || what == "show-modules" || what == "http-request") return;
  if (what == "uri") {
    if (value.empty()) return c.alert("'uri' needs an URI prefix.");
    stats.uri = value;
  } else if (what == "realm") {
    stats.realm = value;
  } else if (what == "refresh") {
    const conf::TimeValue time = conf::parse_haproxy_time(value, true);
    if (value.empty() || time.error != conf::TimeValue::Error::kNone) {
      return c.alert("unexpected character '{}' in 'stats refresh' interval", time.character);
    }
    stats.refresh_seconds = static_cast<int>(to_ms(time.value) / 1000);
  } else if (what == "auth") {
    if (value.empty()) return c.alert("'auth' needs a user:password account.");
    stats.users.push_back(value);
  } else if (what == "scope") {
    if (value.empty()) return c.alert("'scope' needs a proxy name.");
    stats.scope.push_back(value);
  } else if (what == "hide-version") {
    stats.hide_version = true;
  } else if (what == "show-node") {
    stats.node = value;
  } else if (what == "show-desc") {
    stats.description = value;
  } else if (what == "admin") {
    RuleCondition condition;
    if (const std::string error = read_condition(c, 2, &condition); !error.empty()) {
      return c.alert("error detected while parsing a 'stats admin' rule : {}.", error);
    }
    stats.admin = std::move(condition);
  } else {
    c.alert(
        "unknown stats parameter '{}' (expects 'hide-version', 'refresh', 'uri', 'admin', 'scope', 'realm', 'auth', "
        "'enable', 'show-node', 'show-desc', 'show-legends').",
        what);
  }
}

constexpr KeywordRow kRows[] = {
    {"monitor-uri", kInProxies, parse_monitor_uri, "the URI that answers 200 while the proxy is well"},
    {"monitor", kInProxies, parse_monitor, "conditions under which monitor-uri answers 503"},
    {"http-request", kInProxies, parse_http_request, "replies of a listener that answers by itself"},
    {"stats", kInProxies, parse_stats, "the statistics page"},
};

}  // namespace

void remember_http_only(KeywordContext& c) {
  const std::string name(c.word(0));
  auto& seen = c.proxy->http_only;
  if (std::ranges::find(seen, name) == seen.end()) seen.push_back(name);
}

std::span<const KeywordRow> http_keywords() { return kRows; }

}  // namespace holdfast::proxy
