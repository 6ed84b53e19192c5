#include "acl/answers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"
#include "codec/sha.h"
#include "command/help.h"

namespace holdfast::acl {
namespace {

using command::Reply;

constexpr size_t kShownMax = 128;
constexpr int64_t kEntriesShown = 10;
constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";

constexpr std::string_view kHelp[] = {
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

void put_list(Reply& reply, const std::vector<std::string>& items) {
  reply.array(items.size());
  for (const std::string& item : items) reply.bulk(item);
}

void put_selector(Reply& reply, const Selector& selector) {
  reply.bulk("commands");
  reply.bulk(selector.describe_commands());
  reply.bulk("keys");
  reply.bulk(selector.describe_keys());
  reply.bulk("channels");
  reply.bulk(selector.describe_channels());
}

std::string_view reason_name(Denied reason) {
  switch (reason) {
    case Denied::kNo:
      break;
    case Denied::kCommand:
      return "command";
    case Denied::kKey:
      return "key";
    case Denied::kAuth:
      return "auth";
    case Denied::kChannel:
      return "channel";
  }
  return "unknown";
}

std::string_view context_name(LogContext context) {
  switch (context) {
    case LogContext::kTopLevel:
      return "toplevel";
    case LogContext::kMulti:
      return "multi";
    case LogContext::kLua:
      return "lua";
  }
  return "unknown";
}

void put_text(Reply& reply, std::string_view name, std::string_view text) {
  reply.bulk(name);
  reply.bulk(text);
}

void put_number(Reply& reply, std::string_view name, int64_t number) {
  reply.bulk(name);
  reply.integer(number);
}

void put_entry(Reply& reply, const LogEntry& entry, int64_t now_ms) {
  reply.map(10);
  put_number(reply, "count", static_cast<int64_t>(entry.count));
  put_text(reply, "reason", reason_name(entry.reason));
  put_text(reply, "context", context_name(entry.context));
  put_text(reply, "object", entry.object);
  put_text(reply, "username", entry.username);
  reply.bulk("age-seconds");
  reply.number(static_cast<double>(now_ms - entry.updated_ms) / 1000);
  put_text(reply, "client-info", entry.client);
  put_number(reply, "entry-id", static_cast<int64_t>(entry.id));
  put_number(reply, "timestamp-created", entry.created_ms);
  put_number(reply, "timestamp-last-updated", entry.updated_ms);
}

/// An optional third word; more than three words are refused. False: answered already.
bool third_word(Reply& reply, Words words, std::string_view& third) {
  if (words.size() > 3) reply.error(command::misused_subcommand("acl", words[1]));
  if (words.size() == 3) third = words[2];
  return words.size() <= 3;
}

}  // namespace

std::string denial_text(const User& user, const DeniedRequest& request, bool verbose) {
  const auto named = [&](std::string_view what) {
    if (!verbose) return fmt::format("No permissions to access a {}", what);
    return fmt::format("User {} has no permissions to access the '{}' {}", user.name(),
                       request.words[request.verdict.position], what);
  };
  switch (request.verdict.denied) {
    case Denied::kCommand:
      return fmt::format("User {} has no permissions to run the '{}' command", user.name(),
                         command::full_name(request.spec));
    case Denied::kKey:
      return named("key");
    case Denied::kChannel:
      return named("channel");
    case Denied::kNo:
    case Denied::kAuth:
      break;
  }
  HF_UNREACHABLE();
}

void answer_getuser(Reply& reply, const Users& users, Words words) {
  const std::optional<UserId> id = users.find(words[2]);
  if (!id) return reply.null();
  const User& user = users.at(*id);
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
  for (const Selector& selector : std::span(user.selectors()).subspan(1)) {
    reply.map(3);
    put_selector(reply, selector);
  }
}

void answer_list(Reply& reply, const Users& users) { put_list(reply, users.lines()); }

void answer_users(Reply& reply, const Users& users) {
  const std::vector<UserId> ids = users.all();
  reply.array(ids.size());
  for (const UserId id : ids) reply.bulk(users.at(id).name());
}

void answer_cat(Reply& reply, Program program, Words words) {
  std::string_view category;
  if (!third_word(reply, words, category)) return;
  if (words.size() == 2) {
    const auto names = category_names();
    return put_list(reply, {names.begin(), names.end()});
  }
  const uint32_t bit = category_bit(category);
  if (bit == 0) return reply.error(fmt::format("ERR Unknown category '{}'", category.substr(0, kShownMax)));
  std::vector<std::string> names;
  for (const command::Spec* spec : command::all_specs()) {
    if (has_command(program, *spec) && (command::categories_of(*spec) & bit) != 0) {
      names.push_back(command::full_name(*spec));
    }
  }
  put_list(reply, names);
}

void answer_genpass(Reply& reply, SecretSource source, Words words) {
  constexpr int64_t kBitsMax = 4096;
  std::string_view wanted = "256";
  if (!third_word(reply, words, wanted)) return;
  const std::optional<int64_t> bits = parse_int64(wanted);
  if (!bits) return reply.error(kNotAnInteger);
  if (*bits <= 0 || *bits > kBitsMax) {
    return reply.error(fmt::format(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to {}",
        kBitsMax));
  }
  const auto characters = static_cast<size_t>((*bits + 3) / 4);
  std::string out;
  while (out.size() < characters) out += codec::sha256_hex(fmt::format("{}:{}", source.secret, source.given++));
  out.resize(characters);
  reply.bulk(out);
}

void answer_log(Reply& reply, Log& log, Words words, int64_t now_ms) {
  std::string_view wanted;
  if (!third_word(reply, words, wanted)) return;
  int64_t count = kEntriesShown;
  if (words.size() == 3) {
    if (equal_ignoring_case(wanted, "reset")) {
      log.clear();
      return reply.ok();
    }
    const std::optional<int64_t> number = parse_int64(wanted);
    if (!number) return reply.error(kNotAnInteger);
    count = std::max<int64_t>(*number, 0);
  }
  const auto& entries = log.entries();
  const size_t shown = std::min(static_cast<size_t>(count), entries.size());
  reply.array(shown);
  for (size_t i = 0; i < shown; ++i) put_entry(reply, entries[i], now_ms);
}

void answer_dryrun(Reply& reply, const Users& users, Program program, Words words) {
  const std::optional<UserId> id = users.find(words[2]);
  if (!id) return reply.error(fmt::format("ERR User '{}' not found", words[2]));
  const Words request = words.subspan(3);
  SpecIndex index = command::find_command(request[0]);
  if (index != command::kNoSpec && request.size() > 1 && command::has_subcommands(index)) {
    index = command::find_subcommand(index, request[1]);
  }
  if (index == command::kNoSpec || !has_command(program, command::spec_at(index))) {
    return reply.error(fmt::format("ERR Command '{}' not found", request[0]));
  }
  const command::Spec& spec = command::spec_at(index);
  if (!spec.accepts(request.size())) {
    return reply.error(fmt::format("ERR wrong number of arguments for '{}' command", command::full_name(spec)));
  }
  const User& user = users.at(*id);
  const Verdict verdict = user.check(index, request);
  if (verdict.denied == Denied::kNo) return reply.ok();
  reply.bulk(denial_text(user, {spec, request, verdict}, true));
}

void answer_help(Reply& reply) { command::put_help(reply, "acl", kHelp); }

}  // namespace holdfast::acl
