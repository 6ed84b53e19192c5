// Commands: what a Sentinel answers to, apart from SENTINEL itself.
//
// Source: redis-sentinel 7.2: PING, INFO, AUTH, HELLO, CLIENT, COMMAND, ACL, (P)SUBSCRIBE and friends, PUBLISH (hellos
// only), ROLE, SHUTDOWN, QUIT, RESET. Existence and arity come from the command catalogue (rows a Sentinel has too).
#pragma once

#include "sentinel/api.h"
#include "sentinel/clients.h"
#include "sentinel/discovery.h"

namespace holdfast::sentinel {

class Commands final : public Executor {
 public:
  using Args = std::vector<std::string_view>;

  Commands(Core& core, Clients& clients, Api& api, Discovery& discovery)
      : core_(core), clients_(clients), api_(api), discovery_(discovery) {}

  void execute(CommandContext& context, const Args& args) override;

  // The rows of the table in commands.cc.
  void ping(CommandContext& context, const Args& args);
  void info(CommandContext& context, const Args& args);
  void auth(CommandContext& context, const Args& args);
  void hello(CommandContext& context, const Args& args);
  void client(CommandContext& context, const Args& args);
  void command(CommandContext& context, const Args& args);
  void acl(CommandContext& context, const Args& args);
  void subscribe(CommandContext& context, const Args& args);
  void unsubscribe(CommandContext& context, const Args& args);
  void psubscribe(CommandContext& context, const Args& args);
  void punsubscribe(CommandContext& context, const Args& args);
  void publish(CommandContext& context, const Args& args);
  void role(CommandContext& context, const Args& args);
  void shutdown(CommandContext& context, const Args& args);
  void quit(CommandContext& context, const Args& args);
  void reset(CommandContext& context, const Args& args);
  void sentinel(CommandContext& context, const Args& args);

 private:
  bool check_password(CommandContext& context, std::string_view user, std::string_view password,
                      std::string_view command);
  bool permits(CommandContext& context, command::SpecIndex index, const Args& args);
  void note_denial(const Client& client, acl::Denied reason, std::string_view object, std::string_view username);
  /// Closes the connections of that user; without one, those of everybody but the default user.
  void end_sessions(std::optional<acl::UserId> user, CommandContext& context);
  void end_forbidden_subscriptions(acl::UserId user, CommandContext& context);
  /// The client that asked is closed after its reply.
  void close_all(std::span<const uint64_t> clients, CommandContext& context);

 public:
  // The rows of the table in commands_acl.cc.
  void acl_setuser(CommandContext& context, const Args& args);
  void acl_deluser(CommandContext& context, const Args& args);
  void acl_getuser(CommandContext& context, const Args& args);
  void acl_list(CommandContext& context, const Args& args);
  void acl_users(CommandContext& context, const Args& args);
  void acl_whoami(CommandContext& context, const Args& args);
  void acl_cat(CommandContext& context, const Args& args);
  void acl_genpass(CommandContext& context, const Args& args);
  void acl_log(CommandContext& context, const Args& args);
  void acl_dryrun(CommandContext& context, const Args& args);
  void acl_load(CommandContext& context, const Args& args);
  void acl_save(CommandContext& context, const Args& args);
  void acl_help(CommandContext& context, const Args& args);

 private:
  void client_kill(CommandContext& context, const Args& args);
  void client_reply(CommandContext& context, const Args& args);
  void client_setinfo(CommandContext& context, const Args& args);
  std::string client_line(const Client& client) const;
  void subscription(CommandContext& context, std::string_view verb, const std::string* what);
  size_t subscriptions(const Client& client) { return clients_.hub().count_of(client.id); }

  Core& core_;
  Clients& clients_;
  Api& api_;
  Discovery& discovery_;
};

/// The INFO reply; `sections` as asked for, empty = all.
std::string info_text(const Core& core, const Clients& clients, const std::vector<std::string_view>& sections,
                      const pubsub::Hub& hub);

/// What ACL LOAD waits for, in the place of a host name: no host has such a name.
inline constexpr std::string_view kUsersFile = "\n";
/// Users of the configuration and of `aclfile`. Not empty: why the Sentinel cannot start.
std::string load_users_at_start(Core& core);

/// Orderly end: the log lines, the pidfile, the exit.
void shut_down(Core& core);

}  // namespace holdfast::sentinel
