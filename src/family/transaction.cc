// MULTI, EXEC, DISCARD, WATCH, UNWATCH.
#include "family/transaction.h"

#include <fmt/format.h>

#include <algorithm>

#include "family/bindings.h"
#include "family/denial.h"
#include "family/lookup.h"

namespace holdfast::family {

void unwatch_all(State& state, Session& session) {
  for (const auto& watched : session.transaction.watched) {
    const auto at = state.watchers.find(watched);
    std::erase(at->second, session.id);
    if (at->second.empty()) state.watchers.erase(at);
  }
  session.transaction.watched.clear();
  session.transaction.dirty_watch = false;
}

void discard_transaction(State& state, Session& session) {
  unwatch_all(state, session);
  session.transaction = {};
}

namespace {

void multi_command(Context& c) {
  if (c.session.transaction.open) return c.reply.error("ERR MULTI calls can not be nested");
  c.session.transaction.open = true;
  c.reply.ok();
}

void discard_command(Context& c) {
  if (!c.session.transaction.open) return c.reply.error("ERR DISCARD without MULTI");
  discard_transaction(c.state, c.session);
  c.reply.ok();
}

/// A watched key that expired since WATCH counts as changed.
bool watched_key_expired(Context& c) {
  return std::any_of(c.session.transaction.watched.begin(), c.session.transaction.watched.end(),
                     [&](const std::pair<int, std::string>& watched) {
                       const store::Entry* entry =
                           c.state.data->db(static_cast<size_t>(watched.first)).find(c.key(watched.second));
                       return entry != nullptr && entry->is_expired(c.now_ms());
                     });
}

/// Permissions may have changed since the command was queued.
bool still_permitted(Context& c, const QueuedCommand& command) {
  const acl::User& user = c.state.users.at(c.session.user);
  if (user.unrestricted() || c.session.role == Role::kPrimary) return true;
  const std::vector<std::string_view> words(command.argv.begin(), command.argv.end());
  const acl::Verdict verdict = user.check(command.spec, words);
  if (verdict.denied == acl::Denied::kNo) return true;
  note_denial(c.state, c.services, c.session, {command::spec_at(command.spec), words, verdict}, acl::LogContext::kMulti,
              c.now);
  const std::string_view reason =
      verdict.denied == acl::Denied::kCommand ? "no permission to execute the command or subcommand"
      : verdict.denied == acl::Denied::kKey   ? "no permission to touch the specified keys"
                                              : "no permission to access one of the channels used as arguments";
  c.reply.error(fmt::format(
      "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is "
      "no longer allowed for the following reason: {}",
      reason));
  return false;
}

void exec_command(Context& c) {
  Transaction& transaction = c.session.transaction;
  if (!transaction.open) return c.reply.error("ERR EXEC without MULTI");
  if (transaction.poisoned) {
    discard_transaction(c.state, c.session);
    return c.reply.error("EXECABORT Transaction discarded because of previous errors.");
  }
  if (transaction.dirty_watch || watched_key_expired(c)) {
    discard_transaction(c.state, c.session);
    return c.reply.null_array();
  }
  const std::vector<QueuedCommand> queue = std::move(transaction.queue);
  discard_transaction(c.state, c.session);
  c.reply.array(queue.size());
  for (const QueuedCommand& command : queue) {
    if (still_permitted(c, command)) c.services.execute_queued(c, command);
  }
}

void watch_command(Context& c) {
  if (c.session.transaction.open) return c.reply.error("ERR WATCH inside MULTI is not allowed");
  for (const std::string_view name : c.argv.subspan(1)) {
    const store::Key key = c.key(name);
    // COMPAT: a key that is already expired when it is watched may vanish without aborting the transaction.
    lookup_write(c, key);
    std::pair<int, std::string> watched(c.session.db, std::string(name));
    if (c.session.transaction.watched.insert(watched).second) c.state.watchers[watched].push_back(c.session.id);
  }
  c.reply.ok();
}

void unwatch_command(Context& c) {
  unwatch_all(c.state, c.session);
  c.reply.ok();
}

constexpr Binding kBindings[] = {
    {"discard", discard_command}, {"exec", exec_command},   {"multi", multi_command},
    {"unwatch", unwatch_command}, {"watch", watch_command},
};

}  // namespace

std::span<const Binding> transaction_bindings() { return kBindings; }

}  // namespace holdfast::family
