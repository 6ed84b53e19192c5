// ACL: users and their permissions, as clients see and change them.
#include <fmt/format.h>

#include <algorithm>

#include "acl/users.h"
#include "base/text.h"
#include "codec/sha.h"
#include "family/bindings.h"
#include "family/connection.h"
#include "family/denial.h"
#include "family/help.h"

namespace holdfast::family {
namespace {

using acl::Selector;
using acl::User;
using acl::UserId;

/// What a channel right's loss has to end: subscriptions that the user may not have any more.
bool still_allowed(const User& user, const std::vector<std::string>& names, bool patterns) {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::any_of(user.selectors().begin(), user.selectors().end(),
                       [&](const Selector& selector) { return selector.allows_channel(name, patterns); });
  });
}

void end_forbidden_subscriptions(Context& c, UserId id) {
  const User& user = c.state.users.at(id);
  std::vector<Session*> victims;
  c.services.visit_sessions([&](Session& session) {
    if (session.user != id || session.role != Role::kNormal || subscriptions_of(c.state, session.id) == 0) return;
    if (still_allowed(user, c.state.hub.channels_of(session.id), false) &&
        still_allowed(user, c.state.shard_hub.channels_of(session.id), false) &&
        still_allowed(user, c.state.hub.patterns_of(session.id), true)) {
      return;
    }
    victims.push_back(&session);
  });
  for (Session* victim : victims) c.services.close_session(*victim);
}

void setuser_command(Context& c) {
  const std::string_view name = c.argv[2];
  if (acl::has_spaces(name)) return c.reply.error("ERR Usernames can't contain spaces or null characters");
  const std::vector<std::string> rules(c.argv.begin() + 3, c.argv.end());
  const auto before = c.state.users.set(name, rules);
  for (std::string& line : c.state.users.take_warnings()) c.services.log(LogLevel::kWarning, std::move(line));
  if (!before) return c.reply.error("ERR " + before.error());
  if (*before) end_forbidden_subscriptions(c, *c.state.users.find(name));
  c.reply.ok();
}

void deluser_command(Context& c) {
  const auto names = c.argv.subspan(2);
  if (std::find(names.begin(), names.end(), "default") != names.end()) {
    return c.reply.error("ERR The 'default' user cannot be removed");
  }
  int64_t removed = 0;
  for (const std::string_view name : names) {
    const auto id = c.state.users.find(name);
    if (!id) continue;
    end_sessions_of(c, *id);
    c.state.users.remove(name);
    ++removed;
  }
  c.reply.integer(removed);
}

void reply_selector(Context& c, const Selector& selector) {
  c.reply.bulk("commands");
  c.reply.bulk(selector.describe_commands());
  c.reply.bulk("keys");
  c.reply.bulk(selector.describe_keys());
  c.reply.bulk("channels");
  c.reply.bulk(selector.describe_channels());
}

void getuser_command(Context& c) {
  const auto id = c.state.users.find(c.argv[2]);
  if (!id) return c.reply.null();
  const User& user = c.state.users.at(*id);
  c.reply.map(6);
  c.reply.bulk("flags");
  const auto flags = user.flags();
  c.reply.set(flags.size());
  for (const std::string_view flag : flags) c.reply.bulk(flag);
  c.reply.bulk("passwords");
  c.reply.array(user.passwords().size());
  for (const std::string& hash : user.passwords()) c.reply.bulk(hash);
  reply_selector(c, user.selectors().front());
  c.reply.bulk("selectors");
  c.reply.array(user.selectors().size() - 1);
  for (const Selector& selector : std::span(user.selectors()).subspan(1)) {
    c.reply.map(3);
    reply_selector(c, selector);
  }
}

void reply_list(Context& c, const std::vector<std::string>& items) {
  c.reply.array(items.size());
  for (const std::string& item : items) c.reply.bulk(item);
}

