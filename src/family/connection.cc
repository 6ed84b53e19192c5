// Commands on the connection itself: PING and its like, CLIENT.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "family/bindings.h"
#include "family/connection.h"
#include "family/help.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

void ping_command(Context& c) {
  if (c.argv.size() > 2) {
    return c.reply.error(fmt::format("ERR wrong number of arguments for '{}' command", c.spec.name));
  }
  const bool subscribed = subscriptions_of(c.state, c.session.id) > 0;
  if (subscribed && c.session.protocol == 2) {
    c.reply.array(2);
    c.reply.bulk("pong");
    c.reply.bulk(c.argv.size() == 2 ? c.argv[1] : std::string_view());
  } else if (c.argv.size() == 2) {
    c.reply.bulk(c.argv[1]);
  } else {
    c.reply.simple("PONG");
  }
}

void echo_command(Context& c) { c.reply.bulk(c.argv[1]); }

void quit_command(Context& c) {
  c.reply.ok();
  c.services.close_session(c.session);
}

void select_command(Context& c) {
  const auto db = parse_int64(c.argv[1]);
  if (!db) return c.reply.error(command::kNotAnInteger);
  if (*db < INT32_MIN || *db > INT32_MAX) {
    return c.reply.error("ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (*db < 0 || *db >= c.state.settings.databases) return c.reply.error("ERR DB index is out of range");
  c.session.db = static_cast<int>(*db);
  c.reply.ok();
}

// CLIENT.

void client_id_command(Context& c) { c.reply.integer(static_cast<int64_t>(c.session.id)); }

void client_getname_command(Context& c) { c.session.name.empty() ? c.reply.null() : c.reply.bulk(c.session.name); }

void client_setname_command(Context& c) {
  if (!is_client_name(c.argv[2])) return c.reply.error(kBadClientName);
  c.session.name = c.argv[2];
  c.reply.ok();
}

void client_setinfo_command(Context& c) {
  const bool name = equal_ignoring_case(c.argv[2], "lib-name");
  if (!name && !equal_ignoring_case(c.argv[2], "lib-ver")) {
    return c.reply.error(fmt::format("ERR Unrecognized option '{}'", c.argv[2]));
  }
  if (!is_client_name(c.argv[3])) {
    return c.reply.error(
        fmt::format("ERR {} cannot contain spaces, newlines or special characters.", name ? "lib-name" : "lib-ver"));
  }
  (name ? c.session.lib_name : c.session.lib_version) = c.argv[3];
  c.reply.ok();
}

void client_info_command(Context& c) { c.reply.verbatim("txt", c.services.client_line(c.session, c.now) + "\n"); }

enum class ClientType : uint8_t { kNormal, kPrimary, kReplica, kPubsub };

std::optional<ClientType> read_client_type(std::string_view word) {
  if (equal_ignoring_case(word, "normal")) return ClientType::kNormal;
  if (equal_ignoring_case(word, "master") || equal_ignoring_case(word, "primary")) return ClientType::kPrimary;
  if (equal_ignoring_case(word, "slave") || equal_ignoring_case(word, "replica")) return ClientType::kReplica;
  if (equal_ignoring_case(word, "pubsub")) return ClientType::kPubsub;
  return std::nullopt;
}

ClientType type_of(const State& state, const Session& session) {
  if (session.role == Role::kPrimary) return ClientType::kPrimary;
  if (session.role == Role::kReplica) return ClientType::kReplica;
  return subscriptions_of(state, session.id) > 0 ? ClientType::kPubsub : ClientType::kNormal;
}

std::string unknown_type(std::string_view word) { return fmt::format("ERR Unknown client type '{}'", word); }

void client_list_command(Context& c) {
  std::optional<ClientType> type;
  std::vector<ClientId> ids;
  if (c.argv.size() == 4 && equal_ignoring_case(c.argv[2], "type")) {
    type = read_client_type(c.argv[3]);
    if (!type) return c.reply.error(unknown_type(c.argv[3]));
  } else if (c.argv.size() > 3 && equal_ignoring_case(c.argv[2], "id")) {
    for (const std::string_view word : c.argv.subspan(3)) {
      const auto id = parse_int64(word);
      if (!id || *id <= 0) return c.reply.error("ERR Invalid client ID");
      ids.push_back(static_cast<ClientId>(*id));
    }
  } else if (c.argv.size() != 2) {
    return c.reply.error(command::kSyntaxError);
  }
  std::string lines;
  const auto add = [&](Session& session) {
    if (session.role == Role::kTarget || (type && type_of(c.state, session) != *type)) return;
    lines += c.services.client_line(session, c.now) + "\n";
  };
  if (ids.empty()) {
    c.services.visit_sessions(add);
  } else {
    for (const ClientId id : ids) {
      if (Session* session = c.services.find_session(id)) add(*session);
    }
  }
  c.reply.verbatim("txt", lines);
}

struct KillFilter {
  std::optional<ClientId> id;
  std::optional<ClientType> type;
  std::optional<acl::UserId> user;
  std::string_view address;
  std::string_view local_address;
  bool skip_me = true;

  bool matches(const State& state, const Session& session) const {
    if (id && session.id != *id) return false;
    if (type && type_of(state, session) != *type) return false;
    if (user && session.user != *user) return false;
    if (!address.empty() && to_string(session.peer) != address) return false;
    return local_address.empty() || to_string(session.local) == local_address;
  }
};

bool read_kill_filter(Context& c, KillFilter& filter) {
  for (size_t i = 2; i < c.argv.size(); i += 2) {
    const std::string_view option = c.argv[i];
    if (i + 1 >= c.argv.size()) return c.reply.error(command::kSyntaxError), false;
    const std::string_view value = c.argv[i + 1];
    if (equal_ignoring_case(option, "id")) {
      const auto id = parse_int64(value);
      if (!id || *id < 1) return c.reply.error("ERR client-id should be greater than 0"), false;
      filter.id = static_cast<ClientId>(*id);
    } else if (equal_ignoring_case(option, "type")) {
      filter.type = read_client_type(value);
      if (!filter.type) return c.reply.error(unknown_type(value)), false;
    } else if (equal_ignoring_case(option, "addr")) {
      filter.address = value;
    } else if (equal_ignoring_case(option, "laddr")) {
      filter.local_address = value;
    } else if (equal_ignoring_case(option, "user")) {
      filter.user = c.state.users.find(value);
      if (!filter.user) return c.reply.error(fmt::format("ERR No such user '{}'", value)), false;
    } else if (equal_ignoring_case(option, "skipme")) {
      if (!equal_ignoring_case(value, "yes") && !equal_ignoring_case(value, "no")) {
        return c.reply.error(command::kSyntaxError), false;
      }
      filter.skip_me = equal_ignoring_case(value, "yes");
    } else {
      return c.reply.error(command::kSyntaxError), false;
    }
  }
  return true;
}

void client_kill_command(Context& c) {
  KillFilter filter;
  const bool old_form = c.argv.size() == 3;
  if (old_form) {
    filter.address = c.argv[2];
    filter.skip_me = false;
  } else if (!read_kill_filter(c, filter)) {
    return;
  }
  std::vector<Session*> victims;
  c.services.visit_sessions([&](Session& session) {
    if (session.role == Role::kTarget || (filter.skip_me && session.id == c.session.id)) return;
    if (filter.matches(c.state, session)) victims.push_back(&session);
  });
  if (old_form && victims.empty()) return c.reply.error("ERR No such client");
  old_form ? c.reply.ok() : c.reply.integer(static_cast<int64_t>(victims.size()));
  for (Session* victim : victims) c.services.close_session(*victim);
}

void client_reply_command(Context& c) {
  if (equal_ignoring_case(c.argv[2], "on")) {
    c.session.reply_mode = ReplyMode::kOn;
    command::Reply(c.services.output_of(c.session), c.session.protocol).ok();
  } else if (equal_ignoring_case(c.argv[2], "off")) {
    c.session.reply_mode = ReplyMode::kOff;
  } else if (equal_ignoring_case(c.argv[2], "skip")) {
    if (c.session.reply_mode == ReplyMode::kOn) c.session.reply_mode = ReplyMode::kSkipNext;
  } else {
    c.reply.error(command::kSyntaxError);
  }
}

void client_flag(Context& c, bool& flag) {
  const bool on = equal_ignoring_case(c.argv[2], "on");
  if (!on && !equal_ignoring_case(c.argv[2], "off")) return c.reply.error(command::kSyntaxError);
  flag = on;
  c.reply.ok();
}
void client_no_evict_command(Context& c) { client_flag(c, c.session.no_evict); }
void client_no_touch_command(Context& c) { client_flag(c, c.session.no_touch); }

void client_pause_command(Context& c) {
  bool writes_only = false;
  if (c.argv.size() == 4) {
    writes_only = equal_ignoring_case(c.argv[3], "write");
    if (!writes_only && !equal_ignoring_case(c.argv[3], "all")) {
      return c.reply.error("ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
  } else if (c.argv.size() != 3) {
    return c.reply.error(command::kSyntaxError);
  }
  const auto ms = parse_int64(c.argv[2]);
  if (!ms) return c.reply.error("ERR timeout is not an integer or out of range");
  if (*ms < 0) return c.reply.error("ERR timeout is negative");
  constexpr int64_t kLongest = 1000LL * 3600 * 24 * 365 * 100;
  c.services.pause_clients(c.now.mono + from_ms(std::min(*ms, kLongest)), writes_only);
  c.reply.ok();
}

void client_unpause_command(Context& c) {
  c.services.unpause_clients();
  c.reply.ok();
}

void client_unblock_command(Context& c) {
  const bool by_error = c.argv.size() == 4 && equal_ignoring_case(c.argv[3], "error");
  if (c.argv.size() > 4) return reply_unknown_subcommand(c);
  if (c.argv.size() == 4 && !by_error && !equal_ignoring_case(c.argv[3], "timeout")) {
    return c.reply.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  const auto id = parse_int64(c.argv[2]);
  if (!id) return c.reply.error(command::kNotAnInteger);
  const std::string_view error = by_error ? "UNBLOCKED client unblocked via CLIENT UNBLOCK" : "";
  c.reply.integer(*id > 0 && c.services.unblock_session(static_cast<ClientId>(*id), error) ? 1 : 0);
}

void client_help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "CACHING (YES|NO)",
      "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
      "GETREDIR",
      "    Return the client ID we are redirecting to when tracking is enabled.",
      "GETNAME",
      "    Return the name of the current connection.",
      "ID",
      "    Return the ID of the current connection.",
      "INFO",
      "    Return information about the current client connection.",
      "KILL <ip:port>",
      "    Kill connection made from <ip:port>.",
      "KILL <option> <value> [<option> <value> [...]]",
      "    Kill connections. Options are:",
      "    * ADDR (<ip:port>|<unixsocket>:0)",
      "      Kill connections made from the specified address",
      "    * LADDR (<ip:port>|<unixsocket>:0)",
      "      Kill connections made to specified local address",
      "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
      "      Kill connections by type.",
      "    * USER <username>",
      "      Kill connections authenticated by <username>.",
      "    * SKIPME (YES|NO)",
      "      Skip killing current connection (default: yes).",
      "LIST [options ...]",
      "    Return information about client connections. Options:",
      "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
      "      Return clients of specified type.",
      "UNPAUSE",
      "    Stop the current client pause, resuming traffic.",
      "PAUSE <timeout> [WRITE|ALL]",
      "    Suspend all, or just write, clients for <timeout> milliseconds.",
      "REPLY (ON|OFF|SKIP)",
      "    Control the replies sent to the current connection.",
      "SETNAME <name>",
      "    Assign the name <name> to the current connection.",
      "SETINFO <option> <value>",
      "    Set client meta attr. Options are:",
      "    * LIB-NAME: the client lib name.",
      "    * LIB-VER: the client lib version.",
      "UNBLOCK <clientid> [TIMEOUT|ERROR]",
      "    Unblock the specified blocked client.",
      "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
      "         [OPTIN] [OPTOUT] [NOLOOP]",
      "    Control server assisted client side caching.",
      "TRACKINGINFO",
      "    Report tracking status for the current connection.",
      "NO-EVICT (ON|OFF)",
      "    Protect current client connection from eviction.",
      "NO-TOUCH (ON|OFF)",
      "    Will not touch LRU/LFU stats when this mode is on.",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"client|getname", client_getname_command},
    {"client|help", client_help_command},
    {"client|id", client_id_command},
    {"client|info", client_info_command},
    {"client|kill", client_kill_command},
    {"client|list", client_list_command},
    {"client|no-evict", client_no_evict_command},
    {"client|no-touch", client_no_touch_command},
    {"client|pause", client_pause_command},
    {"client|reply", client_reply_command},
    {"client|setinfo", client_setinfo_command},
    {"client|setname", client_setname_command},
    {"client|unblock", client_unblock_command},
    {"client|unpause", client_unpause_command},
    {"echo", echo_command},
    {"ping", ping_command},
    {"quit", quit_command},
    {"select", select_command},
};

}  // namespace

bool is_client_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char ch) { return ch >= '!' && ch <= '~'; });
}

std::span<const Binding> connection_bindings() { return kBindings; }

}  // namespace holdfast::family
