// The commands that change settings: SENTINEL SET, CONFIG and DEBUG.
#include <fmt/format.h>

#include <limits>
#include <set>

#include "base/text.h"
#include "sentinel/api.h"
#include "sentinel/config.h"
#include "sentinel/fast.h"

namespace holdfast::sentinel {
namespace {

constexpr std::string_view kScriptsDenied =
    "ERR Reconfiguration of scripts path is denied for security reasons. Check the deny-scripts-reconfig configuration "
    "directive in your Sentinel configuration";

/// Values end up in lines of the configuration file: a line break in one would be another directive.
bool has_control_characters(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  }
  return false;
}

std::optional<int64_t> positive(std::string_view text, int64_t min = 1) {
  const std::optional<int64_t> value = parse_int64(text);
  // Durations are kept in microseconds.
  if (!value || *value < min || *value > std::numeric_limits<int64_t>::max() / 1000 / 100) return std::nullopt;
  return value;
}

/// What setting one option of a primary came to.
struct Outcome {
  size_t consumed = 0;     // arguments after the option's name
  std::string error;       // ready to send; empty: done
  bool secret = false;     // the value is not announced
  bool reconnect = false;  // connections use what was changed
};

Outcome bad_value(std::string_view value, std::string_view option) {
  return {0, fmt::format("ERR Invalid argument '{}' for SENTINEL SET '{}'", value, option)};
}

Outcome set_number(std::string_view option, std::string_view value, Primary& primary) {
  const bool zero_allowed = option == "master-reboot-down-after-period" || option == "crash-confirm-milliseconds";
  const std::optional<int64_t> number = positive(value, zero_allowed ? 0 : 1);
  if (!number) return bad_value(value, option);
  if (option == "down-after-milliseconds") {
    primary.down_after = from_ms(*number);
    Topology::propagate_down_after(primary);
  } else if (option == "failover-timeout") {
    primary.failover_timeout = from_ms(*number);
  } else if (option == "parallel-syncs") {
    primary.parallel_syncs = *number;
  } else if (option == "quorum") {
    primary.quorum = *number;
  } else if (option == "crash-confirm-milliseconds") {
    primary.crash_confirm = from_ms(*number);
  } else {
    HF_ASSERT(zero_allowed);
    primary.reboot_down_after = from_ms(*number);
  }
  return {1, ""};
}

Outcome set_script(const Core& core, std::string_view option, std::string_view value, Primary& primary) {
  if (core.settings.deny_scripts_reconfig) return {0, std::string(kScriptsDenied)};
  const bool notification = option == "notification-script";
  const std::string path(value);
  if (!path.empty() && core.options.is_executable != nullptr && !core.options.is_executable(path)) {
    return {0, notification ? "ERR Notification script seems non existing or non executable"
                            : "ERR Client reconfiguration script seems non existing or non executable"};
  }
  (notification ? primary.notification_script : primary.client_reconfig_script) = path;
  return {1, ""};
}

Outcome set_rename(std::string_view from, std::string_view to, Primary& primary) {
  if (from.empty() || to.empty()) return bad_value(to.empty() ? to : from, "rename-command");
  primary.renamed_commands.erase(std::string(from));
  if (!equal_ignoring_case(from, to)) primary.renamed_commands.emplace(from, to);
  return {2, ""};
}

Outcome set_option(const Core& core, const Api::Args& args, size_t at, Primary& primary) {
  const std::string option = to_lower(args[at]);
  const size_t more = args.size() - at - 1;
  for (size_t i = at + 1; i < args.size() && i <= at + 2; ++i) {
    if (has_control_characters(args[i])) {
      return {0,
              fmt::format("ERR Invalid argument at index {} for SENTINEL SET: control characters are not allowed", i)};
    }
  }
  if (more > 0) {
    const std::string_view value = args[at + 1];
    if (option == "down-after-milliseconds" || option == "failover-timeout" || option == "parallel-syncs" ||
        option == "quorum" || option == "master-reboot-down-after-period" || option == "crash-confirm-milliseconds") {
      return set_number(option, value, primary);
    }
    if (option == "notification-script" || option == "client-reconfig-script") {
      return set_script(core, option, value, primary);
    }
    if (option == "fast-failover") {
      const std::optional<FastFailover> mode = parse_fast_failover(value);
      if (!mode) return bad_value(value, option);
      primary.fast_failover = *mode;
      return {1, ""};
    }
    if (option == "auth-pass") {
      primary.auth_pass = value;
      return {1, "", true, true};
    }
    if (option == "auth-user") {
      primary.auth_user = value;
      return {1, "", false, true};
    }
    if (option == "rename-command" && more > 1) return set_rename(value, args[at + 2], primary);
  }
  return {0, fmt::format("ERR Unknown option or number of arguments for SENTINEL SET '{}'", args[at])};
}

constexpr std::string_view kConfigNames[] = {"resolve-hostnames", "announce-hostnames", "announce-ip", "announce-port",
                                             "sentinel-user",     "sentinel-pass",      "loglevel"};

bool is_loglevel(const std::string& level) {
  return level == "debug" || level == "verbose" || level == "notice" || level == "warning" || level == "nothing";
}

bool valid_config_value(std::string_view name, std::string_view value) {
  if (has_control_characters(value)) return false;
  if (name == "resolve-hostnames" || name == "announce-hostnames") return parse_yes_no(value).has_value();
  if (name == "loglevel") return is_loglevel(to_lower(value));
  if (name != "announce-port") return true;
  const std::optional<int64_t> port = parse_int64(value);
  return port && *port >= 0 && *port <= 65535;
}

std::string config_value(const Settings& settings, std::string_view name) {
  if (name == "resolve-hostnames") return settings.style.resolve_hostnames ? "yes" : "no";
  if (name == "announce-hostnames") return settings.style.announce_hostnames ? "yes" : "no";
  if (name == "announce-ip") return settings.announce_ip;
  if (name == "announce-port") return std::to_string(settings.announce_port);
  if (name == "sentinel-user") return settings.sentinel_user;
  if (name == "sentinel-pass") return settings.sentinel_pass;
  HF_ASSERT(name == "loglevel");
  return settings.loglevel;
}

void apply_config_value(Settings& settings, std::string_view name, std::string_view value) {
  if (name == "resolve-hostnames") settings.style.resolve_hostnames = *parse_yes_no(value);
  if (name == "announce-hostnames") settings.style.announce_hostnames = *parse_yes_no(value);
  if (name == "announce-ip") settings.announce_ip = value;
  if (name == "announce-port") settings.announce_port = static_cast<uint16_t>(*parse_int64(value));
  if (name == "sentinel-user") settings.sentinel_user = value;
  if (name == "sentinel-pass") settings.sentinel_pass = value;
  if (name == "loglevel") settings.loglevel = to_lower(value);
}

}  // namespace

