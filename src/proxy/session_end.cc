// The end of a session: the one function every session ends in, its reasons and codes, and what others gain from it.
#include <algorithm>

#include "base/assert.h"
#include "proxy/log_line.h"
#include "proxy/session.h"

namespace holdfast::proxy {
namespace {

struct ReasonRow {
  EndReason reason;
  char who;         // first letter of the termination code
  bool with_state;  // the second letter tells the state
};
constexpr ReasonRow kReasons[] = {
    {EndReason::kClean, '-', false},         {EndReason::kClientAbort, 'C', true},
    {EndReason::kServerAbort, 'S', true},    {EndReason::kClientIdle, 'c', true},
    {EndReason::kServerIdle, 's', true},     {EndReason::kConnectFailed, 'S', true},
    {EndReason::kConnectTimeout, 's', true}, {EndReason::kQueueTimeout, 's', true},
    {EndReason::kQueueFull, 'S', true},      {EndReason::kNoServer, 'S', true},
    {EndReason::kFrontendFull, 'P', true},   {EndReason::kMarkedDown, 'D', false},
    {EndReason::kMarkedUp, 'U', false},      {EndReason::kKilled, 'K', false},
    {EndReason::kDenied, 'P', true},         {EndReason::kDeniedEarly, 'P', true},
    {EndReason::kResponseDenied, 'P', true},
};

char state_letter(SessionState state) {
  switch (state) {
    case SessionState::kQueued:
      return 'Q';
    case SessionState::kEstablished:
      return 'D';
    case SessionState::kHeader:
    case SessionState::kInspecting:
      return 'R';
    case SessionState::kFree:
    case SessionState::kHeld:
    case SessionState::kConnecting:
    case SessionState::kTurnaround:
      return 'C';
  }
  return '-';
}

std::string termination_code(EndReason reason, SessionState state, bool data_pending) {
  for (const ReasonRow& row : kReasons) {
    if (row.reason != reason) continue;
    char letter = row.with_state ? state_letter(state) : '-';
    // COMPAT: a client that had sent something counts as lost during data, even before the server was reached.
    if (reason == EndReason::kClientAbort && state == SessionState::kConnecting && data_pending) letter = 'D';
    return {row.who, letter};
  }
  HF_UNREACHABLE();
}

int64_t ms_between(Mono from, Mono to) { return to == kNever || from == kNever ? -1 : to_ms(to - from); }

void average(int64_t* mean, int64_t* most, int64_t value) {
  // A sliding mean of the order of the last thousand sessions, as the statistics describe it.
  *mean += (value - *mean) / 8;
  *most = std::max(*most, value);
}

}  // namespace

void Sessions::end(uint32_t index, EndReason reason) {
  Session& session = sessions_[index];
  HF_ASSERT(session.state != SessionState::kFree);
  const SessionState state = session.state;
  if (state == SessionState::kHeld) std::erase(runtime_.frontends[session.frontend].held, index);
  if (state == SessionState::kQueued) {
    dequeue(session, index);
    session.state = SessionState::kQueued;  // for the code; it is in no queue any more
  }
  session.request_pending = !session.peer.out.empty();
  close_sides(session, reason);
  const uint32_t backend = session.backend;
  const uint32_t frontend = session.frontend;
  if (state != SessionState::kHeld) account_end(session, reason);
  session.state = SessionState::kFree;
  ++session.generation;  // stale timers and CLI references miss
  session.client.out.clear();
  session.peer.out.clear();
  session.extras.reset();
  free_.push_back(index);
  --live_;
  if (state == SessionState::kHeld) return;
  if (backend != kNoIndex) serve_queue(backend);
  admit_held(frontend);
}

void Sessions::close_sides(Session& session, EndReason reason) {
  const bool reset = runtime_.frontends[session.frontend].config->nolinger;
  const bool idle = reason == EndReason::kClientIdle || reason == EndReason::kServerIdle;
  if (session.client.conn) {
    const bool flush = !session.client.out.empty() && !idle && reason != EndReason::kClientAbort;
    const action::CloseMode quick = reset ? action::CloseMode::kReset : action::CloseMode::kNow;
    runtime_.close(session.client.conn, flush ? action::CloseMode::kFlush : quick, std::move(session.client.out));
  }
  session.client.conn = {};
  if (session.backend == kNoIndex) return;
  if (session.peer.conn && runtime_.backends[session.backend].config->nolinger) {
    runtime_.close(session.peer.conn, action::CloseMode::kReset, std::move(session.peer.out));
    session.peer.conn = {};
  }
  release_server(session);
}

void Sessions::account_end(Session& session, EndReason reason) {
  FrontendState& frontend = runtime_.frontends[session.frontend];
  frontend.counters.bytes_in += session.bytes_in;
  frontend.counters.bytes_out += session.bytes_out;
  runtime_.bytes_out += session.bytes_out;
  const int64_t total = to_ms(runtime_.now.mono - session.accepted);
  const bool client_abort = reason == EndReason::kClientAbort;
  const bool server_abort = reason == EndReason::kServerAbort;
  auto account = [&](Counters& counters) {
    counters.bytes_in += session.bytes_in;
    counters.bytes_out += session.bytes_out;
    counters.client_aborts += client_abort;
    counters.server_aborts += server_abort;
    average(&counters.total_ms, &counters.total_ms_max, total);
    if (session.assigned == kNever) return;
    average(&counters.queue_ms, &counters.queue_ms_max, to_ms(session.assigned - session.accepted));
    if (session.connected == kNever) return;
    average(&counters.connect_ms, &counters.connect_ms_max, to_ms(session.connected - session.assigned));
  };
  frontend.counters.client_aborts += client_abort;
  frontend.counters.server_aborts += server_abort;
  if (session.backend != kNoIndex) {
    BackendState& backend = runtime_.backends[session.backend];
    account(backend.counters);
    backend.counters.last_session = runtime_.now.mono;
    --backend.counters.current;
    if (session.server != kNoIndex) account(backend.servers[session.server].counters);
    if (session.server != kNoIndex) backend.servers[session.server].counters.last_session = runtime_.now.mono;
  }
  untrack(session);
  if (reason != EndReason::kDeniedEarly)
    log(session, reason, false);  // COMPAT: the frontend and the process still count the session, the others do not
  --frontend.counters.current;
  --runtime_.listeners[session.listener].sessions;
  --runtime_.process.current;
}

void Sessions::log(const Session& session, EndReason reason, bool early) {
  const FrontendState& frontend = runtime_.frontends[session.frontend];
  const ProxyConfig& config = *frontend.config;
  if (!runtime_.has_log_targets(frontend.proxy)) return;
  if (!config.tcplog && config.log_format.empty()) return;
  if (!early && config.logasap && session.connected != kNever) return;
  if (config.dontlognull && session.bytes_in == 0 && session.bytes_out == 0 &&
      (reason == EndReason::kClean || reason == EndReason::kClientAbort)) {
    return;
  }
  if (config.dontlog_normal && reason == EndReason::kClean && session.retries == 0) return;
  SessionLog line;
  line.source = &session.source;
  line.destination = &session.destination;
  line.accepted = session.accepted_wall;
  line.utc_offset_seconds = runtime_.options.utc_offset_seconds;
  line.frontend = config.name;
  line.queue_ms = ms_between(session.accepted, session.assigned);
  if (reason == EndReason::kQueueTimeout || session.state == SessionState::kQueued) {
    line.queue_ms = to_ms(runtime_.now.mono - session.accepted);
  }
  line.connect_ms = ms_between(session.assigned, session.connected);
  line.total_ms = to_ms(runtime_.now.mono - session.accepted);
  line.bytes = session.bytes_out;
  line.early = early;
  line.code = termination_code(reason, session.state, session.request_pending);
  line.retries = session.retries;
  if (session.extras != nullptr && session.extras->tls != nullptr) {
    line.secure = true;
    line.tls_version = session.extras->tls->version;
    line.tls_cipher = session.extras->tls->cipher;
  }
  line.redispatched = session.redispatched;
  line.backend_queue = session.queue_position;
  line.server_queue = session.server_queue_position;
  line.process_connections = runtime_.process.current;
  line.frontend_connections = frontend.counters.current;
  line.backend = config.name;
  if (session.backend != kNoIndex) {
    const BackendState& backend = runtime_.backends[session.backend];
    line.backend = backend.config->name;
    line.backend_connections = backend.counters.current;
    if (session.server != kNoIndex) {
      line.server = backend.servers[session.server].config->name;
      line.server_connections = backend.servers[session.server].counters.current;
    }
  }
  const bool error = reason != EndReason::kClean;
  runtime_.log(config.log_separate_errors && error ? LogLevel::kProxyError : LogLevel::kProxyInfo, frontend.proxy,
               false, config.tcplog ? tcp_log_line(line) : format_log_line(config.log_format, line));
}

void Sessions::log_accepted(const Session& session) {
  const FrontendState& frontend = runtime_.frontends[session.frontend];
  if (frontend.config->tcplog || !frontend.config->log_format.empty()) return;
  if (!runtime_.has_log_targets(frontend.proxy)) return;
  runtime_.log(LogLevel::kProxyInfo, frontend.proxy, false,
               connect_log_line(session.source, session.destination, frontend.config->name));
}

void Sessions::shutdown_server(uint32_t backend, uint32_t server, bool marked_up) {
  for (uint32_t i = 0; i < sessions_.size(); ++i) {
    const Session& session = sessions_[i];
    if (session.state == SessionState::kFree || !session.server_held) continue;
    if (session.backend == backend && session.server == server) {
      end(i, marked_up ? EndReason::kMarkedUp : EndReason::kMarkedDown);
    }
  }
}

bool Sessions::kill(uint32_t index, uint32_t generation) {
  if (index >= sessions_.size()) return false;
  const Session& session = sessions_[index];
  if (session.state == SessionState::kFree || session.generation != generation) return false;
  end(index, EndReason::kKilled);
  return true;
}

int64_t Sessions::requeue_server(uint32_t backend_index, uint32_t server_index) {
  BackendState& backend = runtime_.backends[backend_index];
  ServerState& server = backend.servers[server_index];
  const std::deque<uint32_t> waiting(server.queue);
  for (uint32_t index : waiting) {
    dequeue(sessions_[index], index);
    assign(index, server_index);
  }
  return static_cast<int64_t>(waiting.size());
}

int64_t Sessions::serve_queue(uint32_t backend_index) {
  BackendState& backend = runtime_.backends[backend_index];
  int64_t taken = 0;
  for (ServerState& server : backend.servers) {
    while (!server.queue.empty() && server.usable()) {
      const int64_t limit = effective_maxconn(backend, server);
      if (limit > 0 && server.sessions >= limit) break;
      const uint32_t index = server.queue.front();
      dequeue(sessions_[index], index);
      connect(index, server.index);
    }
  }
  while (!backend.queue.empty()) {
    usable_servers(backend, &candidates_);
    if (std::ranges::all_of(candidates_, [](const Candidate& candidate) { return candidate.full; })) break;
    const uint32_t index = backend.queue.front();
    dequeue(sessions_[index], index);
    assign(index, kNoCandidate);
    ++taken;
  }
  return taken;
}

void Sessions::wake_turnarounds(uint32_t backend_index) {
  for (uint32_t i = 0; i < sessions_.size(); ++i) {
    const Session& session = sessions_[i];
    if (session.state != SessionState::kTurnaround || session.backend != backend_index) continue;
    if (!runtime_.server(backend_index, session.server).usable()) assign(i, session.server);
  }
}

// What a session says of its server.

void Sessions::suspect(const Session& session) {
  const BackendState& backend = runtime_.backends[session.backend];
  if (backend.asks_role && suspicions_ != nullptr) suspicions_->suspect(session.backend, session.server);
}

void Sessions::observe(ServerState& server, bool success) {
  const CheckConfig& check = server.config->check;
  if (!check.observe_layer4) return;
  if (success) {
    server.observed_errors = 0;
    return;
  }
  if (++server.observed_errors < check.error_limit || !server.running) return;
  server.observed_errors = 0;
  switch (check.on_error) {
    case OnError::kFastInter:
      break;  // the next check comes at fastinter because health is not full
    case OnError::kFailCheck:
      break;
    case OnError::kSuddenDeath:
      server.health.value = std::min(server.health.value, server.health.rise + 1);
      break;
    case OnError::kMarkDown:
      server.health.value = std::min(server.health.value, server.health.rise);
      break;
  }
  server.check.status = CheckStatus::kL4Connection;
  server.check.info = "Detected too many errors in a row";
  if (check.on_error != OnError::kFastInter) server.health = after_failure(server.health);
  if (server.health.value == 0) states_->set_stopped(server, cause_of_check(server, false));
}

void Sessions::check_invariants() const {
  size_t live = 0;
  std::vector<std::vector<int64_t>> held(runtime_.backends.size());
  for (size_t b = 0; b < held.size(); ++b) held[b].resize(runtime_.backends[b].servers.size());
  for (const Session& session : sessions_) {
    if (session.state == SessionState::kFree) continue;
    ++live;
    HF_ASSERT(static_cast<bool>(session.client.conn));
    if (session.server_held) ++held[session.backend][session.server];
    HF_ASSERT((session.state == SessionState::kEstablished || session.state == SessionState::kConnecting) ==
              session.server_held);
  }
  HF_ASSERT(live == live_);
  for (size_t b = 0; b < held.size(); ++b) {
    for (size_t s = 0; s < held[b].size(); ++s) {
      HF_ASSERT(held[b][s] == runtime_.backends[b].servers[s].sessions);
    }
  }
}

}  // namespace holdfast::proxy
