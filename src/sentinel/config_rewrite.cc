#include <fmt/format.h>

#include <map>
#include <set>

#include "base/text.h"
#include "sentinel/config.h"
#include "sentinel/fast.h"

namespace holdfast::sentinel {
namespace {

constexpr std::string_view kExtensionHead =
    "# Kept by holdfast sentinel beside its configuration file: what redis-sentinel does not know.\n";

using conf::conf_quote;
using Lines = std::map<std::string, std::vector<std::string>>;

/// The keys that are rewritten from scratch, in the order in which new lines are appended.
constexpr std::string_view kPrimaryKeys[] = {"monitor",
                                             "down-after-milliseconds",
                                             "failover-timeout",
                                             "parallel-syncs",
                                             "notification-script",
                                             "client-reconfig-script",
                                             "auth-pass",
                                             "auth-user",
                                             "master-reboot-down-after-period",
                                             "config-epoch",
                                             "leader-epoch",
                                             "known-slave",
                                             "known-replica",
                                             "known-sentinel",
                                             "rename-command"};

void add_primary_lines(const Core& core, const Primary& primary, Lines& lines) {
  const std::string name = conf_quote(primary.name);
  const auto add = [&](const char* key, const std::string& value) {
    lines[key].push_back(fmt::format("sentinel {} {} {}", key, name, value));
  };
  const NodeAddress& address = core.topology.current_address(primary);
  add("monitor", fmt::format("{} {} {}", core.announced(address), address.port, primary.quorum));
  if (primary.down_after != core.periods.default_down_after) {
    add("down-after-milliseconds", std::to_string(to_ms(primary.down_after)));
  }
  if (primary.failover_timeout != core.periods.default_failover_timeout) {
    add("failover-timeout", std::to_string(to_ms(primary.failover_timeout)));
  }
  if (primary.parallel_syncs != 1) add("parallel-syncs", std::to_string(primary.parallel_syncs));
  if (!primary.notification_script.empty()) add("notification-script", conf_quote(primary.notification_script));
  if (!primary.client_reconfig_script.empty()) {
    add("client-reconfig-script", conf_quote(primary.client_reconfig_script));
  }
  if (!primary.auth_pass.empty()) add("auth-pass", conf_quote(primary.auth_pass));
  if (!primary.auth_user.empty()) add("auth-user", conf_quote(primary.auth_user));
  if (primary.reboot_down_after != Duration::zero()) {
    add("master-reboot-down-after-period", std::to_string(to_ms(primary.reboot_down_after)));
  }
  add("config-epoch", std::to_string(primary.config_epoch));
  add("leader-epoch", std::to_string(primary.leader_epoch));
  for (const auto& [key, replica] : primary.replicas) {
    // While the promoted replica's address stands in the monitor line, the old primary takes its place here.
    const NodeAddress& known = same_node(replica->address, address) ? primary.address : replica->address;
    add("known-replica", fmt::format("{} {}", core.announced(known), known.port));
  }
  for (const auto& [runid, other] : primary.sentinels) {
    add("known-sentinel", fmt::format("{} {} {}", core.announced(other->address), other->address.port, runid));
  }
  for (const auto& [from, to] : primary.renamed_commands) {
    add("rename-command", fmt::format("{} {}", conf_quote(from), conf_quote(to)));
  }
}

/// A line that is written if it says something, or replaces one that is there.
void set_flag(conf::Document& document, std::string_view name, bool value, bool fallback) {
  const std::string key = fmt::format("sentinel {}", name);
  if (value == fallback && !document.contains(key)) return;
  document.set(key, {fmt::format("{} {}", key, value ? "yes" : "no")});
}

void set_optional(conf::Document& document, std::string_view name, const std::string& value) {
  const std::string key = fmt::format("sentinel {}", name);
  if (value.empty()) {
    document.set(key, {});
  } else {
    document.set(key, {key + " " + value});
  }
}

}  // namespace

void render_config(const Core& core, conf::Document& document) {
  const Settings& settings = core.settings;
  document.set("sentinel myid", {"sentinel myid " + settings.myid});
  set_flag(document, "deny-scripts-reconfig", settings.deny_scripts_reconfig, true);
  set_flag(document, "resolve-hostnames", settings.style.resolve_hostnames, false);
  set_flag(document, "announce-hostnames", settings.style.announce_hostnames, false);
  Lines lines;
  for (const auto& [name, primary] : core.topology.primaries()) add_primary_lines(core, *primary, lines);
  for (const std::string_view key : kPrimaryKeys) {
    document.set(fmt::format("sentinel {}", key), lines[std::string(key)]);
  }
  if (settings.aclfile.empty() && (core.users_in_file || document.contains("user"))) {
    std::vector<std::string> users = core.users.lines();
    document.set("user", users);
  }
  // These live beside the file (render_extension): the original would refuse to start from it.
  document.set("sentinel fast-failover", {});
  document.set("sentinel crash-confirm-milliseconds", {});
  document.set("sentinel current-epoch", {fmt::format("sentinel current-epoch {}", settings.current_epoch)});
  set_optional(document, "announce-ip", settings.announce_ip.empty() ? "" : quoted(settings.announce_ip));
  set_optional(document, "announce-port",
               settings.announce_port == 0 ? std::string() : std::to_string(settings.announce_port));
  set_optional(document, "sentinel-user", settings.sentinel_user.empty() ? "" : conf_quote(settings.sentinel_user));
  set_optional(document, "sentinel-pass", settings.sentinel_pass.empty() ? "" : conf_quote(settings.sentinel_pass));
}

std::string render_extension(const Core& core) {
  std::string lines;
  for (const auto& [name, primary] : core.topology.primaries()) {
    if (primary->fast_failover != FastFailover::kAuto) {
      lines +=
          fmt::format("sentinel fast-failover {} {}\n", conf_quote(name), fast_failover_word(primary->fast_failover));
    }
    if (primary->crash_confirm != Duration::zero()) {
      lines +=
          fmt::format("sentinel crash-confirm-milliseconds {} {}\n", conf_quote(name), to_ms(primary->crash_confirm));
    }
  }
  if (lines.empty() && core.options.extension_text.empty()) return "";
  return std::string(kExtensionHead) + lines;
}

std::string extension_path(const std::string& config_path) { return config_path + ".ext"; }

void add_extension(conf::ParsedConf& conf, std::string_view text, const std::string& path) {
  std::set<std::string> monitored;
  for (const conf::Directive& directive : conf.directives) {
    const auto& words = directive.words;
    if (words.size() > 2 && words[0] == "sentinel" && equal_ignoring_case(words[1], "monitor"))
      monitored.insert(words[2]);
  }
  conf::ParsedConf more = conf::parse_redis_conf(text, path);
  for (conf::Directive& directive : more.directives) {
    const bool about_a_primary = directive.words.size() > 2 && directive.words[0] == "sentinel";
    if (about_a_primary && !monitored.contains(directive.words[2])) continue;
    conf.directives.push_back(std::move(directive));
  }
  for (conf::Diagnostic& error : more.errors) conf.errors.push_back(std::move(error));
}

}  // namespace holdfast::sentinel
