#include "sentinel/commands.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "command/catalogue.h"
#include "command/help.h"

namespace holdfast::sentinel {
namespace {

using Handler = void (Commands::*)(CommandContext&, const Commands::Args&);
struct Row {
  std::string_view name;
  Handler handler;
};

constexpr Row kRows[] = {
    {"ping", &Commands::ping},
    {"info", &Commands::info},
    {"auth", &Commands::auth},
    {"hello", &Commands::hello},
    {"client", &Commands::client},
    {"command", &Commands::command},
    {"acl", &Commands::acl},
    {"subscribe", &Commands::subscribe},
    {"unsubscribe", &Commands::unsubscribe},
    {"psubscribe", &Commands::psubscribe},
    {"punsubscribe", &Commands::punsubscribe},
    {"publish", &Commands::publish},
    {"role", &Commands::role},
    {"shutdown", &Commands::shutdown},
    {"quit", &Commands::quit},
    {"reset", &Commands::reset},
    {"sentinel", &Commands::sentinel},
};

const Row* find_row(std::string_view name) {
  for (const Row& row : kRows) {
    if (equal_ignoring_case(row.name, name)) return &row;
  }
  return nullptr;
}

/// COMPAT: an argument is shown up to its first zero byte.
std::string_view shown_part(std::string_view argument, size_t size_max) {
  return argument.substr(0, std::min(size_max, argument.find('\0')));
}

std::string unknown_command(const Commands::Args& args) {
  std::string shown;
  for (size_t i = 1; i < args.size() && shown.size() < 128; ++i) {
    shown += fmt::format("'{}' ", shown_part(args[i], 128 - shown.size()));
  }
  return fmt::format("ERR unknown command '{}', with args beginning with: {}", shown_part(args[0], 128), shown);
}

std::string wrong_arity(const command::Spec& spec) {
  return fmt::format("ERR wrong number of arguments for '{}' command", command::full_name(spec));
}

}  // namespace

void Commands::execute(CommandContext& context, const Args& args) {
  Client& client = context.client;
  const Row* row = find_row(args[0]);
  if (row == nullptr) return context.reply.error(unknown_command(args));
  command::SpecIndex index = command::find_command(row->name);
  HF_ASSERT(index != command::kNoSpec);
  // Our own subcommand is in no catalogue: an original must not seem to have it.
  const bool extension = row->name == "sentinel" && args.size() > 1 && equal_ignoring_case(args[1], "ext");
  if (command::has_subcommands(index) && args.size() > 1 && !extension) {
    const command::SpecIndex sub = command::find_subcommand(index, args[1]);
    if (sub == command::kNoSpec || !command::spec_at(sub).is(command::kSentinelToo | command::kOnlySentinel)) {
      return context.reply.error(command::unknown_subcommand(args[0], args[1]));
    }
    index = sub;
  }
  const command::Spec& spec = command::spec_at(index);
  client.last_command = command::full_name(spec);
  // The fourth word of a coordinated failover is Valkey's.
  const bool coordinated = client.last_command == "sentinel|failover" && args.size() == 4;
  if (!spec.accepts(args.size()) && !coordinated) return context.reply.error(wrong_arity(spec));
  if (!client.authenticated && !spec.is(command::kNoAuth)) {
    return context.reply.error("NOAUTH Authentication required.");
  }
  const bool restricted = client.resp == 2 && subscriptions(client) > 0;
  const bool allowed =
      row->name.ends_with("subscribe") || row->name == "ping" || row->name == "quit" || row->name == "reset";
  if (restricted && !allowed) {
    return context.reply.error(
        fmt::format("ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed "
                    "in this context",
                    client.last_command));
  }
  if (!spec.is(command::kNoAuth) && !permits(context, index, args)) return;
  (this->*row->handler)(context, args);
}

void Commands::sentinel(CommandContext& context, const Args& args) { api_.execute(context, args); }

void Commands::ping(CommandContext& context, const Args& args) {
  if (args.size() > 2) {
    return context.reply.error(wrong_arity(command::spec_at(command::find_command("ping"))));
  }
  if (context.client.resp == 2 && subscriptions(context.client) > 0) {
    context.reply.array(2);
    context.reply.bulk("pong");
    context.reply.bulk(args.size() == 2 ? args[1] : "");
  } else if (args.size() == 2) {
    context.reply.bulk(args[1]);
  } else {
    context.reply.simple("PONG");
  }
}

bool Commands::check_password(CommandContext& context, std::string_view user, std::string_view password,
                              std::string_view command) {
  if (const std::optional<acl::UserId> id = core_.users.authenticate(user, password)) {
    context.client.user = *id;
    context.client.authenticated = true;
    return true;
  }
  note_denial(context.client, acl::Denied::kAuth, command, user);
  context.reply.error("WRONGPASS invalid username-password pair or user is disabled.");
  return false;
}

void Commands::auth(CommandContext& context, const Args& args) {
  if (args.size() > 3) return context.reply.error("ERR syntax error");
  if (args.size() == 2 && core_.users.at(acl::kDefaultUser).no_password()) {
    return context.reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?");
  }
  const std::string_view user = args.size() == 3 ? args[1] : "default";
  if (check_password(context, user, args.back(), args[0])) context.reply.ok();
}

void Commands::hello(CommandContext& context, const Args& args) {
  int64_t version = 0;
  if (args.size() > 1) {
    const std::optional<int64_t> asked = parse_int64(args[1]);
    if (!asked) return context.reply.error("ERR Protocol version is not an integer or out of range");
    if (*asked < 2 || *asked > 3) return context.reply.error("NOPROTO unsupported protocol version");
    version = *asked;
  }
  std::optional<std::string_view> name;
  for (size_t i = 2; i < args.size(); ++i) {
    if (equal_ignoring_case(args[i], "AUTH") && i + 2 < args.size()) {
      if (!check_password(context, args[i + 1], args[i + 2], args[0])) return;
      i += 2;
    } else if (equal_ignoring_case(args[i], "SETNAME") && i + 1 < args.size()) {
      name = args[++i];
    } else {
      return context.reply.error(fmt::format("ERR Syntax error in HELLO option '{}'", args[i]));
    }
  }
  if (!context.client.authenticated) {
    return context.reply.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
        "<pass> option can be used to authenticate the client and select the RESP protocol version at the same time");
  }
  if (name) context.client.name = *name;
  if (version != 0) context.client.resp = static_cast<int>(version);
  command::Reply& reply = context.reply;
  reply.set_version(context.client.resp);
  reply.map(6);
  reply.bulk("server");
  reply.bulk("redis");
  reply.bulk("version");
  reply.bulk(core_.options.redis_version);
  reply.bulk("proto");
  reply.integer(context.client.resp);
  reply.bulk("id");
  reply.integer(static_cast<int64_t>(context.client.id));
  reply.bulk("mode");
  reply.bulk("sentinel");
  reply.bulk("modules");
  reply.array(0);
}

