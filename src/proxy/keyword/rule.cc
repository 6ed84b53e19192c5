// Rules: acl, use_backend, use-server, tcp-request, tcp-response, stick.
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

void parse_acl(KeywordContext& c) {
  if (c.proxy->kind == ProxyConfig::Kind::kDefaults) return c.alert("'acl' not allowed in 'defaults' section.");
  const auto term = parse_condition_term(words_from(c, 2), c.options.files);
  if (!term) return c.alert("error detected while parsing ACL '{}' : {}.", c.word(1), term.error());
  c.proxy->acls[std::string(c.word(1))].push_back({*term});
}

/// `if ...` or `unless ...` from word `at` on. `what` names the rule in the errors that begin with it.
bool parse_rule_condition(KeywordContext& c, size_t at, RuleCondition* condition, std::string* error) {
  if (!c.has(at)) return true;
  condition->unless = c.word(at) == "unless";
  auto terms = parse_condition(words_from(c, at + 1), c.proxy->acls, c.options.files);
  if (!terms) {
    *error = terms.error();
    return false;
  }
  condition->terms = std::move(*terms);
  return true;
}
bool is_if(std::string_view word) { return word == "if" || word == "unless"; }

void parse_use_backend(KeywordContext& c) {
  if (c.proxy->kind == ProxyConfig::Kind::kDefaults) {
    return c.alert("'use_backend' not allowed in 'defaults' section.");
  }
  if (c.word(1).empty()) return c.alert("'use_backend' expects a backend name.");
  // COMPAT: the rule of a backend is ignored, but its target must still exist.
  c.ignored_without_frontend("use_backend");
  UseBackend rule{.backend = std::string(c.word(1)), .condition = {}, .source = c.source()};
  if (c.has(2) && !is_if(c.word(2))) {
    return c.alert("unexpected keyword '{}' after switching rule, only 'if' and 'unless' are allowed.", c.word(2));
  }
  std::string error;
  if (!parse_rule_condition(c, 2, &rule.condition, &error)) {
    return c.alert("error detected while parsing switching rule : {}.", error);
  }
  c.proxy->use_backends.push_back(std::move(rule));
}

void parse_use_server(KeywordContext& c) {
  if (c.proxy->kind == ProxyConfig::Kind::kDefaults) return c.alert("'use-server' not allowed in 'defaults' section.");
  if (c.word(1).empty()) return c.alert("'use-server' expects a server name.");
  if (c.ignored_without_backend("use-server")) return;
  UseServer rule{.server = std::string(c.word(1)), .condition = {}, .source = c.source()};
  if (!is_if(c.word(2))) {
    return c.alert("'use-server' requires either 'if' or 'unless' followed by a condition.");
  }
  std::string error;
  if (!parse_rule_condition(c, 2, &rule.condition, &error)) {
    return c.alert("error detected while parsing switching rule : {}.", error);
  }
  c.proxy->use_servers.push_back(std::move(rule));
}

void parse_default_backend(KeywordContext& c) {
  c.ignored_without_frontend("default_backend");
  if (c.word(1).empty()) return c.alert("'default_backend' expects a backend name.");
  if (c.at_most(2, "default_backend")) c.proxy->default_backend = std::string(c.word(1));
}

/// One `tcp-request` or `tcp-response` line with an action.
class RuleLine {
 public:
  RuleLine(KeywordContext& c, RuleStage stage) : c_(c) { rule_.stage = stage; }

  void run() {
    rule_.source = c_.source();
    if (!action()) return;
    if (c_.has(at_) && !is_if(c_.word(at_))) {
      return c_.alert("'{} {} {}' only accepts 'if' or 'unless', in {} '{}' (got '{}')", c_.word(0), c_.word(1),
                      c_.word(2), kind_word(*c_.proxy), c_.proxy->name, c_.word(at_));
    }
    std::string error;
    if (!parse_rule_condition(c_, at_, &rule_.condition, &error)) {
      return c_.alert("'{} {} {}' : error detected in {} '{}' while parsing '{}' condition : {}", c_.word(0),
                      c_.word(1), c_.word(2), kind_word(*c_.proxy), c_.proxy->name, c_.word(at_), error);
    }
    c_.proxy->tcp_rules.push_back(std::move(rule_));
  }

