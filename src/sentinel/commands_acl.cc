// ACL: users of the Sentinel's own port and their permissions.
//
// Source: ACL of redis-sentinel 7.2; the values are src/acl. Changes reach the configuration file with its next write,
// as in the original.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "codec/sha.h"
#include "command/catalogue.h"
#include "sentinel/commands.h"

namespace holdfast::sentinel {
namespace {

using acl::Selector;
using acl::User;
using acl::UserId;

constexpr std::string_view kNoFile =
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
    "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
    "users in the Redis configuration.";
constexpr std::string_view kBothSources =
    "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This "
    "setup is very likely to lead to configuration errors and security holes, please define either an ACL file or "
    "declare users directly in your redis.conf, but not both.";

constexpr std::string_view kHelp[] = {
    "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
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
    "HELP",
    "    Print this help.",
};

std::string denial_text(const User& user, const command::Spec& spec, acl::Words words, acl::Verdict verdict,
                        bool verbose) {
  switch (verdict.denied) {
    case acl::Denied::kCommand:
      return fmt::format("User {} has no permissions to run the '{}' command", user.name(), command::full_name(spec));
    case acl::Denied::kChannel:
      if (!verbose) return "No permissions to access a channel";
      return fmt::format("User {} has no permissions to access the '{}' channel", user.name(), words[verdict.position]);
    case acl::Denied::kKey:  // a Sentinel's commands have no keys
    case acl::Denied::kNo:
    case acl::Denied::kAuth:
      break;
  }
  HF_UNREACHABLE();
}

bool allows_channels(const User& user, const std::vector<std::string>& names, bool patterns) {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::any_of(user.selectors().begin(), user.selectors().end(),
                       [&](const Selector& selector) { return selector.allows_channel(name, patterns); });
  });
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

void put_selector(command::Reply& reply, const Selector& selector) {
  reply.bulk("commands");
  reply.bulk(selector.describe_commands());
  reply.bulk("keys");
  reply.bulk(selector.describe_keys());
  reply.bulk("channels");
  reply.bulk(selector.describe_channels());
}

void put_list(command::Reply& reply, const std::vector<std::string>& items) {
  reply.array(items.size());
  for (const std::string& item : items) reply.bulk(item);
}

using Handler = void (Commands::*)(CommandContext&, const Commands::Args&);
struct Row {
  std::string_view name;
  Handler handler;
};
constexpr Row kRows[] = {
    {"setuser", &Commands::acl_setuser}, {"deluser", &Commands::acl_deluser}, {"getuser", &Commands::acl_getuser},
    {"list", &Commands::acl_list},       {"users", &Commands::acl_users},     {"whoami", &Commands::acl_whoami},
    {"cat", &Commands::acl_cat},         {"genpass", &Commands::acl_genpass}, {"log", &Commands::acl_log},
    {"dryrun", &Commands::acl_dryrun},   {"load", &Commands::acl_load},       {"save", &Commands::acl_save},
    {"help", &Commands::acl_help},
};

}  // namespace

std::string load_users_at_start(Core& core) {
  const Settings& settings = core.settings;
  core.users.set_default_password(settings.requirepass);
  if (!settings.aclfile.empty() && !settings.user_lines.empty()) return std::string(kBothSources);
  const auto applied = core.users.apply_lines(settings.user_lines);
  for (std::string& line : core.users.take_warnings()) core.log(LogLevel::kWarning, std::move(line));
  if (!applied) return applied.error() + "\nCritical error while loading ACLs. Exiting.";
  core.users_in_file = !settings.user_lines.empty();
  if (settings.aclfile.empty()) return "";
  const auto& file = core.options.acl_file;
  if (!file)
    return fmt::format("Aborting Redis startup because of ACL errors: Error loading ACLs, opening file '{}'",
                       settings.aclfile);
  const auto loaded = core.users.load(*file, settings.aclfile);
  return loaded ? "" : "Aborting Redis startup because of ACL errors: " + loaded.error();
}

