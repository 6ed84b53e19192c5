// CLIENT, COMMAND and ACL: introspection of connections and of the command table.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "command/catalogue.h"
#include "command/help.h"
#include "sentinel/commands.h"
#include "sentinel/config.h"

namespace holdfast::sentinel {
namespace {

/// Names end up in lists with spaces as separators.
bool is_list_safe(std::string_view text) {
  for (const char c : text) {
    if (c < '!' || c > '~') return false;
  }
  return true;
}

int64_t seconds(Duration d) { return std::chrono::duration_cast<std::chrono::seconds>(d).count(); }

bool offered(const command::Spec& spec) { return spec.is(command::kSentinelToo | command::kOnlySentinel); }

std::vector<const command::Spec*> offered_rows() {
  std::vector<const command::Spec*> rows;
  for (const command::Spec* spec : command::all_specs()) {
    if (offered(*spec)) rows.push_back(spec);
  }
  return rows;
}

/// `client` or `client|list`; nullptr: not offered.
const command::Spec* row_by_name(const std::vector<const command::Spec*>& rows, std::string_view name) {
  for (const command::Spec* spec : rows) {
    if (equal_ignoring_case(command::full_name(*spec), name)) return spec;
  }
  return nullptr;
}

/// The rows COMMAND DOCS was asked about; unknown names are passed over.
std::vector<const command::Spec*> chosen_rows(const std::vector<const command::Spec*>& rows,
                                              const std::vector<std::string_view>& args) {
  std::vector<const command::Spec*> chosen;
  for (size_t i = 2; i < args.size(); ++i) {
    if (const command::Spec* spec = row_by_name(rows, args[i])) chosen.push_back(spec);
  }
  if (args.size() > 2) return chosen;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(chosen),
               [](const command::Spec* spec) { return spec->parent.empty(); });
  return chosen;
}

std::string_view group_word(command::Group group) {
  switch (group) {
    case command::Group::kConnection:
      return "connection";
    case command::Group::kPubsub:
      return "pubsub";
    case command::Group::kSentinel:
      return "sentinel";
    default:
      return "server";  // the rest of what a Sentinel offers
  }
}

void command_docs(command::Reply& reply, const std::vector<const command::Spec*>& rows) {
  reply.map(rows.size());
  for (const command::Spec* spec : rows) {
    reply.bulk(command::full_name(*spec));
    reply.map(2);
    reply.bulk("since");
    reply.bulk(spec->since);
    reply.bulk("group");
    reply.bulk(group_word(spec->group));
  }
}

void command_entry(command::Reply& reply, const command::Spec& spec) {
  reply.array(10);
  reply.bulk(command::full_name(spec));
  reply.integer(spec.arity);
  reply.set(0);
  for (int i = 0; i < 3; ++i) reply.integer(0);  // a Sentinel's commands have no keys
  reply.set(0);
  for (int i = 0; i < 3; ++i) reply.array(0);
}

}  // namespace

std::string Commands::client_line(const Client& client) const {
  const size_t channels = clients_.hub().channel_count_of(client.id);
  const size_t patterns = clients_.hub().pattern_count_of(client.id);
  std::string flags = channels + patterns > 0 ? "P" : "";
  if (client.no_evict) flags += "e";
  if (flags.empty()) flags = "N";
  const size_t waiting = core_.connections.output(client.conn).size();
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db=0 sub={} psub={} ssub=0 multi=-1 qbuf={} "
      "qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={} oll=0 omem=0 tot-mem={} events=r cmd={} user={} "
      "redir=-1 resp={} lib-name={} lib-ver={}",
      client.id, client.peer, client.local, client.conn.index, client.name, seconds(core_.since(client.since)),
      seconds(core_.since(client.last_seen)), flags, channels, patterns, client.in.held(), waiting,
      client.in.held() + waiting, client.last_command, core_.users.at(client.user).name(), client.resp, client.lib_name,
      client.lib_ver);
}

void Commands::client(CommandContext& context, const Args& args) {
  Client& client = context.client;
  command::Reply& reply = context.reply;
  const std::string sub = to_lower(args[1]);
  if (sub == "id") return reply.integer(static_cast<int64_t>(client.id));
  if (sub == "getname") return client.name.empty() ? reply.null() : reply.bulk(client.name);
  if (sub == "info") return reply.verbatim("txt", client_line(client) + "\n");
  if (sub == "getredir") return reply.integer(-1);
  if (sub == "kill") return client_kill(context, args);
  if (sub == "reply") return client_reply(context, args);
  if (sub == "setinfo") return client_setinfo(context, args);
  if (sub == "setname") {
    if (!is_list_safe(args[2])) {
      return reply.error("ERR Client names cannot contain spaces, newlines or special characters.");
    }
    client.name = args[2];
    return reply.ok();
  }
  if (sub == "no-evict") {
    if (!equal_ignoring_case(args[2], "on") && !equal_ignoring_case(args[2], "off")) {
      return reply.error("ERR syntax error");
    }
    client.no_evict = equal_ignoring_case(args[2], "on");
    return reply.ok();
  }
  if (sub == "list") {
    std::string lines;
    for (const auto& [id, other] : clients_.all()) lines += client_line(*other) + "\n";
    return reply.verbatim("txt", lines);
  }
  reply.error(command::unknown_subcommand("client", args[1]));
}