void Api::drop_connections(Primary& primary) {
  const auto drop = [&](Instance& instance) {
    Link& link = core_.topology.link_of(instance);
    links_.close_commands(link);
    links_.close_pubsub(link);
  };
  drop(primary);
  for (const auto& [key, replica] : primary.replicas) drop(*replica);
  core_.touch(primary);
}

void Api::drop_sentinel_connections() {
  for (const auto& [name, primary] : core_.topology.primaries()) {
    for (const auto& [runid, sentinel] : primary->sentinels) links_.close_commands(core_.topology.link_of(*sentinel));
    core_.touch(*primary);
  }
}

/// Options take effect one by one: those before a wrong one stay.
void Api::set(CommandContext& context, const Args& args) {
  Primary* primary = find_or_reply(context, args[2]);
  if (primary == nullptr) return;
  bool changed = false;
  for (size_t at = 3; at < args.size();) {
    const Outcome outcome = set_option(core_, args, at, *primary);
    if (!outcome.error.empty()) {
      if (changed) core_.saver.request();
      return context.reply.error(outcome.error);
    }
    changed = true;
    if (outcome.reconnect) drop_connections(*primary);
    std::string payload = fmt::format(" {}", args[at]);
    for (size_t i = 1; i <= outcome.consumed; ++i) {
      payload += ' ';
      payload += outcome.secret ? std::string_view("******") : args[at + i];
    }
    core_.event(Event::kSet, *primary, payload);
    at += outcome.consumed + 1;
  }
  core_.touch(*primary);
  ok_when_saved(context);
}