 private:
  bool action() {
    const std::string_view word = c_.word(2);
    at_ = 3;
    if (word == "accept") return set(RuleAction::kAccept);
    if (word == "reject") return set(RuleAction::kReject);
    if (word == "close" && rule_.stage == RuleStage::kResponse) return set(RuleAction::kClose);
    if (word == "silent-drop") {
      if (c_.word(3) == "rst-ttl") at_ = 5;
      return set(RuleAction::kSilentDrop);
    }
    if (word == "expect-proxy" && rule_.stage == RuleStage::kConnection) {
      if (c_.word(3) != "layer4") {
        c_.alert("'{} {} expect-proxy' only supports 'layer4' in {} '{}' (got '{}')", c_.word(0), c_.word(1),
                 kind_word(*c_.proxy), c_.proxy->name, c_.word(3));
        return false;
      }
      at_ = 4;
      return set(RuleAction::kExpectProxy);
    }
    if (word.starts_with("track-sc")) return track(word);
    if (word.starts_with("sc-inc-gpc") || word.starts_with("sc-set-gpt")) return counter(word);
    if (word.starts_with("set-var(") || word.starts_with("unset-var(")) return variable(word);
    if (word == "set-src") return with_expression(RuleAction::kSetSource);
    if (word == "set-src-port") return with_expression(RuleAction::kSetSourcePort);
    if (word == "set-dst") return with_expression(RuleAction::kSetDestination);
    if (word == "set-dst-port") return with_expression(RuleAction::kSetDestinationPort);
    if (word == "set-mark" || word == "set-tos" || word == "set-priority-class" || word == "set-priority-offset" ||
        word == "set-log-level") {
      at_ = 4;
      return set(RuleAction::kIgnored);
    }
    if (word == "capture") {
      if (!with_expression(RuleAction::kIgnored)) return false;
      at_ += 2;  // len N
      return true;
    }
    c_.alert(
        "'{} {}' expects 'accept', 'reject', 'capture', 'expect-proxy', 'expect-netscaler-cip', 'track-sc0' ... "
        "'track-sc2', 'sc-inc-gpc(*)', 'sc-inc-gpc0(*)', 'sc-inc-gpc1(*)', 'sc-set-gpt(*)', 'sc-set-gpt0(*)', "
        "'set-var-fmt(*)', 'set-var(*)', 'unset-var(*)', 'set-dst', 'set-dst-port', 'set-mark', 'set-src', "
        "'set-src-port', 'set-tos', 'silent-drop' in {} '{}' (got '{}').\n",
        c_.word(0), c_.word(1), kind_word(*c_.proxy), c_.proxy->name, word);
    return false;
  }

  bool set(RuleAction action) {
    rule_.action = action;
    return true;
  }

  bool expression_at(size_t at) {
    auto expression = parse_expression(c_.word(at), "sample expression");
    if (!expression) {
      c_.alert("{}", expression.error());
      return false;
    }
    rule_.expression = std::move(*expression);
    at_ = at + 1;
    return true;
  }
  bool with_expression(RuleAction action) { return set(action) && expression_at(3); }

  bool track(std::string_view word) {
    const auto number = conf::whole_integer(word.substr(8));
    if (!number || *number < 0 || *number > 2) {
      c_.alert("'{} {} {}' : invalid counter, only 'track-sc0' ... 'track-sc2' exist.", c_.word(0), c_.word(1), word);
      return false;
    }
    rule_.counter = static_cast<int>(*number);
    if (!with_expression(RuleAction::kTrack)) return false;
    if (c_.word(at_) == "table") {
      rule_.name = std::string(c_.word(at_ + 1));
      at_ += 2;
    }
    return true;
  }

  /// `sc-inc-gpc0(1)`, `sc-set-gpt0(0) 7`
  bool counter(std::string_view word) {
    const size_t open = word.find('(');
    if (open == std::string_view::npos || !word.ends_with(')')) {
      c_.alert("'{} {} {}' : invalid stick table track ID, it is expected in parentheses.", c_.word(0), c_.word(1),
               word);
      return false;
    }
    const std::string_view inner = word.substr(open + 1, word.size() - open - 2);
    rule_.gpc = word.substr(0, open).ends_with('1') ? 1 : 0;
    const size_t comma = inner.find(',');
    if (comma != std::string_view::npos) rule_.gpc = static_cast<int>(conf::leading_integer(inner.substr(0, comma)));
    rule_.counter =
        static_cast<int>(conf::leading_integer(comma == std::string_view::npos ? inner : inner.substr(comma + 1)));
    if (rule_.counter < 0 || rule_.counter > 2 || rule_.gpc > 1) {
      c_.alert("'{} {} {}' : invalid stick table track ID. The max allowed ID is 2.", c_.word(0), c_.word(1), word);
      return false;
    }
    if (word.starts_with("sc-inc")) return set(RuleAction::kIncrementGpc);
    set(RuleAction::kSetGpt);
    if (const auto value = conf::whole_integer(c_.word(3))) {
      auto constant = parse_expression(fmt::format("int({})", *value), "sample expression");
      rule_.expression = std::move(*constant);
      at_ = 4;
      return true;
    }
    return expression_at(3);
  }

  bool variable(std::string_view word) {
    const size_t open = word.find('(');
    const std::string_view name = word.substr(open + 1, word.size() - open - (word.ends_with(')') ? 2 : 1));
    const size_t dot = name.find('.');
    const std::string_view scope = name.substr(0, dot);
    if (dot == std::string_view::npos || (scope != "proc" && scope != "sess" && scope != "txn" && scope != "req" &&
                                          scope != "res" && scope != "check")) {
      c_.alert(
          "'{} {} {}' : invalid variable name '{}'. A variable name must be start by its scope. The scope can be "
          "'proc', 'sess', 'txn', 'req', 'res' or 'check'.",
          c_.word(0), c_.word(1), word.substr(0, open), name);
      return false;
    }
    rule_.name = std::string(name);
    if (word.starts_with("unset")) return set(RuleAction::kUnsetVariable);
    return with_expression(RuleAction::kSetVariable);
  }

