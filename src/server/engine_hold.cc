// Engine, continued: what holds clients and their output back - the append-only file, output limits, pauses.
#include <fmt/format.h>

#include <algorithm>

#include "family/lookup.h"
#include "server/aof.h"
#include "server/blocked.h"
#include "server/engine.h"
#include "server/replication.h"

namespace holdfast::server {

using family::Role;
using family::Session;

/// Sends what of the client's output waits for nothing any more.
void Engine::release_held(Session& session) {
  const size_t before = session.output.size();
  session.held->release(aof_->safe(), session.output);
  if (session.held->empty() && session.close_after_reply) return drop_session(session, action::CloseMode::kFlush, now_);
  if (session.output.size() != before && !session.output_held) act(action::Flush{session.conn});
  check_output_limit(session, now_);
}

void Engine::effects_durable() {
  for (const ConnId conn : std::exchange(held_, {})) {
    Session* session = clients_.find(conn);
    if (session == nullptr) continue;
    release_held(*session);
    if (!session->closing && session->held->waits()) held_.push_back(conn);
  }
  replication_->answer_waits(now_);
}

void Engine::check_output_limit(Session& session, Now now) {
  const auto& settings = state_.settings;
  const family::OutputLimit& limit = session.role == Role::kReplica                     ? settings.output_limit_replica
                                     : family::subscriptions_of(state_, session.id) > 0 ? settings.output_limit_pubsub
                                                                                        : settings.output_limit_normal;
  size_t size = session.output.size() + (session.held ? session.held->bytes.size() : 0);
  size_t hard = limit.hard_bytes;
  if (session.role == Role::kReplica) {
    size += replication_->pinned_by(session);
    // COMPAT: a limit below the backlog is none: what is shared costs nothing.
    if (hard > 0) hard = std::max(hard, static_cast<size_t>(settings.repl_backlog_size));
  }
  bool over = hard > 0 && size > hard;
  if (limit.soft_bytes > 0 && size > limit.soft_bytes) {
    const Mono since = over_soft_limit_.emplace(session.id, now.mono).first->second;
    over |= now.mono - since > std::chrono::seconds(limit.soft_seconds);
  } else {
    over_soft_limit_.erase(session.id);
  }
  if (!over || session.role == Role::kPrimary || session.role == Role::kTarget) return;
  log(LogLevel::kWarning, fmt::format("Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
                                      client_line(session, now)));
  ++state_.stats.output_buffer_limit_disconnections;
  drop_session(session, action::CloseMode::kReset, now);
}

void Engine::pause_clients(Mono until, bool writes_only) { pause(PauseReason::kClient, until, writes_only); }
void Engine::unpause_clients() { unpause(PauseReason::kClient); }

void Engine::pause(PauseReason why, Mono until, bool writes_only) {
  Pause& one = pauses_[static_cast<size_t>(why)];
  // COMPAT: a later pause never shortens or weakens the one in force.
  const bool active = now_.mono < one.until;
  one.writes_only = active ? one.writes_only && writes_only : writes_only;
  one.until = active ? std::max(one.until, until) : until;
  pause_until_ = std::max(pause_until_, one.until);
}

void Engine::unpause(PauseReason why) {
  pauses_[static_cast<size_t>(why)].until = pause_until_ = Mono::min();
  for (const Pause& one : pauses_) pause_until_ = std::max(pause_until_, one.until);
}

bool Engine::paused(bool all) const {
  if (now_.mono >= pause_until_) return false;
  return std::any_of(std::begin(pauses_), std::end(pauses_),
                     [&](const Pause& one) { return now_.mono < one.until && !(all && one.writes_only); });
}

void Engine::end_pause(Now now) {
  if (!paused_.empty() && now.mono >= pause_until_) release_paused(now);
}

void Engine::release_paused(Now now) {
  for (const family::ClientId id : std::exchange(paused_, {})) {
    Session* session = clients_.find_by_id(id);
    if (session == nullptr) continue;
    session->blocked = false;
    session->input.feed({});
    process_input(*session, now);
  }
}

}  // namespace holdfast::server
