// Engine, continued: who may come in, what clients cost, and who is let go: by maxmemory-clients, or idle for too long.
#include <fmt/format.h>

#include <algorithm>

#include "server/client_memory.h"
#include "server/engine.h"

namespace holdfast::server {

using family::Role;
using family::Session;

namespace {
constexpr Duration kIdleCheckPeriod = 1s;
}  // namespace

void Engine::refuse(Session& session, std::string_view text) {
  session.output.append(text);
  ++state_.stats.rejected_connections;
  act(action::Flush{session.conn});
  drop_session(session, action::CloseMode::kFlush, now_);
}

bool Engine::refuse_beyond_maxclients(Session& session) {
  if (clients_.size() <= static_cast<size_t>(state_.settings.maxclients)) return false;
  refuse(session, "-ERR max number of clients reached\r\n");
  return true;
}

/// Protected mode. True: the session is gone.
bool Engine::refuse_strangers(Session& session) {
  if (!state_.settings.protected_mode || !state_.users.at(acl::kDefaultUser).no_password()) return false;
  if (session.local.is_unix() || is_loopback(session.peer)) return false;
  refuse(
      session,
      "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
      "default user. In this mode connections are only accepted from the loopback interface. If you want to connect "
      "from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode "
      "sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from "
      "the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you "
      "do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected "
      "mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then "
      "restarting the server. 3) If you started the server manually just for testing, restart it with the "
      "'--protected-mode no' option. 4) Set up an authentication password for the default user. NOTE: You only need "
      "to do one of the above things in order for the server to start accepting connections from the outside.\r\n");
  return true;
}

void Engine::count_buffers(Session& session) {
  const size_t bytes = session.role == Role::kReplica ? 0 : session.output.size() + session.input.held();
  client_bytes_ += bytes - session.counted_bytes;
  session.counted_bytes = bytes;
  const bool bounded = state_.settings.maxmemory_clients != 0 && session.role == Role::kNormal;
  const size_t memory = bounded ? memory_of(state_, session).total : 0;
  client_memory_ += memory - session.counted_memory;
  session.counted_memory = memory;
}

void Engine::count_all_buffers() {
  clients_.visit([&](Session& session) { count_buffers(session); });
}

Engine::BufferBytes Engine::buffer_bytes() const {
  BufferBytes sum;
  clients_.visit([&](const Session& session) {
    (session.role == Role::kReplica ? sum.replicas : sum.normal) += session.output.size() + session.input.held();
  });
  return sum;
}

void Engine::evict_clients(Now now) {
  const auto limit = client_memory_limit(state_.settings);
  if (!limit || client_memory_ <= *limit) return;
  std::vector<Session*> largest_first;
  clients_.visit([&](Session& session) {
    if (!session.no_evict && session.counted_memory > 0 && !session.suspended) largest_first.push_back(&session);
  });
  std::stable_sort(largest_first.begin(), largest_first.end(),
                   [](const Session* a, const Session* b) { return a->counted_memory > b->counted_memory; });
  for (Session* session : largest_first) {
    if (client_memory_ <= *limit) return;
    log(LogLevel::kNotice, fmt::format("Evicting client: {}", client_line(*session, now)));
    ++state_.stats.evicted_clients;
    drop_session(*session, action::CloseMode::kNow, now);
  }
}

void Engine::close_idle(Now now) {
  if (state_.settings.timeout_s <= 0 || now.mono < next_idle_check_) return;
  next_idle_check_ = now.mono + kIdleCheckPeriod;
  const Duration limit = std::chrono::seconds(state_.settings.timeout_s);
  clients_.visit([&](Session& session) {
    const bool exempt = session.role != Role::kNormal || session.blocked || session.monitor ||
                        family::subscriptions_of(state_, session.id) > 0;
    if (exempt || now.mono - session.last_interaction <= limit) return;
    log(LogLevel::kVerbose, "Closing idle client");
    drop_session(session, action::CloseMode::kNow, now);
  });
}

}  // namespace holdfast::server