void Commands::acl(CommandContext& context, const Args& args) {
  for (const Row& row : kRows) {
    if (equal_ignoring_case(row.name, args[1])) return (this->*row.handler)(context, args);
  }
  context.reply.error(fmt::format("ERR unknown subcommand '{}'. Try ACL HELP.", args[1].substr(0, 128)));
}

void Commands::note_denial(const Client& client, acl::Denied reason, std::string_view object,
                           std::string_view username) {
  acl::LogEntry entry;
  entry.reason = reason;
  entry.object = object;
  entry.username = username;
  entry.client = client_line(client);
  entry.updated_ms = unix_ms(core_.now.wall);
  core_.acl_log.add(std::move(entry), static_cast<size_t>(core_.settings.acllog_max_len));
}

bool Commands::permits(CommandContext& context, command::SpecIndex index, const Args& args) {
  const User& user = core_.users.at(context.client.user);
  if (user.unrestricted()) return true;
  const acl::Verdict verdict = user.check(index, args);
  if (verdict.denied == acl::Denied::kNo) return true;
  const command::Spec& spec = command::spec_at(index);
  const bool command = verdict.denied == acl::Denied::kCommand;
  note_denial(context.client, verdict.denied, command ? command::full_name(spec) : std::string(args[verdict.position]),
              user.name());
  context.reply.error("NOPERM " + denial_text(user, spec, args, verdict, false));
  return false;
}

void Commands::end_sessions(UserId user, CommandContext& context) {
  std::vector<uint64_t> doomed;
  for (const auto& [id, other] : clients_.all()) {
    if (other->user != user) continue;
    other->user = acl::kDefaultUser;
    other->authenticated = false;
    if (id == context.client.id) {
      context.close_after = true;
    } else {
      doomed.push_back(id);
    }
  }
  for (const uint64_t id : doomed) clients_.close(*clients_.find(id), action::CloseMode::kNow);
}

void Commands::end_forbidden_subscriptions(UserId user, CommandContext& context) {
  const User& rights = core_.users.at(user);
  std::vector<uint64_t> doomed;
  for (const auto& [id, other] : clients_.all()) {
    if (other->user != user || clients_.hub().count_of(id) == 0) continue;
    if (allows_channels(rights, clients_.hub().channels_of(id), false) &&
        allows_channels(rights, clients_.hub().patterns_of(id), true)) {
      continue;
    }
    doomed.push_back(id);
  }
  for (const uint64_t id : doomed) {
    if (id == context.client.id) {
      context.close_after = true;
    } else {
      clients_.close(*clients_.find(id), action::CloseMode::kNow);
    }
  }
}

void Commands::acl_setuser(CommandContext& context, const Args& args) {
  if (acl::has_spaces(args[2])) {
    return context.reply.error("ERR Usernames can't contain spaces or null characters");
  }
  const std::vector<std::string> rules(args.begin() + 3, args.end());
  const auto before = core_.users.set(args[2], rules);
  for (std::string& line : core_.users.take_warnings()) core_.log(LogLevel::kWarning, std::move(line));
  if (!before) return context.reply.error("ERR " + before.error());
  core_.users_in_file = true;
  if (*before) end_forbidden_subscriptions(*core_.users.find(args[2]), context);
  context.reply.ok();
}

void Commands::acl_deluser(CommandContext& context, const Args& args) {
  if (std::find(args.begin() + 2, args.end(), "default") != args.end()) {
    return context.reply.error("ERR The 'default' user cannot be removed");
  }
  int64_t removed = 0;
  for (size_t i = 2; i < args.size(); ++i) {
    const std::optional<UserId> id = core_.users.find(args[i]);
    if (!id) continue;
    end_sessions(*id, context);
    core_.users.remove(args[i]);
    ++removed;
  }
  context.reply.integer(removed);
}

