// What operators do to a server: configuration, saving, shutting down, DEBUG.
#include <fmt/format.h>

#include "base/text.h"
#include "command/help.h"
#include "family/access.h"
#include "family/bindings.h"
#include "family/digest.h"
#include "family/help.h"
#include "persist/dump.h"

namespace holdfast::family {
namespace {

void config_get_command(Context& c) {
  const auto values = c.services.config_get(c.argv.subspan(2));
  c.reply.map(values.size());
  for (const auto& [name, value] : values) {
    c.reply.bulk(name);
    c.reply.bulk(value);
  }
}

void config_set_command(Context& c) {
  if (c.argv.size() % 2 != 0) {
    return c.reply.error("ERR wrong number of arguments for 'config|set' command");
  }
  const std::optional<std::string> error = c.services.config_set(c, c.argv.subspan(2));
  if (!error) return;
  error->empty() ? c.reply.ok() : c.reply.error(*error);
}

void config_rewrite_command(Context& c) { c.services.config_rewrite(c.session); }

void config_resetstat_command(Context& c) {
  c.services.reset_stats();
  c.reply.ok();
}

void config_help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "GET <pattern>",
      "    Return parameters matching the glob-like <pattern> and their values.",
      "SET <directive> <value>",
      "    Set the configuration <directive> to <value>.",
      "RESETSTAT",
      "    Reset statistics reported by the INFO command.",
      "REWRITE",
      "    Rewrite the configuration file.",
  };
  reply_help(c, kLines);
}

void save_command(Context& c) { c.services.save(c); }

void bgsave_command(Context& c) {
  const bool schedule = c.argv.size() == 2 && equal_ignoring_case(c.argv[1], "schedule");
  if (c.argv.size() > 1 && !schedule) return c.reply.error(command::kSyntaxError);
  c.services.background_save(c, schedule);
}

void bgrewriteaof_command(Context& c) { c.services.background_rewrite(c); }
void lastsave_command(Context& c) { c.reply.integer(c.state.saving.last_save_unix_s); }

/// COMPAT: while a script runs only SHUTDOWN NOSAVE is carried out.
std::string_view busy_error(const State& state) {
  return state.running_script->is_function ? kBusyWithFunction : kBusyWithScript;
}

void shutdown_command(Context& c) {
  Services::ShutdownOptions options;
  bool abort = false;
  for (const std::string_view word : c.argv.subspan(1)) {
    if (equal_ignoring_case(word, "nosave") && options.save != Services::SaveChoice::kSave) {
      options.save = Services::SaveChoice::kNoSave;
    } else if (equal_ignoring_case(word, "save") && options.save != Services::SaveChoice::kNoSave) {
      options.save = Services::SaveChoice::kSave;
    } else if (equal_ignoring_case(word, "now")) {
      options.now = true;
    } else if (equal_ignoring_case(word, "force")) {
      options.force = true;
    } else if (equal_ignoring_case(word, "abort")) {
      abort = true;
    } else {
      return c.reply.error(command::kSyntaxError);
    }
  }
  if (abort && options != Services::ShutdownOptions()) return c.reply.error(command::kSyntaxError);
  if (abort) {
    const std::string error = c.services.abort_shutdown();
    return error.empty() ? c.reply.ok() : c.reply.error(error);
  }
  if (c.state.running_script && options.save != Services::SaveChoice::kNoSave)
    return c.reply.error(busy_error(c.state));
  c.services.shutdown(&c.session, options, c.now);
}

// DEBUG.

void debug_sleep(Context& c) {
  const auto seconds = command::parse_double(c.argv[2]);
  constexpr double kLongest = 1e6;
  if (!seconds || *seconds < 0 || *seconds > kLongest) return c.reply.error(command::kNotAFloat);
  c.services.stall(Duration(static_cast<int64_t>(*seconds * 1e6)));
  c.reply.ok();
}

void debug_reload(Context& c) {
  const std::string error = c.services.reload(c.now);
  error.empty() ? c.reply.ok() : c.reply.error(error);
}

/// One line about a value. COMPAT: clients read its fields by name; the address is of no use here and always 0.
void debug_object(Context& c) {
  const store::Entry* entry = c.db().find(c.key(c.argv[2]));
  if (entry == nullptr) return c.reply.error("ERR no such key");
  constexpr size_t kAroundValue = 11;  // type byte, version, checksum
  c.reply.simple(fmt::format("Value at:0x0 refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
                             store::encoding_name(entry->encoding()), persist::dump(*entry).size() - kAroundValue,
                             entry->access(), idle_seconds(c, *entry)));
}

/// DEBUG POPULATE count [prefix [size]]: keys `prefix:0` ... that are not there yet; told to nobody, as there.
void debug_populate(Context& c) {
  const auto count = parse_int64(c.argv[2]);
  const auto size = c.argv.size() == 5 ? parse_int64(c.argv[4]) : std::optional<int64_t>(0);
  if (!count || !size) return c.reply.error(command::kNotAnInteger);
  if (*count < 0 || *size < 0 || *size > c.state.settings.proto_max_bulk_len) {
    return c.reply.error("ERR value is out of range, must be positive");
  }
  const std::string_view prefix = c.argv.size() > 3 ? c.argv[3] : "key";
  for (int64_t i = 0; i < *count; ++i) {
    const std::string name = fmt::format("{}:{}", prefix, i);
    const store::Key key = c.key(name);
    if (c.db().contains(key)) continue;
    std::string value = fmt::format("value:{}", i);
    if (*size > 0) value.resize(static_cast<size_t>(*size));
    c.db().set_string(key, value);
    c.modified(name);
  }
  c.reply.ok();
}

