#include "server/blocked.h"

#include <algorithm>

#include "base/assert.h"
#include "server/accounting.h"
#include "server/engine.h"

namespace holdfast::server {

using family::ClientId;
using family::Session;

namespace {

constexpr int64_t kLongestTimeoutMs = 1000LL * 3600 * 24 * 365 * 100;

}  // namespace

void Blocked::wait(family::Context& context, store::Type type, std::span<const std::string_view> keys,
                   int64_t timeout_ms, family::WhenGone when_gone) {
  const ClientId client = context.session.id;
  HF_ASSERT(!waiters_.contains(client));
  Waiter waiter;
  waiter.type = type;
  waiter.when_gone = when_gone;
  waiter.command = {context.session.last_command, {context.argv.begin(), context.argv.end()}};
  if (serving_) {
    waiter.deadline = running_deadline_;
  } else if (timeout_ms > 0 && timeout_ms < kLongestTimeoutMs) {
    waiter.deadline = context.now.mono + from_ms(timeout_ms);
  }
  for (const std::string_view name : keys) {
    DbKey key(context.session.db, name);
    if (std::find(waiter.keys.begin(), waiter.keys.end(), key) != waiter.keys.end()) continue;
    queues_[key].push_back(client);
    waiter.keys.push_back(std::move(key));
  }
  if (waiter.deadline != kNever) deadlines_.emplace(waiter.deadline, client);
  waiters_.emplace(client, std::move(waiter));
  context.session.blocked = true;
  engine_.state_.awaited_keys = queues_.size();
}

void Blocked::forget(ClientId client) {
  const auto at = waiters_.find(client);
  if (at == waiters_.end()) return;
  for (const DbKey& key : at->second.keys) {
    const auto queue = queues_.find(key);
    std::erase(queue->second, client);
    if (queue->second.empty()) queues_.erase(queue);
  }
  deadlines_.erase({at->second.deadline, client});
  waiters_.erase(at);
  engine_.state_.awaited_keys = queues_.size();
}

void Blocked::key_changed(int db, std::string_view name) {
  DbKey key(db, name);
  if (!queues_.contains(key) || std::find(ready_.begin(), ready_.end(), key) != ready_.end()) return;
  ready_.push_back(std::move(key));
}

void Blocked::all_changed() {
  for (const auto& [key, queue] : queues_) key_changed(key.first, key.second);
}

void Blocked::serve(Now now, bool held_back) {
  if (serving_) return;
  serving_ = true;
  while (!ready_.empty() && !held_back) {
    for (const DbKey& key : std::exchange(ready_, {})) serve_key(key, now);
  }
  serving_ = false;
  for (const ClientId client : std::exchange(resumed_, {})) {
    Session* session = engine_.clients_.find_by_id(client);
    if (session == nullptr || session->blocked) continue;
    session->input.feed({});
    engine_.process_input(*session, now);
  }
}

void Blocked::serve_key(const DbKey& key, Now now) {
  const auto queue = queues_.find(key);
  if (queue == queues_.end()) return;
  const std::vector<ClientId> clients = queue->second;  // those who wait on go to the end of the queue
  for (const ClientId client : clients) {
    const auto waiter = waiters_.find(client);
    if (waiter == waiters_.end()) continue;
    const store::Keyspace& db = engine_.state_.data->db(static_cast<size_t>(key.first));
    const store::Entry* entry = db.find(engine_.state_.data->key(key.second));
    // COMPAT: an expired key wakes nobody, and is not deleted for having been looked at.
    const bool alive = entry != nullptr && !entry->is_expired(unix_ms(now.wall));
    const bool usable = alive && entry->type() == waiter->second.type;
    if (usable || waiter->second.when_gone == family::WhenGone::kRunAgain) run(client, now);
  }
}

void Blocked::run(ClientId client, Now now) {
  Session* session = engine_.clients_.find_by_id(client);
  HF_ASSERT(session != nullptr);
  const Waiter waiter = waiters_.at(client);
  forget(client);
  running_deadline_ = waiter.deadline;
  session->blocked = false;
  engine_.dispatcher_.run_again(engine_.dispatch_host(), *session, waiter.command, now);
  engine_.flush_effects(now);
  if (!session->blocked) resumed_.push_back(client);
}

void Blocked::tick(Now now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.mono) release(deadlines_.begin()->second, {});
}

Mono Blocked::next_deadline() const { return deadlines_.empty() ? kNever : deadlines_.begin()->first; }

bool Blocked::release(ClientId client, std::string_view error) {
  const auto waiter = waiters_.find(client);
  if (waiter == waiters_.end()) return false;
  Session* session = engine_.clients_.find_by_id(client);
  HF_ASSERT(session != nullptr);
  const family::QueuedCommand& command = waiter->second.command;
  const std::vector<std::string_view> words(command.argv.begin(), command.argv.end());
  count_run(engine_.state_, *session, command.spec, words, !error.empty(), engine_.now_);
  if (!error.empty()) {
    engine_.dispatcher_.count_refusal(engine_.state_, command::kNoSpec, "-" + std::string(error));
  }
  forget(client);
  const bool muted = session->reply_mode != family::ReplyMode::kOn;
  command::Reply reply(engine_.output_of(*session), session->protocol, muted);
  error.empty() ? reply.null_array() : reply.error(error);
  session->blocked = false;
  resumed_.push_back(client);
  return true;
}

void Blocked::release_all(std::string_view error) {
  std::vector<ClientId> all;
  for (const auto& [client, waiter] : waiters_) all.push_back(client);
  for (const ClientId client : all) {
    if (Session* session = engine_.clients_.find_by_id(client)) session->close_after_reply = true;
    release(client, error);
  }
}

void Blocked::check_invariants() const {
  size_t places = 0;
  for (const auto& [key, queue] : queues_) {
    HF_ASSERT(!queue.empty());
    places += queue.size();
    for (const ClientId client : queue) HF_ASSERT(waiters_.contains(client));
  }
  for (const auto& [client, waiter] : waiters_) places -= waiter.keys.size();
  HF_ASSERT(places == 0 && deadlines_.size() <= waiters_.size());
}

}  // namespace holdfast::server