void list_command(Context& c) { reply_list(c, c.state.users.lines()); }

void users_command(Context& c) {
  std::vector<std::string> names;
  for (const UserId id : c.state.users.all()) names.push_back(c.state.users.at(id).name());
  reply_list(c, names);
}

void whoami_command(Context& c) { c.reply.bulk(c.state.users.at(c.session.user).name()); }

void cat_command(Context& c) {
  if (c.argv.size() > 3) return reply_unknown_subcommand(c);
  if (c.argv.size() == 2) {
    const auto names = acl::category_names();
    return reply_list(c, {names.begin(), names.end()});
  }
  const uint32_t bit = acl::category_bit(c.argv[2]);
  if (bit == 0) return c.reply.error(fmt::format("ERR Unknown category '{}'", c.argv[2].substr(0, 128)));
  std::vector<std::string> names;
  for (const command::Spec* spec : command::all_specs()) {
    if (spec->is(command::kOnlySentinel) || (command::categories_of(*spec) & bit) == 0) continue;
    names.push_back(command::full_name(*spec));
  }
  reply_list(c, names);
}

void genpass_command(Context& c) {
  constexpr int64_t kBitsMax = 4096;
  if (c.argv.size() > 3) return reply_unknown_subcommand(c);
  int64_t bits = 256;
  if (c.argv.size() == 3) {
    const auto wanted = parse_int64(c.argv[2]);
    if (!wanted) return c.reply.error(command::kNotAnInteger);
    bits = *wanted;
  }
  if (bits <= 0 || bits > kBitsMax) {
    return c.reply.error(fmt::format(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to {}",
        kBitsMax));
  }
  const auto characters = static_cast<size_t>((bits + 3) / 4);
  std::string out;
  while (out.size() < characters) {
    out += codec::sha256_hex(fmt::format("{}:{}", c.state.secret, c.state.secrets_given++));
  }
  out.resize(characters);
  c.reply.bulk(out);
}

std::string_view reason_name(acl::Denied reason) {
  switch (reason) {
    case acl::Denied::kNo:
      break;
    case acl::Denied::kCommand:
      return "command";
    case acl::Denied::kKey:
      return "key";
    case acl::Denied::kAuth:
      return "auth";
    case acl::Denied::kChannel:
      return "channel";
  }
  return "unknown";
}

std::string_view context_name(acl::LogContext context) {
  switch (context) {
    case acl::LogContext::kTopLevel:
      return "toplevel";
    case acl::LogContext::kMulti:
      return "multi";
    case acl::LogContext::kLua:
      return "lua";
  }
  return "unknown";
}

void reply_log_entry(Context& c, const acl::LogEntry& entry) {
  c.reply.map(10);
  c.reply.bulk("count");
  c.reply.integer(static_cast<int64_t>(entry.count));
  c.reply.bulk("reason");
  c.reply.bulk(reason_name(entry.reason));
  c.reply.bulk("context");
  c.reply.bulk(context_name(entry.context));
  c.reply.bulk("object");
  c.reply.bulk(entry.object);
  c.reply.bulk("username");
  c.reply.bulk(entry.username);
  c.reply.bulk("age-seconds");
  c.reply.number(static_cast<double>(c.now_ms() - entry.updated_ms) / 1000);
  c.reply.bulk("client-info");
  c.reply.bulk(entry.client);
  c.reply.bulk("entry-id");
  c.reply.integer(static_cast<int64_t>(entry.id));
  c.reply.bulk("timestamp-created");
  c.reply.integer(entry.created_ms);
  c.reply.bulk("timestamp-last-updated");
  c.reply.integer(entry.updated_ms);
}

