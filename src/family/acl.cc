// ACL: users and their permissions, as clients see and change them.
#include <algorithm>

#include "acl/answers.h"
#include "family/bindings.h"
#include "family/connection.h"

namespace holdfast::family {
namespace {

using acl::User;
using acl::UserId;

void end_forbidden_subscriptions(Context& c, UserId id) {
  const User& user = c.state.users.at(id);
  std::vector<Session*> victims;
  c.services.visit_sessions([&](Session& session) {
    if (session.user != id || session.role != Role::kNormal || subscriptions_of(c.state, session.id) == 0) return;
    if (user.allows_channels(c.state.hub.channels_of(session.id), false) &&
        user.allows_channels(c.state.shard_hub.channels_of(session.id), false) &&
        user.allows_channels(c.state.hub.patterns_of(session.id), true)) {
      return;
    }
    victims.push_back(&session);
  });
  for (Session* victim : victims) c.services.close_session(*victim);
}

void setuser_command(Context& c) {
  const std::string_view name = c.argv[2];
  if (acl::has_spaces(name)) return c.reply.error(acl::kBadUsername);
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
    return c.reply.error(acl::kNotRemovable);
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

constexpr acl::Program kProgram = acl::Program::kServer;

void getuser_command(Context& c) { acl::answer_getuser(c.reply, c.state.users, c.argv); }
void list_command(Context& c) { acl::answer_list(c.reply, c.state.users); }
void users_command(Context& c) { acl::answer_users(c.reply, c.state.users); }
void whoami_command(Context& c) { c.reply.bulk(c.state.users.at(c.session.user).name()); }
void cat_command(Context& c) { acl::answer_cat(c.reply, kProgram, c.argv); }
void genpass_command(Context& c) { acl::answer_genpass(c.reply, {c.state.secret, c.state.secrets_given}, c.argv); }
void log_command(Context& c) { acl::answer_log(c.reply, c.state.acl_log, c.argv, c.now_ms()); }
void dryrun_command(Context& c) { acl::answer_dryrun(c.reply, c.state.users, kProgram, c.argv); }
void help_command(Context& c) { acl::answer_help(c.reply); }

bool refused_without_file(Context& c) {
  if (!c.state.settings.aclfile.empty()) return false;
  c.reply.error(acl::kNoFile);
  return true;
}
void load_command(Context& c) {
  if (!refused_without_file(c)) c.services.load_users(c);
}
void save_command(Context& c) {
  if (!refused_without_file(c)) c.services.save_users(c);
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