void Commands::subscription(CommandContext& context, std::string_view verb, const std::string* what) {
  context.reply.push(3);
  context.reply.bulk(verb);
  if (what == nullptr) {
    context.reply.null();
  } else {
    context.reply.bulk(*what);
  }
  context.reply.integer(static_cast<int64_t>(subscriptions(context.client)));
}

void Commands::subscribe(CommandContext& context, const Args& args) {
  for (size_t i = 1; i < args.size(); ++i) {
    const std::string channel(args[i]);
    clients_.hub().subscribe(context.client.id, channel);
    subscription(context, "subscribe", &channel);
  }
}

void Commands::psubscribe(CommandContext& context, const Args& args) {
  for (size_t i = 1; i < args.size(); ++i) {
    const std::string pattern(args[i]);
    clients_.hub().subscribe_pattern(context.client.id, pattern);
    subscription(context, "psubscribe", &pattern);
  }
}

void Commands::unsubscribe(CommandContext& context, const Args& args) {
  std::vector<std::string> channels(args.begin() + 1, args.end());
  if (channels.empty()) channels = clients_.hub().channels_of(context.client.id);
  if (channels.empty()) return subscription(context, "unsubscribe", nullptr);
  for (const std::string& channel : channels) {
    clients_.hub().unsubscribe(context.client.id, channel);
    subscription(context, "unsubscribe", &channel);
  }
}

void Commands::punsubscribe(CommandContext& context, const Args& args) {
  std::vector<std::string> patterns(args.begin() + 1, args.end());
  if (patterns.empty()) patterns = clients_.hub().patterns_of(context.client.id);
  if (patterns.empty()) return subscription(context, "punsubscribe", nullptr);
  for (const std::string& pattern : patterns) {
    clients_.hub().unsubscribe_pattern(context.client.id, pattern);
    subscription(context, "punsubscribe", &pattern);
  }
}

void Commands::publish(CommandContext& context, const Args& args) {
  if (args[1] != kHelloChannel) {
    return context.reply.error("ERR Only HELLO messages are accepted by Sentinel instances.");
  }
  discovery_.hello(args[2]);
  context.reply.integer(1);
}

void Commands::role(CommandContext& context, const Args&) {
  context.reply.array(2);
  context.reply.bulk("sentinel");
  context.reply.array(core_.topology.primaries().size());
  for (const auto& [name, primary] : core_.topology.primaries()) context.reply.bulk(name);
}

void Commands::info(CommandContext& context, const Args& args) {
  const Args sections(args.begin() + 1, args.end());
  context.reply.verbatim("txt", info_text(core_, clients_, sections, clients_.hub()));
}

void Commands::shutdown(CommandContext& context, const Args& args) {
  for (size_t i = 1; i < args.size(); ++i) {
    const std::string word = to_upper(args[i]);
    if (word == "ABORT") return context.reply.error("ERR No shutdown in progress.");
    if (word != "SAVE" && word != "NOSAVE" && word != "NOW" && word != "FORCE") {
      return context.reply.error("ERR syntax error");
    }
  }
  shut_down(core_);
}

void Commands::quit(CommandContext& context, const Args&) {
  context.reply.ok();
  context.close_after = true;
}

void Commands::reset(CommandContext& context, const Args&) {
  Client& client = context.client;
  clients_.hub().forget(client.id);
  client.resp = 2;
  client.name.clear();
  client.user = acl::kDefaultUser;
  client.authenticated = core_.users.default_is_open();
  client.replies = Client::Replies::kOn;
  context.reply.set_version(2);
  context.reply.simple("RESET");
}

void shut_down(Core& core) {
  core.log(LogLevel::kNotice, "User requested shutdown...");
  // The host removes the file: it knows where it was written before the directory changed.
  if (core.settings.has_pidfile) core.log(LogLevel::kNotice, "Removing the pid file.");
  core.log(LogLevel::kWarning, "Sentinel is now ready to exit, bye bye...");
  core.act(action::Exit{0});
  core.exiting = true;
}

}  // namespace holdfast::sentinel