void log_command(Context& c) {
  if (c.argv.size() > 3) return reply_unknown_subcommand(c);
  int64_t count = 10;
  if (c.argv.size() == 3) {
    if (equal_ignoring_case(c.argv[2], "reset")) {
      c.state.acl_log.clear();
      return c.reply.ok();
    }
    const auto wanted = parse_int64(c.argv[2]);
    if (!wanted) return c.reply.error(command::kNotAnInteger);
    count = std::max<int64_t>(*wanted, 0);
  }
  const auto& entries = c.state.acl_log.entries();
  const size_t shown = std::min(static_cast<size_t>(count), entries.size());
  c.reply.array(shown);
  for (size_t i = 0; i < shown; ++i) reply_log_entry(c, entries[i]);
}

void dryrun_command(Context& c) {
  const auto id = c.state.users.find(c.argv[2]);
  if (!id) return c.reply.error(fmt::format("ERR User '{}' not found", c.argv[2]));
  const auto words = c.argv.subspan(3);
  command::SpecIndex index = command::find_command(words[0]);
  if (index != command::kNoSpec && words.size() > 1 && command::has_subcommands(index)) {
    index = command::find_subcommand(index, words[1]);
  }
  if (index == command::kNoSpec) return c.reply.error(fmt::format("ERR Command '{}' not found", words[0]));
  const command::Spec& spec = command::spec_at(index);
  if (!spec.accepts(words.size())) {
    return c.reply.error(fmt::format("ERR wrong number of arguments for '{}' command", command::full_name(spec)));
  }
  const User& user = c.state.users.at(*id);
  const acl::Verdict verdict = user.check(index, words);
  if (verdict.denied == acl::Denied::kNo) return c.reply.ok();
  c.reply.bulk(denial_text(user, {spec, words, verdict}, true));
}

bool refused_without_file(Context& c) {
  if (!c.state.settings.aclfile.empty()) return false;
  c.reply.error(
      "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
      "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
      "users in the Redis configuration.");
  return true;
}
void load_command(Context& c) {
  if (!refused_without_file(c)) c.services.load_users(c);
}
void save_command(Context& c) {
  if (!refused_without_file(c)) c.services.save_users(c);
}

void help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "CAT [<category>]",
      "    List all commands that belong to <category>, or all command categories",
      "    when no category is specified.",
      "DELUSER <username> [<username> ...]",
      "    Delete a list of users.",
      "DRYRUN <username> <command> [<arg> ...]",
      "    Returns whether the user can execute the given command without executing the command.",
      "GETUSER <username>",
      "    Get the user's details.",
      "GENPASS [<bits>]",
      "    Generate a secure 256-bit user password. The optional `bits` argument can",
      "    be used to specify a different size.",
      "LIST",
      "    Show users details in config file format.",
      "LOAD",
      "    Reload users from the ACL file.",
      "LOG [<count> | RESET]",
      "    Show the ACL log entries.",
      "SAVE",
      "    Save the current config to the ACL file.",
      "SETUSER <username> <attribute> [<attribute> ...]",
      "    Create or modify a user with the specified attributes.",
      "USERS",
      "    List all the registered usernames.",
      "WHOAMI",
      "    Return the current connection username.",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"acl|cat", cat_command},         {"acl|deluser", deluser_command}, {"acl|dryrun", dryrun_command},
    {"acl|genpass", genpass_command}, {"acl|getuser", getuser_command}, {"acl|help", help_command},
    {"acl|list", list_command},       {"acl|load", load_command},       {"acl|log", log_command},
    {"acl|save", save_command},       {"acl|setuser", setuser_command}, {"acl|users", users_command},
    {"acl|whoami", whoami_command},
};

}  // namespace

void end_sessions_of(Context& c, UserId id) {
  std::vector<Session*> victims;
  c.services.visit_sessions([&](Session& session) {
    if (session.user == id) victims.push_back(&session);
  });
  for (Session* victim : victims) {
    victim->user = acl::kDefaultUser;
    victim->authenticated = false;
    c.services.close_session(*victim);
  }
}

std::span<const Binding> acl_bindings() { return kBindings; }

}  // namespace holdfast::family