void debug_digest_value(Context& c) {
  c.reply.array(c.argv.size() - 2);
  for (const std::string_view name : c.argv.subspan(2)) {
    const store::Entry* const entry = c.db().find(c.key(name));
    c.reply.simple(entry == nullptr ? std::string(40, '0') : value_digest(*entry));
  }
}

/// The shape of a table that is not the original's: its sizes.
void debug_htstats(Context& c) {
  const auto index = parse_int64(c.argv[2]);
  if (!index || *index < 0 || *index >= static_cast<int64_t>(c.state.data->databases())) {
    return c.reply.error("ERR Out of range database");
  }
  const store::Keyspace& db = c.state.data->db(static_cast<size_t>(*index));
  c.reply.verbatim(
      "txt", fmt::format("[Dictionary HT]\n table size: {}\n number of elements: {}\n[Expires HT]\n "
                         "number of elements: {}\n",
                         db.keys().table.segment_count() * 128 * store::Bucket::kSlots, db.size(), db.expiring()));
}

/// A reply of each type, for tests of clients and scripts.
void debug_protocol(Context& c) {
  const std::string type = to_lower(c.argv[2]);
  const auto numbers = [&] {
    for (int i = 0; i < 3; ++i) c.reply.integer(i);
  };
  if (type == "string") return c.reply.bulk("Hello World");
  if (type == "integer") return c.reply.integer(12345);
  if (type == "double") return c.reply.number(3.141);
  if (type == "bignum") return c.reply.big_number("1234567999999999999999999999999999999");
  if (type == "null") return c.reply.null();
  if (type == "array") return c.reply.array(3), numbers();
  if (type == "set") return c.reply.set(3), numbers();
  if (type == "true" || type == "false") return c.reply.boolean(type == "true");
  if (type == "verbatim") return c.reply.verbatim("txt", "This is a verbatim\nstring");
  if (type == "map") {
    c.reply.map(3);
    for (int i = 0; i < 3; ++i) {
      c.reply.integer(i);
      c.reply.boolean(i == 1);
    }
  } else if (type == "attrib") {
    if (c.reply.version() >= 3) c.reply.raw("|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n");
    c.reply.bulk("Some real reply following the attribute");
  } else if (type == "push") {
    if (c.reply.version() < 3) return c.reply.error("ERR RESP2 is not supported by this command");
    c.reply.push(2);
    c.reply.bulk("server-cpu-usage");
    c.reply.integer(42);
    c.reply.bulk("Some real reply following the push reply");
  } else {
    c.reply.error(
        "ERR Wrong protocol type name. Please use one of the following: "
        "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
  }
}

void debug_command(Context& c) {
  const std::string allowed = c.state.settings.enable_debug_command;
  const bool local = is_loopback(c.session.peer);
  if (allowed == "no" || (allowed == "local" && !local)) {
    return c.reply.error(
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a "
        "local connection, otherwise you need to set this option in the configuration file, and then restart the "
        "server.");
  }
  const std::string_view what = c.argv[1];
  if (equal_ignoring_case(what, "segfault")) return c.services.crash(11);
  if (equal_ignoring_case(what, "sleep") && c.argv.size() == 3) return debug_sleep(c);
  if (equal_ignoring_case(what, "object") && c.argv.size() >= 3) return debug_object(c);
  if (equal_ignoring_case(what, "digest") && c.argv.size() == 2) return c.reply.simple(dataset_digest(*c.state.data));
  if (equal_ignoring_case(what, "digest-value")) return debug_digest_value(c);
  if (equal_ignoring_case(what, "htstats") && c.argv.size() >= 3) return debug_htstats(c);
  // Plain nodes do not exist here: nothing to set.
  if (equal_ignoring_case(what, "quicklist-packed-threshold") && c.argv.size() == 3) return c.reply.ok();
  if (equal_ignoring_case(what, "loadaof") && c.argv.size() == 2) return c.services.reload_append_only(c);
  if (equal_ignoring_case(what, "populate") && c.argv.size() >= 3 && c.argv.size() <= 5) return debug_populate(c);
  if (equal_ignoring_case(what, "reload")) return debug_reload(c);
  if (equal_ignoring_case(what, "set-active-expire") && c.argv.size() == 3) {
    c.state.active_expire = c.argv[2] != "0";
    return c.reply.ok();
  }
  if (equal_ignoring_case(what, "set-disable-deny-scripts") && c.argv.size() == 3) {
    c.state.scripts_run_denied_commands = c.argv[2] != "0";
    return c.reply.ok();
  }
  // Buffers here have no size of their own to change.
  if (equal_ignoring_case(what, "replybuffer") && c.argv.size() == 4) return c.reply.ok();
  if (equal_ignoring_case(what, "protocol") && c.argv.size() == 3) return debug_protocol(c);
  if (equal_ignoring_case(what, "log") && c.argv.size() == 3) {
    c.services.log(LogLevel::kWarning, fmt::format("DEBUG LOG: {}", c.argv[2]));
    return c.reply.ok();
  }
  if (c.argv.size() == 3) {
    const auto value = parse_int64(c.argv[2]);
    if (value && c.services.debug_switch(what, *value)) return c.reply.ok();
  }
  c.reply.error(command::misused_subcommand("debug", what));
}

constexpr Binding kBindings[] = {
    {"bgrewriteaof", bgrewriteaof_command},
    {"bgsave", bgsave_command},
    {"config|get", config_get_command},
    {"config|help", config_help_command},
    {"config|resetstat", config_resetstat_command},
    {"config|rewrite", config_rewrite_command},
    {"config|set", config_set_command},
    {"debug", debug_command},
    {"lastsave", lastsave_command},
    {"save", save_command},
    {"shutdown", shutdown_command},
};

}  // namespace

std::span<const Binding> admin_bindings() { return kBindings; }

}  // namespace holdfast::family
