// Who a connection is: AUTH, HELLO, RESET.
#include <fmt/format.h>

#include "base/text.h"
#include "base/version.h"
#include "family/bindings.h"
#include "family/connection.h"
#include "family/denial.h"
#include "family/monitor.h"
#include "family/transaction.h"

namespace holdfast::family {
namespace {

constexpr std::string_view kWrongPass = "WRONGPASS invalid username-password pair or user is disabled.";

bool authenticate(Context& c, std::string_view user, std::string_view password) {
  const auto id = c.state.users.authenticate(user, password);
  if (!id) {
    note_failed_login(c.state, c.services, c.session, c.argv[0], user, c.now);
    return false;
  }
  c.session.user = *id;
  c.session.authenticated = true;
  return true;
}

void auth_command(Context& c) {
  if (c.argv.size() > 3) return c.reply.error(command::kSyntaxError);
  if (c.argv.size() == 2 && c.state.users.at(acl::kDefaultUser).no_password()) {
    return c.reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?");
  }
  const bool good = c.argv.size() == 2 ? authenticate(c, "default", c.argv[1]) : authenticate(c, c.argv[1], c.argv[2]);
  good ? c.reply.ok() : c.reply.error(kWrongPass);
}

void reply_hello(Context& c) {
  c.reply.map(7);
  c.reply.bulk("server");
  c.reply.bulk("redis");
  c.reply.bulk("version");
  c.reply.bulk(kRedisVersion);
  c.reply.bulk("proto");
  c.reply.integer(c.session.protocol);
  c.reply.bulk("id");
  c.reply.integer(static_cast<int64_t>(c.session.id));
  c.reply.bulk("mode");
  c.reply.bulk("standalone");
  c.reply.bulk("role");
  c.reply.bulk(c.state.replication.is_replica ? "replica" : "master");
  c.reply.bulk("modules");
  c.reply.array(0);
}

void hello_command(Context& c) {
  int64_t protocol = 0;
  if (c.argv.size() >= 2) {
    const auto wanted = parse_int64(c.argv[1]);
    if (!wanted) return c.reply.error("ERR Protocol version is not an integer or out of range");
    if (*wanted < 2 || *wanted > 3) return c.reply.error("NOPROTO unsupported protocol version");
    protocol = *wanted;
  }
  std::optional<std::string_view> name;
  size_t login = 0;
  for (size_t i = 2; i < c.argv.size(); ++i) {
    const size_t left = c.argv.size() - 1 - i;
    if (equal_ignoring_case(c.argv[i], "auth") && left >= 2) {
      login = i + 1;  // of several the last one counts
      i += 2;
    } else if (equal_ignoring_case(c.argv[i], "setname") && left >= 1) {
      name = c.argv[++i];
      if (!is_client_name(*name)) return c.reply.error(kBadClientName);
    } else {
      return c.reply.error(fmt::format("ERR Syntax error in HELLO option '{}'", c.argv[i]));
    }
  }
  if (login != 0 && !authenticate(c, c.argv[login], c.argv[login + 1])) return c.reply.error(kWrongPass);
  if (!c.session.authenticated && !c.state.users.default_is_open()) {
    return c.reply.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
        "<pass> option can be used to authenticate the client and select the RESP protocol version at the same time");
  }
  if (name) c.session.name = *name;
  if (protocol != 0) {
    c.session.protocol = static_cast<int>(protocol);
    c.reply.set_version(c.session.protocol);
  }
  reply_hello(c);
}

void reset_command(Context& c) {
  Session& session = c.session;
  if (session.transaction.open) discard_transaction(c.state, session);
  unwatch_all(c.state, session);
  c.state.hub.forget(session.id);
  c.state.shard_hub.forget(session.id);
  tracking_off(c.state, session);
  monitor_off(c.state, session);
  session.db = 0;
  session.protocol = 2;
  c.reply.set_version(2);
  session.name.clear();
  session.user = acl::kDefaultUser;
  session.authenticated = c.state.users.default_is_open();
  session.reply_mode = ReplyMode::kOn;
  session.no_evict = session.no_touch = false;
  c.reply.simple("RESET");
}

constexpr Binding kBindings[] = {
    {"auth", auth_command},
    {"hello", hello_command},
    {"reset", reset_command},
};

}  // namespace

std::span<const Binding> authentication_bindings() { return kBindings; }

}  // namespace holdfast::family