void Commands::acl_getuser(CommandContext& context, const Args& args) {
  command::Reply& reply = context.reply;
  const std::optional<UserId> id = core_.users.find(args[2]);
  if (!id) return reply.null();
  const User& user = core_.users.at(*id);
  reply.map(6);
  reply.bulk("flags");
  const auto flags = user.flags();
  reply.set(flags.size());
  for (const std::string_view flag : flags) reply.bulk(flag);
  reply.bulk("passwords");
  put_list(reply, user.passwords());
  put_selector(reply, user.selectors().front());
  reply.bulk("selectors");
  reply.array(user.selectors().size() - 1);
  for (size_t i = 1; i < user.selectors().size(); ++i) {
    reply.map(3);
    put_selector(reply, user.selectors()[i]);
  }
}

void Commands::acl_list(CommandContext& context, const Args&) { put_list(context.reply, core_.users.lines()); }

void Commands::acl_users(CommandContext& context, const Args&) {
  std::vector<std::string> names;
  for (const UserId id : core_.users.all()) names.push_back(core_.users.at(id).name());
  put_list(context.reply, names);
}

void Commands::acl_whoami(CommandContext& context, const Args&) {
  context.reply.bulk(core_.users.at(context.client.user).name());
}

void Commands::acl_cat(CommandContext& context, const Args& args) {
  if (args.size() == 2) {
    const auto names = acl::category_names();
    return put_list(context.reply, {names.begin(), names.end()});
  }
  const uint32_t bit = acl::category_bit(args[2]);
  if (bit == 0) return context.reply.error(fmt::format("ERR Unknown category '{}'", args[2].substr(0, 128)));
  std::vector<std::string> names;
  for (const command::Spec* spec : command::all_specs()) {
    if (!spec->is(command::kSentinelToo | command::kOnlySentinel)) continue;
    if ((command::categories_of(*spec) & bit) != 0) names.push_back(command::full_name(*spec));
  }
  put_list(context.reply, names);
}

void Commands::acl_genpass(CommandContext& context, const Args& args) {
  constexpr int64_t kBitsMax = 4096;
  const std::optional<int64_t> bits = args.size() > 2 ? parse_int64(args[2]) : 256;
  if (!bits) return context.reply.error("ERR value is not an integer or out of range");
  if (*bits <= 0 || *bits > kBitsMax) {
    return context.reply.error(fmt::format(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to {}",
        kBitsMax));
  }
  const auto characters = static_cast<size_t>((*bits + 3) / 4);
  std::string out;
  while (out.size() < characters) {
    out += codec::sha256_hex(fmt::format("{}:{}", core_.options.secret, core_.secrets_given++));
  }
  out.resize(characters);
  context.reply.bulk(out);
}

void Commands::acl_log(CommandContext& context, const Args& args) {
  int64_t count = 10;
  if (args.size() > 2) {
    if (equal_ignoring_case(args[2], "reset")) {
      core_.acl_log.clear();
      return context.reply.ok();
    }
    const std::optional<int64_t> wanted = parse_int64(args[2]);
    if (!wanted) return context.reply.error("ERR value is not an integer or out of range");
    count = std::max<int64_t>(*wanted, 0);
  }
  command::Reply& reply = context.reply;
  const auto& entries = core_.acl_log.entries();
  const size_t shown = std::min(static_cast<size_t>(count), entries.size());
  reply.array(shown);
  for (size_t i = 0; i < shown; ++i) {
    const acl::LogEntry& entry = entries[i];
    reply.map(10);
    reply.bulk("count");
    reply.integer(static_cast<int64_t>(entry.count));
    const std::pair<std::string_view, std::string_view> texts[] = {{"reason", reason_name(entry.reason)},
                                                                   {"context", "toplevel"},
                                                                   {"object", entry.object},
                                                                   {"username", entry.username}};
    for (const auto& [name, value] : texts) {
      reply.bulk(name);
      reply.bulk(value);
    }
    reply.bulk("age-seconds");
    reply.number(static_cast<double>(unix_ms(core_.now.wall) - entry.updated_ms) / 1000);
    reply.bulk("client-info");
    reply.bulk(entry.client);
    const std::pair<std::string_view, int64_t> numbers[] = {{"entry-id", static_cast<int64_t>(entry.id)},
                                                            {"timestamp-created", entry.created_ms},
                                                            {"timestamp-last-updated", entry.updated_ms}};
    for (const auto& [name, value] : numbers) {
      reply.bulk(name);
      reply.integer(value);
    }
  }
}