void Commands::client_setinfo(CommandContext& context, const Args& args) {
  const bool is_name = equal_ignoring_case(args[2], "lib-name");
  if (!is_name && !equal_ignoring_case(args[2], "lib-ver")) {
    return context.reply.error(fmt::format("ERR Unrecognized option '{}'", args[2]));
  }
  if (!is_list_safe(args[3])) {
    return context.reply.error(
        fmt::format("ERR {} cannot contain spaces, newlines or special characters.", is_name ? "lib-name" : "lib-ver"));
  }
  (is_name ? context.client.lib_name : context.client.lib_ver) = args[3];
  context.reply.ok();
}

void Commands::client_reply(CommandContext& context, const Args& args) {
  if (equal_ignoring_case(args[2], "on")) {
    context.client.replies = Client::Replies::kOn;
    clients_.emit(context.client, "+OK\r\n");
  } else if (equal_ignoring_case(args[2], "off")) {
    context.client.replies = Client::Replies::kOff;
  } else if (equal_ignoring_case(args[2], "skip")) {
    if (context.client.replies == Client::Replies::kOn) context.client.replies = Client::Replies::kSkipNext;
  } else {
    context.reply.error("ERR syntax error");
  }
}

void Commands::close_all(std::span<const uint64_t> clients, CommandContext& context) {
  for (const uint64_t id : clients) {
    if (id == context.client.id) {
      context.close_after = true;
    } else {
      clients_.close(*clients_.find(id), action::CloseMode::kNow);
    }
  }
}

void Commands::client_kill(CommandContext& context, const Args& args) {
  std::vector<uint64_t> doomed;
  bool skip_me = true;
  const bool old_form = args.size() == 3;
  std::string_view address, local_address, type, id_text;
  std::optional<acl::UserId> user;
  if (old_form) {
    address = args[2];
    skip_me = false;
  } else {
    if (args.size() % 2 != 0) return context.reply.error("ERR syntax error");
    for (size_t i = 2; i + 1 < args.size(); i += 2) {
      const std::string key = to_lower(args[i]);
      if (key == "id") {
        id_text = args[i + 1];
        const std::optional<int64_t> id = parse_int64(id_text);
        if (!id || *id <= 0) return context.reply.error("ERR client-id should be greater than 0");
      } else if (key == "addr") {
        address = args[i + 1];
      } else if (key == "laddr") {
        local_address = args[i + 1];
      } else if (key == "type") {
        type = args[i + 1];
        if (type != "normal" && type != "pubsub" && type != "master" && type != "slave" && type != "replica") {
          return context.reply.error(fmt::format("ERR Unknown client type '{}'", type));
        }
      } else if (key == "user") {
        user = core_.users.find(args[i + 1]);
        if (!user) return context.reply.error(fmt::format("ERR No such user '{}'", args[i + 1]));
      } else if (key == "skipme") {
        if (!parse_yes_no(args[i + 1])) return context.reply.error("ERR syntax error");
        skip_me = *parse_yes_no(args[i + 1]);
      } else {
        return context.reply.error("ERR syntax error");
      }
    }
  }
  for (const auto& [id, other] : clients_.all()) {
    const bool in_pubsub = clients_.hub().count_of(id) > 0;
    if (!address.empty() && other->peer != address) continue;
    if (!local_address.empty() && other->local != local_address) continue;
    if (!id_text.empty() && std::to_string(id) != id_text) continue;
    if (!type.empty() && type != (in_pubsub ? "pubsub" : "normal")) continue;
    if (user && other->user != *user) continue;
    if (id == context.client.id && skip_me) continue;
    doomed.push_back(id);
  }
  close_all(doomed, context);
  if (!old_form) return context.reply.integer(static_cast<int64_t>(doomed.size()));
  if (doomed.empty()) return context.reply.error("ERR No such client");
  context.reply.ok();
}

void Commands::command(CommandContext& context, const Args& args) {
  const std::vector<const command::Spec*> rows = offered_rows();
  const auto top = static_cast<size_t>(
      std::count_if(rows.begin(), rows.end(), [](const command::Spec* spec) { return spec->parent.empty(); }));
  command::Reply& reply = context.reply;
  const std::string sub = args.size() > 1 ? to_lower(args[1]) : "";
  if (sub == "count") return reply.integer(static_cast<int64_t>(top));
  if (sub == "list") {
    reply.array(rows.size());
    for (const command::Spec* spec : rows) reply.bulk(command::full_name(*spec));
    return;
  }
  if (sub == "docs") return command_docs(reply, chosen_rows(rows, args));
  if (sub == "info" && args.size() > 2) {
    reply.array(args.size() - 2);
    for (size_t i = 2; i < args.size(); ++i) {
      const command::Spec* spec = row_by_name(rows, args[i]);
      if (spec == nullptr) {
        reply.null_array();
      } else {
        command_entry(reply, *spec);
      }
    }
    return;
  }
  if (sub.empty() || sub == "info") {
    reply.array(top);
    for (const command::Spec* spec : rows) {
      if (spec->parent.empty()) command_entry(reply, *spec);
    }
    return;
  }
  reply.error(command::unknown_subcommand("command", args[1]));
}

}  // namespace holdfast::sentinel
