#include "proxy/config_lint.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/check/redis_role.h"
#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

/// `10.0.0.1` is also found in `10.0.0.12`: an address pattern should end in what follows it on the wire.
bool is_bare_address(const CheckRule& rule) {
  if (rule.kind != CheckRule::Kind::kExpect || rule.match != MatchKind::kString) return false;
  return is_numeric_host(rule.data) && rule.data.find('.') != std::string::npos;
}

void lint_rules(const ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  auto say = [&](const CheckRule& rule, std::string_view text) {
    diagnostics.add(conf::Severity::kDiag, fmt::format("config : {} '{}' : tcp-check step {} : {}", kind_word(proxy),
                                                       proxy.name, rule.step + 1, text));
  };
  for (const CheckRule& rule : proxy.tcp_check_rules.rules) {
    if (rule.kind == CheckRule::Kind::kSend && rule.data.ends_with("\\r\\n")) {
      say(rule, "the string ends in a literal \\r\\n (written '\\\\r\\\\n'); write '\\r\\n' for an end of line.");
    }
    if (is_bare_address(rule)) {
      say(rule,
          fmt::format("'{}' is found inside longer addresses, too; add what follows it in the reply.", rule.data));
    }
    const bool bare_role = rule.kind == CheckRule::Kind::kExpect && rule.data == "master";
    if (bare_role) say(rule, "'master' is found in a replica's answer, too, if the name of its primary contains it.");
  }
}

void lint_sessions(const ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  if (!asks_redis_role(proxy.check_program) || proxy.redis_primary.configured()) return;
  for (const ServerConfig& server : proxy.servers) {
    if (!server.check.enabled || server.on_marked_down_shutdown) continue;
    diagnostics.add(
        conf::Severity::kDiag,
        fmt::format(
            "config : {} '{}' : server '{}' has no 'on-marked-down shutdown-sessions': sessions stay on it after "
            "it was demoted and are told -READONLY.",
            kind_word(proxy), proxy.name, server.name));
    return;  // once per backend
  }
}

}  // namespace

void lint_config(const Config& config, conf::Diagnostics& diagnostics) {
  for (const ProxyConfig& proxy : config.proxies) {
    if (!proxy.is_backend()) continue;
    lint_rules(proxy, diagnostics);
    lint_sessions(proxy, diagnostics);
  }
  for (const SentinelsConfig& section : config.sentinels) {
    if (section.members.size() == 2) {
      diagnostics.add(
          conf::Severity::kDiag,
          fmt::format("config : sentinels '{}' : two Sentinels have no majority when one is lost.", section.name));
    }
  }
}

}  // namespace holdfast::proxy