void Commands::acl_dryrun(CommandContext& context, const Args& args) {
  const std::optional<UserId> id = core_.users.find(args[2]);
  if (!id) return context.reply.error(fmt::format("ERR User '{}' not found", args[2]));
  const acl::Words words = acl::Words(args).subspan(3);
  command::SpecIndex index = command::find_command(words[0]);
  if (index != command::kNoSpec && words.size() > 1 && command::has_subcommands(index)) {
    index = command::find_subcommand(index, words[1]);
  }
  const bool known =
      index != command::kNoSpec && command::spec_at(index).is(command::kSentinelToo | command::kOnlySentinel);
  if (!known) return context.reply.error(fmt::format("ERR Command '{}' not found", words[0]));
  const command::Spec& spec = command::spec_at(index);
  if (!spec.accepts(words.size())) {
    return context.reply.error(fmt::format("ERR wrong number of arguments for '{}' command", command::full_name(spec)));
  }
  const User& user = core_.users.at(*id);
  const acl::Verdict verdict = user.check(index, words);
  if (verdict.denied == acl::Denied::kNo) return context.reply.ok();
  context.reply.bulk(denial_text(user, spec, words, verdict, true));
}

/// Asks for the file; carried out when it was read. All or nothing.
void Commands::acl_load(CommandContext& context, const Args&) {
  if (core_.settings.aclfile.empty()) return context.reply.error(kNoFile);
  if (!core_.users_job) {
    core_.users_job = core_.new_job();
    core_.users_read = "";
    core_.users_unread.reset();
    core_.users_arrived = false;
    core_.act(action::ReadFile{*core_.users_job, core_.settings.aclfile});
  }
  if (!core_.users_arrived) {
    context.wait_for_name = kUsersFile;
    return;
  }
  const std::string content = core_.users_read.value_or("");
  const std::optional<std::string> unread = core_.users_unread;
  core_.users_job.reset();
  if (unread) {
    return context.reply.error(
        fmt::format("ERR Error loading ACLs, opening file '{}': {}", core_.settings.aclfile, *unread));
  }
  const auto loaded = core_.users.load(content, core_.settings.aclfile);
  for (std::string& line : core_.users.take_warnings()) core_.log(LogLevel::kWarning, std::move(line));
  if (!loaded) return context.reply.error("ERR " + loaded.error());
  std::vector<uint64_t> doomed;
  for (const auto& [id, other] : clients_.all()) {
    if (other->user == acl::kDefaultUser) continue;
    other->user = acl::kDefaultUser;
    other->authenticated = false;
    if (id == context.client.id) context.close_after = true;
    if (id != context.client.id) doomed.push_back(id);
  }
  for (const uint64_t id : doomed) clients_.close(*clients_.find(id), action::CloseMode::kNow);
  context.reply.ok();
}

void Commands::acl_save(CommandContext& context, const Args&) {
  if (core_.settings.aclfile.empty()) return context.reply.error(kNoFile);
  core_.users_to_save = true;
  core_.saver.request();
  context.reply.ok();
  context.instead =
      "-ERR There was an error trying to save the ACLs. Please check the server logs for more information\r\n";
}

void Commands::acl_help(CommandContext& context, const Args&) {
  context.reply.array(std::size(kHelp));
  for (const std::string_view line : kHelp) context.reply.simple(line);
}

}  // namespace holdfast::sentinel
