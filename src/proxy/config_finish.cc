// What is only known once every file was read: references between proxies, ids, check programs, and the warnings that
// HAProxy gives at that point, in its order.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "codec/dns.h"
#include "conf/haproxy_value.h"
#include "proxy/check/redis_role.h"
#include "proxy/config_parser.h"
#include "proxy/keyword/keyword.h"
#include "proxy/log_line.h"
#include "proxy/tls/prepare.h"

namespace holdfast::proxy {
namespace {

const ProxyConfig* find_backend(const Config& config, std::string_view name) {
  for (const ProxyConfig& proxy : config.proxies) {
    if (proxy.is_backend() && proxy.name == name) return &proxy;
  }
  return nullptr;
}

void check_references(const Config& config, const ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  auto require = [&](std::string_view keyword, const std::string& name) {
    if (name.empty() || find_backend(config, name) != nullptr) return;
    diagnostics.alert(fmt::format("config : Proxy '{}': unable to find required {}: '{}'.", proxy.name, keyword, name));
  };
  require("default_backend", proxy.default_backend);
  for (const UseBackend& rule : proxy.use_backends) require("use_backend", rule.backend);
  for (const UseServer& rule : proxy.use_servers) {
    if (std::ranges::find(proxy.servers, rule.server, &ServerConfig::name) != proxy.servers.end()) continue;
    diagnostics.alert(fmt::format("config : {} '{}' : unable to find server '{}' referenced in a 'use-server' rule.",
                                  kind_word(proxy), proxy.name, rule.server));
  }
}

void check_timeouts(const ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  const Timeouts& t = proxy.timeouts;
  const bool client = proxy.is_frontend() && t.client == Duration{};
  const bool server =
      proxy.is_backend() && !proxy.servers.empty() && (t.connect == Duration{} || t.server == Duration{});
  if (!client && !server) return;
  diagnostics.warn(
      fmt::format("config : missing timeouts for {} '{}'.\n"
                  "   | While not properly invalid, you will certainly encounter various problems\n"
                  "   | with such a configuration. To fix this, please ensure that all following\n"
                  "   | timeouts are set to a non-zero value: 'client', 'connect', 'server'.",
                  kind_word(proxy), proxy.name));
}

/// In `mode http` a section answers by itself or not at all.
void check_http_mode(const ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  const bool forwards = !proxy.servers.empty() || !proxy.default_backend.empty() || !proxy.use_backends.empty();
  if (forwards) {
    diagnostics.alert(fmt::format(
        "config : {} '{}' : 'mode http' is not supported with servers or backends: only 'mode tcp' forwards. In "
        "'mode http' a section answers by itself (monitor-uri, stats, http-request return, deny, redirect, "
        "use-service prometheus-exporter).",
        kind_word(proxy), proxy.name));
  }
  for (const HttpRule& rule : proxy.http.rules) {
    if (rule.problem.empty()) continue;
    diagnostics.alert(fmt::format("config : parsing [{}:{}] : 'http-request' : {}.", rule.source.file, rule.source.line,
                                  rule.problem));
  }
}

void check_http_only(const ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  if (proxy.http.enabled) return check_http_mode(proxy, diagnostics);
  auto each = [&](auto matches, std::string_view format) {
    for (const std::string& name : proxy.http_only) {
      if (matches(name)) diagnostics.warn(fmt::format(fmt::runtime(format), name, kind_word(proxy), proxy.name));
    }
  };
  each([](const std::string& name) { return name == "cookie"; },
       "config : {} will be ignored for {} '{}' (needs 'mode http').");
  if (proxy.httplog_source && proxy.is_frontend()) {
    diagnostics.warn(
        fmt::format("config : parsing [{}:{}] : 'option httplog' not usable with {} '{}' (needs 'mode "
                    "http'). Falling back to 'option tcplog'.",
                    proxy.httplog_source->file, proxy.httplog_source->line, kind_word(proxy), proxy.name));
  }
  each([](const std::string& name) { return name == "stats" || name == "monitor-uri"; },
       "config : '{}' statement ignored for {} '{}' as it requires HTTP mode.");
  each([](const std::string& name) { return name.starts_with("http-"); },
       "config : '{}' rules ignored for {} '{}' as they require HTTP mode.");
  each([](const std::string& name) { return name.starts_with("option "); },
       "config : '{}' ignored for {} '{}' as it requires HTTP mode.");
}

/// Names of backends, frontends and servers that fetches are given must exist.
void check_fetch(const Config& config, const ProxyConfig& proxy, const Expression& expression, const Source& at,
                 conf::Diagnostics& diagnostics) {
  const std::string_view fetch = fetch_at(expression.fetch).name;
  const bool backends =
      fetch == "nbsrv" || fetch.starts_with("be_") || fetch == "connslots" || fetch == "queue" || fetch == "avg_queue";
  const bool servers = fetch.starts_with("srv_");
  if (expression.arguments.empty() || (!backends && !servers)) return;
  const std::string& name = expression.arguments[0];
  auto complain = [&](std::string_view what, std::string_view missing) {
    diagnostics.alert(fmt::format(
        "config : parsing [{}:{}]: unable to find {} '{}' referenced in arg 1 of ACL keyword '{}' in proxy '{}'.",
        at.file, at.line, what, missing, fetch, proxy.name));
  };
  if (backends) {
    if (find_backend(config, name) == nullptr) complain("backend", name);
    return;
  }
  const size_t slash = name.find('/');
  const std::string backend = slash == std::string::npos ? proxy.name : name.substr(0, slash);
  const ProxyConfig* found = find_backend(config, backend);
  if (found == nullptr) return complain("proxy", backend);
  const std::string server = slash == std::string::npos ? name : name.substr(slash + 1);
  const bool there = std::ranges::find(found->servers, server, &ServerConfig::name) != found->servers.end();
  if (!there) complain("server", server);
}

void check_fetches(const Config& config, const ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  auto condition = [&](const RuleCondition& rule, const Source& at) {
    for (const auto& terms : rule.terms) {
      for (const ConditionTerm& term : terms) check_fetch(config, proxy, term.expression, at, diagnostics);
    }
  };
  for (const UseBackend& rule : proxy.use_backends) condition(rule.condition, rule.source);
  for (const UseServer& rule : proxy.use_servers) condition(rule.condition, rule.source);
  for (const TcpRule& rule : proxy.tcp_rules) condition(rule.condition, rule.source);
}

const TableConfig* find_table(const Config& config, std::string_view name) {
  for (const ProxyConfig& proxy : config.proxies) {
    if (proxy.name == name && proxy.table.configured()) return &proxy.table;
  }
  return nullptr;
}

void check_tables(const Config& config, const ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  for (const TcpRule& rule : proxy.tcp_rules) {
    if (rule.action != RuleAction::kTrack) continue;
    const std::string& name = rule.name.empty() ? proxy.name : rule.name;
    if (find_table(config, name) != nullptr) continue;
    diagnostics.alert(fmt::format("config : Proxy '{}': unable to find table '{}' referenced by track-sc{}.",
                                  proxy.name, name, rule.counter));
  }
  for (const StickRule& rule : proxy.stick_rules) {
    const std::string& name = rule.table.empty() ? proxy.name : rule.table;
    if (find_table(config, name) != nullptr) continue;
    diagnostics.alert(fmt::format("config : Proxy '{}': unable to find stick-table '{}'.", proxy.name, name));
  }
}

void check_primary(const Config& config, const ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  if (!proxy.redis_primary.configured()) return;
  const auto section = std::ranges::find(config.sentinels, proxy.redis_primary.sentinels, &SentinelsConfig::name);
  if (section == config.sentinels.end()) {
    diagnostics.alert(fmt::format("config : {} '{}' : unable to find required sentinels section '{}'.",
                                  kind_word(proxy), proxy.name, proxy.redis_primary.sentinels));
  } else if (section->members.empty()) {
    diagnostics.alert(fmt::format("config : {} '{}' : sentinels section '{}' is empty.", kind_word(proxy), proxy.name,
                                  section->name));
  }
}

void check_external(const Config& config, ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  const bool chosen = proxy.check_kind == CheckKind::kExternal;
  const std::string who = fmt::format("config : Proxy '{}'", proxy.name);
  if (chosen && !config.global.external_check) {
    diagnostics.alert(who + " : 'option external-check' unable to find required 'global.external-check'.");
  }
  if (chosen && proxy.check_command.empty()) {
    diagnostics.alert(who + " : 'option external-check' unable to find required 'external-check command'.");
  }
  if (chosen && !config.global.insecure_fork) {
    diagnostics.warn(who +
                     " : 'insecure-fork-wanted' not enabled in the global section, 'option external-check' will "
                     "likely fail.");
  }
  auto unused = [&](std::string_view what) {
    diagnostics.warn(
        fmt::format("config : 'external-check {}' will be ignored for {} '{}' (requires 'option "
                    "external-check').",
                    what, kind_word(proxy), proxy.name));
  };
  if (!proxy.check_command.empty() && !chosen) unused("command");
  if (!proxy.check_command.empty() && proxy.check_command[0] != '/' && proxy.check_path.empty()) {
    diagnostics.alert(who +
                      ": 'external-check command' does not have a leading '/' and 'external-check path' is not set.");
  }
  if (!proxy.check_path.empty() && !chosen) unused("path");
}

void finish_checks(ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  if (!proxy.is_backend()) return;
  switch (proxy.check_kind) {
    case CheckKind::kTcpCheck:
      proxy.check_program = finish_tcp_check(proxy.tcp_check_rules);
      break;
    case CheckKind::kRedisCheck:
      proxy.check_program = redis_check_program();
      break;
    case CheckKind::kHttpCheck: {
      const bool disable = proxy.http_check_rules.disable_on_404;
      proxy.check_program =
          http_check_program(proxy.http_check_request, proxy.http_check_rules, proxy.http_check_send_state);
      proxy.check_program.disable_on_404 = disable;
      break;
    }
    case CheckKind::kPreset:
      proxy.check_program = proxy.preset_program;
      break;
    case CheckKind::kExternal:
    case CheckKind::kLayer4: {
      proxy.check_program = finish_tcp_check({});
      proxy.check_program.generated = true;
      break;
    }
  }
  if (proxy.redis_primary.configured()) {
    if (!asks_redis_role(proxy.check_program)) proxy.check_program = redis_primary_program();
    for (ServerConfig& server : proxy.servers) server.check.enabled = true;
  }
  if (proxy.redis_auth.set()) authenticate(proxy.check_program, proxy.redis_auth);
  if (proxy.rules_unused) {
    diagnostics.warn(
        fmt::format("config : {} '{}' uses tcp-check rules without 'option tcp-check', so the rules are ignored.",
                    kind_word(proxy), proxy.name));
  }
  if (proxy.http_rules_unused) {
    diagnostics.warn(
        fmt::format("config : {} '{}' uses http-check rules without 'option httpchk', so the rules are ignored.",
                    kind_word(proxy), proxy.name));
  }
}

bool has_check_port(const ProxyConfig& proxy, const ServerConfig& server) {
  if (!server.resolve.section.empty() && !server.fqdn.empty()) return true;  // an SRV record may bring it
  if (server.check.port != 0 || server.address.port != 0 || server.address.is_unix()) return true;
  if (proxy.check_kind != CheckKind::kTcpCheck) return false;
  // Every connection the program opens must name its own port.
  return std::ranges::all_of(proxy.check_program.rules, [](const CheckRule& rule) {
    return rule.kind != CheckRule::Kind::kConnect || rule.port.has_value();
  });
}

void check_tracking(const Config& config, const ProxyConfig& proxy, const ServerConfig& server,
                    conf::Diagnostics& diagnostics) {
  const size_t slash = server.track.find('/');
  const std::string backend = slash == std::string::npos ? proxy.name : server.track.substr(0, slash);
  const std::string name = slash == std::string::npos ? server.track : server.track.substr(slash + 1);
  auto complain = [&](const std::string& text) {
    diagnostics.alert(fmt::format("config : [{}:{}] : 'server {}/{}' : {}", server.source.file, server.source.line,
                                  proxy.name, server.name, text));
  };
  const ProxyConfig* target_backend = find_backend(config, backend);
  if (target_backend == nullptr) {
    return complain(fmt::format("unable to find required proxy '{}' for tracking.", backend));
  }
  const auto target = std::ranges::find(target_backend->servers, name, &ServerConfig::name);
  if (target == target_backend->servers.end()) {
    return complain(fmt::format("unable to find required server '{}' for tracking.", name));
  }
  if (target->check.enabled) return;
  complain(target->track.empty()
               ? fmt::format("unable to use {}/{} for tracking as it does not have any check nor agent enabled.",
                             backend, name)
               : fmt::format("unable to use {}/{} for tracking as it tracks a server itself.", backend, name));
}

void check_resolvers(const Config& config, const ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  for (const ServerConfig& server : proxy.servers) {
    auto complain = [&](const std::string& text) {
      diagnostics.alert(
          fmt::format("config : {} '{}', server '{}': {}", kind_word(proxy), proxy.name, server.name, text));
    };
    const std::string& section = server.resolve.section;
    if (!section.empty() &&
        std::ranges::find(config.resolvers, section, &ResolversConfig::name) == config.resolvers.end()) {
      complain(fmt::format("unable to find required resolvers '{}'", section));
    }
    const bool asked = !section.empty() || server.is_service();
    if (asked && !server.fqdn.empty() && !codec::dns_name(server.fqdn)) {
      complain(fmt::format("failed to parse FQDN '{}'", server.fqdn));
    }
  }
}

/// COMPAT: there is a section `default` with the system's nameservers unless the file has one of its own.
void add_default_resolvers(Config& config, const ParseOptions& options) {
  if (std::ranges::find(config.resolvers, "default", &ResolversConfig::name) != config.resolvers.end()) return;
  ResolversConfig section;
  section.name = "default";
  section.source.file = "<internal>";
  (void)add_system_nameservers(options, section);  // an unreadable file means no nameservers
  config.resolvers.push_back(std::move(section));
}

void finish_servers(ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  std::set<uint32_t> used;
  for (const ServerConfig& server : proxy.servers) {
    if (server.forced_id) used.insert(server.id);
  }
  uint32_t next = 1;
  for (ServerConfig& server : proxy.servers) {
    if (!server.forced_id) {
      while (used.contains(next)) ++next;
      server.id = next++;
    }
    if (server.check.enabled && !has_check_port(proxy, server)) {
      diagnostics.alert(fmt::format("config : config: proxy '{}': server '{}' has neither service port nor check port.",
                                    proxy.name, server.name));
    }
  }
}

/// COMPAT: the first automatic id is 2; ids given by hand are skipped.
void number_proxies(Config& config) {
  std::set<uint32_t> used;
  for (const ProxyConfig& proxy : config.proxies) {
    if (proxy.forced_id) used.insert(proxy.id);
  }
  uint32_t next = 2;
  for (ProxyConfig& proxy : config.proxies) {
    if (proxy.forced_id) continue;
    while (used.contains(next)) ++next;
    proxy.id = next++;
  }
}

void check_logs(const ProxyConfig& proxy, conf::Diagnostics& diagnostics) {
  if (const std::string error = check_log_format(proxy.log_format); proxy.is_frontend() && !error.empty()) {
    diagnostics.alert(fmt::format("config : Parsing [{}:{}]: {}.", proxy.log_format_source.file,
                                  proxy.log_format_source.line, error));
  }
  if (!proxy.is_frontend() || !proxy.logs.empty() || (!proxy.tcplog && proxy.log_format.empty())) return;
  diagnostics.warn(fmt::format("config : log format ignored for {} '{}' since it has no log address.", kind_word(proxy),
                               proxy.name));
}

}  // namespace

void finish_config(Config& config, const ParseOptions& options, conf::Diagnostics& diagnostics) {
  number_proxies(config);
  add_default_resolvers(config, options);
  for (ProxyConfig& proxy : config.proxies) {
    check_references(config, proxy, diagnostics);
    check_timeouts(proxy, diagnostics);
    if (proxy.is_backend()) check_external(config, proxy, diagnostics);
    finish_checks(proxy, diagnostics);
    check_primary(config, proxy, diagnostics);
    check_tables(config, proxy, diagnostics);
    check_fetches(config, proxy, diagnostics);
    check_http_only(proxy, diagnostics);
    check_logs(proxy, diagnostics);
    check_resolvers(config, proxy, diagnostics);
  }
  for (const ProxyConfig& proxy : config.proxies) {
    for (const ServerConfig& server : proxy.servers) {
      if (!server.track.empty()) check_tracking(config, proxy, server, diagnostics);
    }
  }
  for (ProxyConfig& proxy : config.proxies) finish_servers(proxy, diagnostics);
  prepare_tls(config, options, diagnostics);
}

}  // namespace holdfast::proxy