  KeywordContext& c_;
  TcpRule rule_;
  size_t at_ = 3;
};

void inspect_delay(KeywordContext& c, Duration* delay) {
  const conf::TimeValue time = conf::parse_haproxy_time(c.word(2));
  if (c.word(2).empty() || time.error != conf::TimeValue::Error::kNone) {
    const std::string why = time.error == conf::TimeValue::Error::kCharacter
                                ? fmt::format(" (unexpected character '{}')", time.character)
                                : std::string();
    return c.alert("'{} inspect-delay' expects a positive delay in milliseconds, in {} '{}'{}", c.word(0),
                   kind_word(*c.proxy), c.proxy->name, why);
  }
  if (*delay > Duration{}) {
    c.warn("ignoring {} inspect-delay (was already defined) in {} '{}'", c.word(0), kind_word(*c.proxy), c.proxy->name);
    return;
  }
  *delay = time.value;
}

void parse_tcp_request(KeywordContext& c) {
  ProxyConfig& proxy = *c.proxy;
  const std::string_view stage = c.word(1);
  if (stage.empty()) return c.alert("missing argument for '{}' in {} '{}'", c.word(0), kind_word(proxy), proxy.name);
  if (stage == "inspect-delay") return inspect_delay(c, &proxy.inspect_delay);
  if (proxy.kind == ProxyConfig::Kind::kDefaults && proxy.name.empty()) {
    return c.alert("{} {}: unsupported with {} in an anonymous 'defaults' section", c.word(0), stage, c.word(0));
  }
  if (stage == "content") return RuleLine(c, RuleStage::kContent).run();
  if (stage == "connection" || stage == "session") {
    if (proxy.kind == ProxyConfig::Kind::kBackend) {
      return c.alert("{} {} is not allowed because {} {} is not a frontend", c.word(0), stage, kind_word(proxy),
                     proxy.name);
    }
    return RuleLine(c, stage == "session" ? RuleStage::kSession : RuleStage::kConnection).run();
  }
  c.alert("'{}' expects 'inspect-delay', 'connection', or 'content' in {} '{}' (got '{}')", c.word(0), kind_word(proxy),
          proxy.name, stage);
}

void parse_tcp_response(KeywordContext& c) {
  ProxyConfig& proxy = *c.proxy;
  if (c.word(1) == "inspect-delay") return inspect_delay(c, &proxy.response_inspect_delay);
  if (c.word(1) != "content") {
    return c.alert("'{}' expects 'inspect-delay' or 'content' in {} '{}' (got '{}')", c.word(0), kind_word(proxy),
                   proxy.name, c.word(1));
  }
  if (proxy.kind == ProxyConfig::Kind::kFrontend) {
    return c.alert("{} content rule not allowed in frontend", c.word(0));
  }
  RuleLine(c, RuleStage::kResponse).run();
}

void parse_stick(KeywordContext& c) {
  if (c.ignored_without_backend("stick")) return;
  const std::string_view what = c.word(1);
  StickRule rule;
  rule.source = c.source();
  if (what == "match") {
    rule.store = false;
  } else if (what == "store-request") {
    rule.match = false;
  } else if (what == "store-response") {
    return c.alert("'stick store-response' is not supported by this version.");
  } else if (what != "on") {
    return c.alert("'stick' expects 'match', 'on', 'store-request' or 'store-response'.");
  }
  auto expression = parse_expression(c.word(2), "sample expression");
  if (!expression) return c.alert("'stick': {}", expression.error());
  rule.expression = std::move(*expression);
  size_t at = 3;
  if (c.word(at) == "table") {
    rule.table = std::string(c.word(at + 1));
    at += 2;
  }
  if (c.has(at) && !is_if(c.word(at))) {
    return c.alert("'stick': unexpected keyword '{}', only 'if' and 'unless' are allowed.", c.word(at));
  }
  std::string error;
  if (!parse_rule_condition(c, at, &rule.condition, &error)) {
    return c.alert("'stick': error detected while parsing sticking condition : {}.", error);
  }
  c.proxy->stick_rules.push_back(std::move(rule));
}

constexpr KeywordRow kRows[] = {
    {"acl", kInProxies, parse_acl, "a named condition"},
    {"use_backend", kInProxies, parse_use_backend, "a backend for connections that meet a condition"},
    {"default_backend", kInProxies, parse_default_backend, "the backend of all other connections"},
    {"use-server", kInProxies, parse_use_server, "a server for connections that meet a condition"},
    {"tcp-request", kInProxies, parse_tcp_request, "rules for connections, sessions and what clients send"},
    {"tcp-response", kInProxies, parse_tcp_response, "rules for what servers send"},
    {"stick", kInProxies, parse_stick, "keep clients on the server they had"},
};

}  // namespace

std::span<const KeywordRow> routing_keywords() { return kRows; }

}  // namespace holdfast::proxy