void Api::config(CommandContext& context, const Args& args) {
  if (equal_ignoring_case(args[2], "set") && args.size() >= 5) return config_set(context, args);
  if (equal_ignoring_case(args[2], "get")) return config_get(context, args);
  context.reply.error(
      "ERR Only SENTINEL CONFIG GET <param> [<param> <param> ...]/ SET <param> <value> [<param> <value> ...] are "
      "supported.");
}

void Api::config_get(CommandContext& context, const Args& args) {
  std::vector<std::string_view> matched;
  for (size_t i = 3; i < args.size(); ++i) {
    for (const std::string_view name : kConfigNames) {
      bool seen = false;
      for (const std::string_view other : matched) seen |= other == name;
      if (!seen && glob_match(args[i], name, true)) matched.push_back(name);
    }
  }
  context.reply.map(matched.size());
  for (const std::string_view name : matched) {
    context.reply.bulk(name);
    context.reply.bulk(config_value(core_.settings, name));
  }
}

/// All or nothing: every pair is checked before the first takes effect.
void Api::config_set(CommandContext& context, const Args& args) {
  std::set<std::string, std::less<>> seen;
  for (size_t i = 3; i < args.size(); i += 2) {
    const std::string name = to_lower(args[i]);
    bool known = false;
    for (const std::string_view row : kConfigNames) known |= row == name;
    if (!known) return context.reply.error(fmt::format("ERR Invalid argument '{}' to SENTINEL CONFIG SET", args[i]));
    if (!seen.insert(name).second) {
      return context.reply.error(fmt::format("ERR Duplicate argument '{}' to SENTINEL CONFIG SET", args[i]));
    }
    if (i + 1 == args.size()) return context.reply.error(fmt::format("ERR Missing argument '{}' value", args[i]));
    if (!valid_config_value(name, args[i + 1])) {
      return context.reply.error(
          fmt::format("ERR Invalid value '{}' to SENTINEL CONFIG SET '{}'", args[i + 1], args[i]));
    }
  }
  for (size_t i = 3; i + 1 < args.size(); i += 2) apply_config_value(core_.settings, to_lower(args[i]), args[i + 1]);
  ok_when_saved(context);
  if (seen.contains("sentinel-user") || seen.contains("sentinel-pass")) drop_sentinel_connections();
}

void Api::debug(CommandContext& context, const Args& args) {
  if (args.size() == 2) {
    context.reply.map(kPeriodRows.size());
    for (const PeriodRow& row : kPeriodRows) {
      context.reply.bulk(row.name);
      context.reply.bulk_integer(to_ms(core_.periods.*row.value));
    }
    return;
  }
  for (size_t i = 2; i < args.size(); i += 2) {
    const PeriodRow* found = nullptr;
    for (const PeriodRow& row : kPeriodRows) {
      if (equal_ignoring_case(row.name, args[i])) found = &row;
    }
    if (found == nullptr || i + 1 == args.size()) {
      return context.reply.error(
          fmt::format("ERR Unknown option or number of arguments for SENTINEL DEBUG '{}'", args[i]));
    }
    const std::optional<int64_t> value = positive(args[i + 1]);
    if (!value) {
      return context.reply.error(
          fmt::format("ERR Invalid argument '{}' for SENTINEL DEBUG '{}'", args[i + 1], args[i]));
    }
    core_.periods.*found->value = from_ms(*value);
  }
  core_.topology.touch_all();
  context.reply.ok();
}

}  // namespace holdfast::sentinel
