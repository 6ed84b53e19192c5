// ACL: users of the Sentinel's own port and their permissions.
//
// Source: ACL of redis-sentinel 7.2; the values are src/acl. Changes reach the configuration file with its next write,
// as in the original.
#include <fmt/format.h>

#include <algorithm>

#include "acl/answers.h"
#include "base/text.h"
#include "command/help.h"
#include "sentinel/commands.h"

namespace holdfast::sentinel {
namespace {

using acl::User;
using acl::UserId;

constexpr acl::Program kProgram = acl::Program::kSentinel;

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
  if (!settings.aclfile.empty() && !settings.user_lines.empty()) return std::string(acl::kBothSources);
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
  context.reply.error(command::unknown_subcommand("acl", args[1]));
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
  context.reply.error("NOPERM " + acl::denial_text(user, {spec, args, verdict}, false));
  return false;
}

void Commands::end_sessions(std::optional<UserId> user, CommandContext& context) {
  std::vector<uint64_t> doomed;
  for (const auto& [id, other] : clients_.all()) {
    if (user ? other->user != *user : other->user == acl::kDefaultUser) continue;
    other->user = acl::kDefaultUser;
    other->authenticated = false;
    doomed.push_back(id);
  }
  close_all(doomed, context);
}

void Commands::end_forbidden_subscriptions(UserId user, CommandContext& context) {
  const User& rights = core_.users.at(user);
  std::vector<uint64_t> doomed;
  for (const auto& [id, other] : clients_.all()) {
    if (other->user != user || clients_.hub().count_of(id) == 0) continue;
    if (rights.allows_channels(clients_.hub().channels_of(id), false) &&
        rights.allows_channels(clients_.hub().patterns_of(id), true)) {
      continue;
    }
    doomed.push_back(id);
  }
  close_all(doomed, context);
}

void Commands::acl_setuser(CommandContext& context, const Args& args) {
  if (acl::has_spaces(args[2])) {
    return context.reply.error(acl::kBadUsername);
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
    return context.reply.error(acl::kNotRemovable);
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
  acl::answer_getuser(context.reply, core_.users, args);
}
void Commands::acl_list(CommandContext& context, const Args&) { acl::answer_list(context.reply, core_.users); }
void Commands::acl_users(CommandContext& context, const Args&) { acl::answer_users(context.reply, core_.users); }
void Commands::acl_whoami(CommandContext& context, const Args&) {
  context.reply.bulk(core_.users.at(context.client.user).name());
}
void Commands::acl_cat(CommandContext& context, const Args& args) { acl::answer_cat(context.reply, kProgram, args); }
void Commands::acl_genpass(CommandContext& context, const Args& args) {
  acl::answer_genpass(context.reply, {core_.options.secret, core_.secrets_given}, args);
}
void Commands::acl_log(CommandContext& context, const Args& args) {
  acl::answer_log(context.reply, core_.acl_log, args, unix_ms(core_.now.wall));
}
void Commands::acl_dryrun(CommandContext& context, const Args& args) {
  acl::answer_dryrun(context.reply, core_.users, kProgram, args);
}
void Commands::acl_help(CommandContext& context, const Args&) { acl::answer_help(context.reply); }

/// Asks for the file; carried out when it was read. All or nothing.
void Commands::acl_load(CommandContext& context, const Args&) {
  if (core_.settings.aclfile.empty()) return context.reply.error(acl::kNoFile);
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
  end_sessions(std::nullopt, context);
  context.reply.ok();
}

void Commands::acl_save(CommandContext& context, const Args&) {
  if (core_.settings.aclfile.empty()) return context.reply.error(acl::kNoFile);
  core_.users_to_save = true;
  core_.saver.request();
  context.reply.ok();
  context.instead = fmt::format("-{}\r\n", acl::kNotSaved);
}

}  // namespace holdfast::sentinel
