#include "proxy/session.h"

#include <algorithm>

#include "base/assert.h"
#include "proxy/condition.h"
#include "proxy/sample/context.h"

namespace holdfast::proxy {
namespace {

constexpr Duration kTurnaroundMax = 1s;

}  // namespace

uint32_t Sessions::allocate() {
  if (free_.empty()) {
    sessions_.emplace_back();
    free_.push_back(static_cast<uint32_t>(sessions_.size() - 1));
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Session& session = sessions_[index];
  const uint32_t generation = session.generation + 1;
  session = Session{};
  session.generation = generation;
  ++live_;
  return index;
}

ConnId Sessions::accept(uint32_t listener, const Accepted& from) {
  const uint32_t index = allocate();
  Session& session = sessions_[index];
  session.listener = listener;
  session.frontend = runtime_.listeners[listener].frontend;
  session.accepted = session.client.last = runtime_.now.mono;
  session.accepted_wall = runtime_.now.wall;
  session.source = from.peer;
  session.destination = from.local;
  session.client.conn = runtime_.open(ConnKind::kClient, index);
  const ConnId conn = session.client.conn;
  FrontendState& frontend = runtime_.frontends[session.frontend];
  const bool bind_full = !has_room(listener);
  const bool fast = rate_limited(session.frontend);
  if (bind_full || fast || frontend.counters.current >= frontend.maxconn ||
      runtime_.process.current >= runtime_.maxconn) {
    // A full frontend leaves connections waiting, as the kernel's backlog would.
    const int64_t backlog = frontend.config->backlog > 0 ? frontend.config->backlog : frontend.maxconn;
    if (static_cast<int64_t>(frontend.held.size()) >= backlog) {
      runtime_.close(conn, action::CloseMode::kReset, std::move(session.client.out));
      session.state = SessionState::kFree;
      free_.push_back(index);
      --live_;
      return conn;
    }
    session.state = SessionState::kHeld;
    session.client.paused = true;
    runtime_.act(action::PauseReading{conn, true});
    frontend.held.push_back(index);
    return conn;
  }
  admit(index);
  return conn;
}

/// `bind ... maxconn`: sessions of one listening address.
bool Sessions::has_room(uint32_t listener) const {
  const ListenerState& state = runtime_.listeners[listener];
  return state.config->maxconn == 0 || state.sessions < state.config->maxconn;
}

/// True when no session may begin just now; then a timer looks again.
bool Sessions::rate_limited(uint32_t frontend_index) {
  FrontendState& frontend = runtime_.frontends[frontend_index];
  const int64_t limit = frontend.config->rate_limit_sessions;
  if (limit <= 0 || frontend.counters.rate.read(runtime_.now.mono) < limit) return false;
  const Duration pause = std::max<Duration>(1ms, Duration(1s) / limit);
  runtime_.timers.arm(TimerKind::kRateLimit, frontend_index, 0, runtime_.now.mono + pause, &frontend.rate_queued);
  return true;
}

void Sessions::rate_timer(uint32_t frontend) {
  runtime_.frontends[frontend].rate_queued = kNever;
  admit_held(frontend);
}

void Sessions::admit_held(uint32_t frontend_index) {
  FrontendState& frontend = runtime_.frontends[frontend_index];
  while (!frontend.held.empty() && frontend.counters.current < frontend.maxconn &&
         runtime_.process.current < runtime_.maxconn && !rate_limited(frontend_index)) {
    // The first one whose own listener is not full.
    const auto next =
        std::ranges::find_if(frontend.held, [this](uint32_t held) { return has_room(sessions_[held].listener); });
    if (next == frontend.held.end()) return;
    const uint32_t index = *next;
    frontend.held.erase(next);
    Session& session = sessions_[index];
    session.client.paused = false;
    runtime_.act(action::PauseReading{session.client.conn, false});
    session.accepted = session.client.last = runtime_.now.mono;
    session.accepted_wall = runtime_.now.wall;
    admit(index);
  }
}

void Sessions::admit(uint32_t index) {
  Session& session = sessions_[index];
  FrontendState& frontend = runtime_.frontends[session.frontend];
  if (!frontend.config->tcp_rules.empty() && !admitted_by_rules(index)) return;
  session.state = SessionState::kConnecting;
  ++runtime_.listeners[session.listener].sessions;
  frontend.counters.enter(runtime_.now.mono);
  runtime_.process.enter(runtime_.now.mono);
  ++runtime_.connections_total;
  begin(index);
}

uint32_t Sessions::choose_backend(Session& session) const {
  const ProxyConfig& config = *runtime_.frontends[session.frontend].config;
  std::string request;
  if (!config.use_backends.empty()) request = session.peer.out.to_string();
  const SampleContext context = context_of(session, request, true);
  for (const UseBackend& rule : config.use_backends) {
    ++session.rule;
    if (holds(rule.condition, context) == Truth::kYes) return runtime_.find_backend(rule.backend);
  }
  session.rule = 0;
  if (!config.default_backend.empty()) return runtime_.find_backend(config.default_backend);
  return config.is_backend() ? runtime_.find_backend(config.name) : kNoIndex;
}

void Sessions::assign(uint32_t index, uint32_t avoid) {
  Session& session = sessions_[index];
  BackendState& backend = runtime_.backends[session.backend];
  usable_servers(backend, &candidates_);
  if (candidates_.empty()) {
    // A use-server rule may still lead to a server that balancing does not take, like a backup or one that drains.
    const uint32_t wanted = avoid == kNoCandidate ? wanted_server(session) : kNoIndex;
    return wanted == kNoIndex ? end(index, EndReason::kNoServer) : give_server(index, wanted);
  }
  if (avoid != kNoCandidate && candidates_.size() > 1) {
    std::erase_if(candidates_, [avoid](const Candidate& candidate) { return candidate.server == avoid; });
  }
  if (avoid == kNoCandidate) {
    if (const uint32_t wanted = wanted_server(session); wanted != kNoIndex) return give_server(index, wanted);
  }
  const uint32_t server = pick_server(backend.config->balance, candidates_, source_key(session.source.host),
                                      backend.balance, runtime_.random);
  if (server == kNoCandidate) return enqueue(index, kNoIndex);
  give_server(index, server);
}

void Sessions::give_server(uint32_t index, uint32_t server) {
  const BackendState& backend = runtime_.backends[sessions_[index].backend];
  const ServerState& state = backend.servers[server];
  const int64_t limit = effective_maxconn(backend, state);
  if (limit > 0 && state.sessions >= limit) return enqueue(index, server);
  connect(index, server);
}

void Sessions::enqueue(uint32_t index, uint32_t server) {
  Session& session = sessions_[index];
  BackendState& backend = runtime_.backends[session.backend];
  session.state = SessionState::kQueued;
  session.queued_on = server;
  if (server == kNoIndex) {
    backend.queue.push_back(index);
    backend.counters.enqueue();
    session.queue_position = static_cast<int>(backend.queue.size());
  } else {
    ServerState& state = backend.servers[server];
    const int64_t most = state.config->maxqueue;
    if (most > 0 && static_cast<int64_t>(state.queue.size()) >= most) {
      session.state = SessionState::kConnecting;
      return end(index, EndReason::kQueueFull);
    }
    state.queue.push_back(index);
    state.counters.enqueue();
    session.server_queue_position = static_cast<int>(state.queue.size());
  }
  const Timeouts& timeouts = backend.config->timeouts;
  const Duration limit = timeouts.queue > Duration{} ? timeouts.queue : timeouts.connect;
  session.deadline = limit > Duration{} ? runtime_.now.mono + limit : kNever;
  arm(index);
}

void Sessions::dequeue(Session& session, uint32_t index) {
  HF_ASSERT(session.state == SessionState::kQueued);
  BackendState& backend = runtime_.backends[session.backend];
  if (session.queued_on == kNoIndex) {
    std::erase(backend.queue, index);
    --backend.counters.queued;
  } else {
    ServerState& server = backend.servers[session.queued_on];
    std::erase(server.queue, index);
    --server.counters.queued;
  }
  session.queued_on = kNoIndex;
  session.state = SessionState::kConnecting;
}

void Sessions::connect(uint32_t index, uint32_t server_index) {
  Session& session = sessions_[index];
  BackendState& backend = runtime_.backends[session.backend];
  ServerState& server = backend.servers[server_index];
  HF_ASSERT(session.state != SessionState::kFree && !session.server_held && !session.peer.conn);
  session.server = server_index;
  session.server_held = true;
  session.state = SessionState::kConnecting;
  ++server.sessions;
  if (session.assigned == kNever) session.assigned = runtime_.now.mono;
  ++server.counters.balanced;
  ++backend.counters.balanced;
  ++server.counters.connects;
  ++backend.counters.connects;
  server.counters.enter(runtime_.now.mono);
  session.peer.conn = runtime_.open(ConnKind::kServer, index);
  Address to = server.address;
  if (server.config->port_mapped) {
    to.port = static_cast<uint16_t>(session.destination.port + server.config->port_offset);
  }
  const auto& source = server.config->bind_source ? server.config->bind_source : backend.config->bind_source;
  runtime_.act(action::Connect{session.peer.conn, to, source, backend.config->tcp_keepalive_server});
  const Duration limit = backend.config->timeouts.connect;
  session.deadline = limit > Duration{} ? runtime_.now.mono + limit : kNever;
  arm(index);
}

void Sessions::connected(ConnSlot slot) {
  Session& session = sessions_[slot.owner];
  if (session.state != SessionState::kConnecting || secure_server(session)) return;
  established(slot.owner);
}

void Sessions::established(uint32_t index) {
  Session& session = sessions_[index];
  session.state = SessionState::kEstablished;
  session.connected = session.peer.last = session.client.last = runtime_.now.mono;
  session.deadline = kNever;
  observe(runtime_.server(session.backend, session.server), true);
  announce_client(session);
  if (!runtime_.backends[session.backend].config->stick_rules.empty()) store_sticky(session);
  if (!session.peer.out.empty()) runtime_.act(action::Flush{session.peer.conn});
  if (session.client.ended) runtime_.act(action::ShutdownWrite{session.peer.conn});
  if (runtime_.frontends[session.frontend].config->logasap) log(session, EndReason::kClean, true);
  arm(index);
}

void Sessions::connect_failed(uint32_t index, bool timed_out) {
  Session& session = sessions_[index];
  BackendState& backend = runtime_.backends[session.backend];
  ServerState& server = backend.servers[session.server];
  const uint32_t failed = session.server;
  observe(server, false);
  suspect(session);
  if (session.state != SessionState::kConnecting) return;  // observing marked the server down and ended us
  release_server(session);
  if (session.retries_left-- <= 0) {
    ++server.counters.connect_errors;
    ++backend.counters.connect_errors;
    return end(index, timed_out ? EndReason::kConnectTimeout : EndReason::kConnectFailed);
  }
  ++session.retries;
  const int interval = backend.config->redispatch_interval;
  const int done = backend.config->retries - session.retries_left;
  const bool due = interval < 0 ? session.retries_left == -interval - 1 : interval > 0 && done % interval == 0;
  if (backend.config->redispatch && due) {
    ++server.counters.redispatches;
    ++backend.counters.redispatches;
    session.redispatched = true;
    return assign(index, failed);
  }
  ++server.counters.retries;
  ++backend.counters.retries;
  if (timed_out) return connect(index, failed);
  // A server that refuses at once is given a moment before the next attempt.
  const Duration limit = backend.config->timeouts.connect;
  session.state = SessionState::kTurnaround;
  session.deadline = runtime_.now.mono + (limit > Duration{} ? std::min(limit, kTurnaroundMax) : kTurnaroundMax);
  arm(index);
}

void Sessions::release_server(Session& session) {
  if (session.peer.conn) {
    // Bytes for a server that was never reached stay for the next attempt.
    const bool reached = session.state == SessionState::kEstablished;
    OutQueue none;
    runtime_.close(session.peer.conn, action::CloseMode::kNow, std::move(reached ? session.peer.out : none));
  }
  session.peer.conn = {};
  if (!session.server_held) return;
  ServerState& server = runtime_.server(session.backend, session.server);
  session.server_held = false;
  --server.sessions;
  --server.counters.current;
  HF_ASSERT(server.sessions >= 0 && server.counters.current >= 0);
}

void Sessions::receive(ConnSlot slot, std::string_view bytes) {
  Session& session = sessions_[slot.owner];
  const bool from_client = slot.kind == ConnKind::kClient;
  if (session.state == SessionState::kHeader) return receive_header(slot.owner, bytes);
  if (!from_client && !inspect_response(slot.owner, bytes)) return;
  SessionSide& from = from_client ? session.client : session.peer;
  SessionSide& to = from_client ? session.peer : session.client;
  from.last = runtime_.now.mono;
  if (!from_client && says_readonly(bytes)) suspect(session);
  (from_client ? session.bytes_in : session.bytes_out) += static_cast<int64_t>(bytes.size());
  const bool was_empty = to.out.empty();
  to.out.append(bytes);
  if (was_empty && session.state == SessionState::kEstablished) {
    to.last = runtime_.now.mono;
    runtime_.act(action::Flush{to.conn});
  }
  if (to.out.size() >= runtime_.config.global.bufsize && !from.paused) {
    from.paused = true;
    runtime_.act(action::PauseReading{from.conn, true});
  }
  if (session.state == SessionState::kInspecting) route(slot.owner, false);
}

void Sessions::drained(ConnSlot slot) {
  Session& session = sessions_[slot.owner];
  const bool client = slot.kind == ConnKind::kClient;
  SessionSide& side = client ? session.client : session.peer;
  SessionSide& other = client ? session.peer : session.client;
  side.last = runtime_.now.mono;
  if (other.paused && session.state != SessionState::kHeld && side.out.size() <= runtime_.config.global.bufsize / 2) {
    other.paused = false;
    if (other.conn) runtime_.act(action::PauseReading{other.conn, false});
  }
  finish_if_done(slot.owner);
}

void Sessions::eof(ConnSlot slot) {
  const uint32_t index = slot.owner;
  Session& session = sessions_[index];
  const bool client = slot.kind == ConnKind::kClient;
  SessionSide& side = client ? session.client : session.peer;
  SessionSide& other = client ? session.peer : session.client;
  side.ended = true;
  side.last = runtime_.now.mono;
  if (!client && !other.ended) suspect(session);  // how a process that died looks from here
  switch (session.state) {
    case SessionState::kEstablished:
      runtime_.act(action::ShutdownWrite{other.conn});
      finish_if_done(index);
      if (session.state == SessionState::kEstablished) arm(index);
      return;
    case SessionState::kHeader:
      return end(index, EndReason::kClientAbort);
    case SessionState::kInspecting:
      if (session.peer.out.empty()) return end(index, EndReason::kClientAbort);
      return route(index, true);
    case SessionState::kHeld:
    case SessionState::kQueued:
    case SessionState::kConnecting:
    case SessionState::kTurnaround:
      // Nobody waits for an answer: without a request, or when told to, the attempt is given up.
      if (session.peer.out.empty() || session.backend == kNoIndex ||
          runtime_.backends[session.backend].config->abortonclose) {
        end(index, EndReason::kClientAbort);
      }
      return;
    case SessionState::kFree:
      return;
  }
}

void Sessions::finish_if_done(uint32_t index) {
  Session& session = sessions_[index];
  if (session.state != SessionState::kEstablished) return;
  const bool over = session.client.ended && session.peer.ended;
  if (over && session.client.out.empty() && session.peer.out.empty()) end(index, EndReason::kClean);
}

void Sessions::closed(ConnSlot slot, Closed why) {
  const uint32_t index = slot.owner;
  Session& session = sessions_[index];
  const bool client = slot.kind == ConnKind::kClient;
  SessionSide& side = client ? session.client : session.peer;
  runtime_.forget(side.conn);
  side.conn = {};
  if (client && session.state == SessionState::kHeader && extras(session).shaking) {
    const bool broken = why.reason == CloseReason::kTls && !why.text.ends_with("unexpected eof while reading");
    log_refused(session, broken ? "SSL handshake failure" : "Connection closed during SSL handshake");
    return end(index, EndReason::kDeniedEarly);
  }
  if (client) {
    // A reset after the server had finished and everything was delivered loses nothing.
    const bool harmless =
        session.state == SessionState::kEstablished && session.peer.ended && session.client.out.empty();
    return end(index, harmless || why.reason == CloseReason::kEof ? EndReason::kClean : EndReason::kClientAbort);
  }
  if (session.state == SessionState::kConnecting) return connect_failed(index, why.reason == CloseReason::kTimedOut);
  if (!session.client.ended) suspect(session);
  const bool harmless = session.client.ended && session.peer.out.empty();
  end(index, harmless || why.reason == CloseReason::kEof ? EndReason::kClean : EndReason::kServerAbort);
}

OutQueue& Sessions::output(ConnSlot slot) {
  Session& session = sessions_[slot.owner];
  return slot.kind == ConnKind::kClient ? session.client.out : session.peer.out;
}

Duration Sessions::idle_limit(const Session& session, bool client_side) const {
  const Timeouts& front = runtime_.frontends[session.frontend].config->timeouts;
  const Timeouts& back = runtime_.backends[session.backend].config->timeouts;
  const bool half_closed = session.client.ended || session.peer.ended;
  const Duration fin = client_side ? front.client_fin : back.server_fin;
  if (half_closed && fin > Duration{}) return fin;
  const Duration tunnel = std::max(front.tunnel, back.tunnel);
  if (tunnel > Duration{}) return back.tunnel > Duration{} ? back.tunnel : tunnel;
  return client_side ? front.client : back.server;
}

Mono Sessions::deadline_of(const Session& session) const {
  switch (session.state) {
    case SessionState::kFree:
    case SessionState::kHeld:
      return kNever;
    case SessionState::kHeader:
    case SessionState::kInspecting:
    case SessionState::kQueued:
    case SessionState::kConnecting:
    case SessionState::kTurnaround:
      return session.deadline;
    case SessionState::kEstablished:
      break;
  }
  Mono earliest = kNever;
  if (const Duration limit = idle_limit(session, true); limit > Duration{}) earliest = session.client.last + limit;
  if (const Duration limit = idle_limit(session, false); limit > Duration{}) {
    earliest = std::min(earliest, session.peer.last + limit);
  }
  return earliest;
}

void Sessions::arm(uint32_t index) {
  Session& session = sessions_[index];
  runtime_.timers.arm(TimerKind::kSession, index, session.generation, deadline_of(session), &session.queued_until);
}

void Sessions::timer(uint32_t index, uint32_t generation) {
  Session& session = sessions_[index];
  if (session.generation != generation || session.state == SessionState::kFree) return;
  session.queued_until = kNever;
  const Mono deadline = deadline_of(session);
  if (deadline > runtime_.now.mono) return arm(index);
  switch (session.state) {
    case SessionState::kHeader:
      if (extras(session).shaking) log_refused(session, "Timeout during SSL handshake");
      return end(index, EndReason::kDeniedEarly);
    case SessionState::kInspecting:
      return route(index, true);
    case SessionState::kQueued:
      return end(index, EndReason::kQueueTimeout);
    case SessionState::kConnecting:
      return connect_failed(index, true);
    case SessionState::kTurnaround: {
      const ServerState& server = runtime_.server(session.backend, session.server);
      return server.usable() ? connect(index, session.server) : assign(index, session.server);
    }
    case SessionState::kEstablished: {
      const Duration limit = idle_limit(session, true);
      const bool client = limit > Duration{} && session.client.last + limit <= deadline;
      return end(index, client ? EndReason::kClientIdle : EndReason::kServerIdle);
    }
    case SessionState::kFree:
    case SessionState::kHeld:
      return;
  }
}

}  // namespace holdfast::proxy
