#include "server/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "base/error_text.h"
#include "base/text.h"
#include "base/version.h"
#include "family/lookup.h"
#include "family/monitor.h"
#include "family/transaction.h"
#include "server/acl_file.h"
#include "server/aof.h"
#include "server/blocked.h"
#include "server/compactor.h"
#include "server/evict.h"
#include "server/failover.h"
#include "server/key_listing.h"
#include "server/listeners.h"
#include "server/lookahead.h"
#include "server/migration.h"
#include "server/replication.h"
#include "server/saving.h"
#include "server/shutdown.h"
#include "server/suspended.h"
#include "server/tls.h"

namespace holdfast::server {
namespace {

using codec::RequestParser;
using family::Role;
using family::Session;

constexpr size_t kHeldPauseReading = 64 * 1024;  // of a client that may not run: then its socket waits
// Of a client that has not said who it is: less than 64 KiB with what the memory for it is rounded up to.
constexpr size_t kStrangerInputMax = 36 * 1024;
constexpr size_t kStrangerOutputMax = 17 * 1024;
constexpr Duration kHttpWarningEvery = 60s;
constexpr Duration kExpiringHereEvery = 100ms;

}  // namespace

Engine::Engine(EngineOptions options) : options_(std::move(options)), state_(options_.seed) {
  state_.settings = options_.settings;
  state_.stopwatch = options_.stopwatch;
  state_.run_id = state_.prng.hex(40);
  state_.secret = options_.secret.empty() ? state_.prng.hex(64) : std::move(options_.secret);
  state_.users.set_defaults({acl::Program::kServer, state_.settings.acl_pubsub_default == "allchannels"});
  state_.data = std::make_unique<store::Dataset>(static_cast<size_t>(state_.settings.databases),
                                                 store::HashSeed::from(state_.prng));
  apply_store_settings();
  state_.stats.commands_by_spec.resize(command::all_specs().size());
  saving_ = std::make_unique<Saving>(*this);
  aof_ = std::make_unique<AppendOnly>(*this);
  shutdown_ = std::make_unique<Shutdown>(*this);
  failover_ = std::make_unique<Failover>(*this);
  migration_ = std::make_unique<Migration>(*this);
  replication_ = std::make_unique<Replication>(*this);
  blocked_ = std::make_unique<Blocked>(*this);
  evictor_ = std::make_unique<Evictor>(*this);
  listing_ = std::make_unique<KeyListing>(*this);
  compactor_ = std::make_unique<Compactor>(*this);
  acl_file_ = std::make_unique<AclFile>(*this);
  suspended_ = std::make_unique<Suspended>(*this);
  listeners_ = std::make_unique<Listeners>(*this);
  tls_ = std::make_unique<Tls>(*this);
}

Engine::~Engine() {
  suspended_->abandon();  // a script left in the middle still uses everything else
}

// Turns.

void Engine::begin_turn() {
  if (!suspended_->active()) clients_.purge();
  stalled_ = {};
}

void Engine::end_turn(Now now) {
  flush_effects(now);
  serve_blocked(now);
  if (!state_.tracking.prefixes.empty()) [[unlikely]]
    family::tell_prefixes(state_, *this);
  for (size_t i = 0; i < touched_.size(); ++i) {
    Session* session = clients_.find(touched_[i]);
    if (session == nullptr) continue;
    session->flush_pending = false;
    if (counts_buffers()) [[unlikely]]
      count_buffers(*session);
    if (session->held && !session->held->empty()) {
      const bool waited = session->held->waits();
      session->held->mark(aof_->fed());
      release_held(*session);
      if (!waited && !session->closing && session->held->waits()) held_.push_back(session->conn);
      continue;
    }
    if (session->output.empty() || session->output_held) continue;
    act(action::Flush{session->conn});
    check_output_limit(*session, now);
  }
  touched_.clear();
  if (client_memory_ > 0) [[unlikely]]
    evict_clients(now);
  holding_ = aof_->holds_replies() || !held_.empty();
}

void Engine::flush_effects(Now now) {
  if (propagator_.empty() || suspended_->active()) return;  // a script's effects leave as one unit
  // What happens on a replica is its own affair: it is kept on disk, but enters nobody's history.
  const bool kept = aof_->keeps();
  propagator_.finish(state_.replication.is_replica ? nullptr : &stream_, kept ? &log_stream_ : nullptr);
  if (kept) aof_->feed(log_stream_, now);
  if (!stream_.empty()) replication_->feed(stream_, now);
  stream_.clear();
  log_stream_.clear();
}

void Engine::serve_blocked(Now now) {
  if (suspended_->active()) return;
  const bool held_back = now.mono < pause_until_;
  blocked_->serve({now.mono + stalled_, now.wall + stalled_}, held_back);
}

OutQueue& Engine::output_of(Session& session) {
  if (!session.flush_pending) {
    session.flush_pending = true;
    touched_.push_back(session.conn);
  }
  if (holding_ && session.role == Role::kNormal) [[unlikely]] {
    if (!session.held) session.held = std::make_unique<family::HeldOutput>();
    return session.held->bytes;
  }
  return session.output;
}

// Start.

void Engine::start(Now now) {
  now_ = now;
  state_.started = now.mono;
  state_.started_unix_s = unix_seconds(now.wall);
  state_.saving.last_save_unix_s = state_.started_unix_s;
  log(LogLevel::kNotice, "Server initialized");
  if (!acl_file_->start()) {
    exiting_ = true;
    act(action::Exit{1});
    return;
  }
  if (!tls_->configure()) {
    log(LogLevel::kWarning, "Failed to configure TLS. Check logs for more info.");
    exiting_ = true;
    act(action::Exit{1});
    return;
  }
  listeners_->open_all();
  replication_->read_mark();
  replication_->read_history();
  aof_->start(now);
  replication_->start(now);
  end_turn(now);
}

void Engine::listening(ListenerId listener, const Address& bound, int error, Now now) {
  begin_turn();
  if (suspended_->active()) {
    return suspended_->defer(
        {.kind = DeferredInput::Kind::kListening, .listener = listener, .number = error, .local = bound});
  }
  now_ = now;
  listeners_->listening(listener, bound, error, now);
  end_turn(now);
}

/// Once: every listener is open and the file at start is loaded.
void Engine::log_when_ready() {
  if (ready_logged_ || state_.loading || exiting_ || !listeners_->complete()) return;
  ready_logged_ = true;
  replication_->remove_leftovers();
  listeners_->log_ready();
}

// Connections.

ConnId Engine::accepted(const Accepted& from, Now now) {
  begin_turn();
  now_ = now;
  Session& session = clients_.open(now);
  session.peer = from.peer;
  session.local = from.local;
  session.authenticated = state_.users.default_is_open();
  ++state_.stats.connections;
  const ConnId conn = session.conn;
  const bool secure = listeners_->is_tls(from.listener);
  if (secure) tls_->accept(session);
  // COMPAT: what is checked after a handshake is told through it, what is checked before it cannot be told.
  if (!refuse_beyond_maxclients(session) && !secure) refuse_strangers(session);
  end_turn(now);
  return conn;
}

void Engine::secured(ConnId conn, const TlsFacts&, Now now) {
  begin_turn();
  Session* session = clients_.find(conn);
  if (session == nullptr) return;
  if (session->role == Role::kPrimary && suspended_->active()) {
    return suspended_->defer({.kind = DeferredInput::Kind::kSecured, .conn = conn});
  }
  now_ = now;
  session->secure = family::Secure::kTls;
  session->role == Role::kPrimary ? replication_->link_connected(*session, now) : void(refuse_strangers(*session));
  end_turn(now);
}

void Engine::connected(ConnId conn, const Address& local, const Address& peer, Now now) {
  begin_turn();
  if (suspended_->active()) {
    return suspended_->defer({.kind = DeferredInput::Kind::kConnected, .conn = conn, .local = local, .peer = peer});
  }
  now_ = now;
  if (Session* session = clients_.find(conn)) {
    session->local = local;
    session->peer = peer;
    if (session->role == Role::kTarget) {
      migration_->connected(*session, now);
    } else if (!tls_->connect(*session)) {
      replication_->link_connected(*session, now);
    }
  }
  end_turn(now);
}

void Engine::receive(ConnId conn, std::string_view bytes, Now now) {
  begin_turn();
  now_ = now;
  Session* session = clients_.find(conn);
  if (session == nullptr) return;
  const bool link = session->role == Role::kPrimary || session->role == Role::kTarget;
  if (suspended_->active() && link) {
    suspended_->defer({.kind = DeferredInput::Kind::kReceived, .conn = conn, .bytes = std::string(bytes)});
    if (!session->reading_paused) act(action::PauseReading{conn, true});  // what waits here stays bounded
    session->reading_paused = true;
    return end_turn(now);
  }
  state_.stats.net_input_bytes += bytes.size();
  session->bytes_in += bytes.size();
  if (session->role == Role::kPrimary) {
    replication_->link_received(*session, bytes, now);
  } else if (session->role == Role::kTarget) {
    migration_->received(*session, bytes, now);
  } else {
    session->input.feed(bytes);
    process_input(*session, now);
  }
  compactor_->consider(now);
  end_turn(now);
}

void Engine::process_input(Session& session, Now now) {
  size_t looked_at = 0;
  while (!session.closing && !session.close_after_reply && !session.blocked && !session.suspended &&
         serve(session, now)) {
    if (looked_at > 0) --looked_at;
    if (const std::string_view ahead = session.input.ahead(); looked_at == 0 && !ahead.empty()) {
      looked_at = look_ahead(ahead, state_.data->db(static_cast<size_t>(session.db)));
    }
  }
  session.input.finish();
  if (session.closing) return;
  if (counts_buffers()) [[unlikely]]
    count_buffers(session);
  if (session.close_after_reply) {
    if (session.held && !session.held->empty()) return;  // its last replies wait for the disk
    return drop_session(session, action::CloseMode::kFlush, now);
  }
  const size_t input_max =
      session.authenticated ? static_cast<size_t>(state_.settings.client_query_buffer_limit) : kStrangerInputMax;
  if (session.input.held() > input_max) {
    log(LogLevel::kWarning,
        fmt::format("Closing client that reached max query buffer length: {}", client_line(session, now)));
    ++state_.stats.query_buffer_limit_disconnections;
    return drop_session(session, action::CloseMode::kNow, now);
  }
  const bool waits = session.blocked || session.suspended;
  const bool pause = waits && session.input.held() > kHeldPauseReading;
  if (pause != session.reading_paused) {
    session.reading_paused = pause;
    act(action::PauseReading{session.conn, pause});
  }
}

/// One request. False: nothing more can be done now.
bool Engine::serve(Session& session, Now now) {
  codec::RequestLimits limits;
  limits.bulk_max = state_.settings.proto_max_bulk_len;
  limits.authenticated = session.authenticated;
  if (!session.authenticated) limits.inline_max = std::min(limits.inline_max, kStrangerInputMax);
  switch (session.input.next(limits)) {
    case RequestParser::Status::kNeedMore:
      return false;
    case RequestParser::Status::kError: {
      log(LogLevel::kVerbose, fmt::format("Protocol error ({}) from client: {}", session.input.error().substr(16),
                                          client_line(session, now)));
      command::Reply(output_of(session), session.protocol).error("ERR " + session.input.error());
      session.close_after_reply = true;
      return false;
    }
    case RequestParser::Status::kRequest:
      break;
  }
  const auto& args = session.input.args();
  if (args.empty()) return true;
  if (!session.authenticated && session.output.size() > kStrangerOutputMax) [[unlikely]] {
    log(LogLevel::kWarning, fmt::format("Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
                                        client_line(session, now)));
    ++state_.stats.output_buffer_limit_disconnections;
    drop_session(session, action::CloseMode::kReset, now);
    return false;
  }
  if (equal_ignoring_case(args[0], "post") || equal_ignoring_case(args[0], "host:")) {
    refuse_http(session, now);
    return false;
  }
  const ConnId conn = session.conn;
  if (client_memory_ > 0) [[unlikely]] {
    count_buffers(session);
    evict_clients(now);
    if (session.closing) return false;
  }
  const auto ran = Suspended::may_stop(session, args)                          ? suspended_->run(session, args, now)
                   : dispatcher_.dispatch(dispatch_host(), session, args, now) ? Suspended::Ran::kDone
                                                                               : Suspended::Ran::kHeld;
  if (ran == Suspended::Ran::kStopped) return false;
  if (ran == Suspended::Ran::kHeld) {
    hold(session);
    return false;
  }
  if (!propagator_.empty()) {
    flush_effects(now);
    session.write_offset = replication_->offset();
  }
  serve_blocked(now);
  return clients_.find(conn) != nullptr;
}

void Engine::hold(Session& session) {
  session.blocked = true;
  session.input.postpone();
  paused_.push_back(session.id);
}

/// A browser made to talk to us by a foreign page: what stands behind its headers must not be carried out.
void Engine::refuse_http(Session& session, Now now) {
  if (now.mono >= next_http_warning_) {
    log(LogLevel::kWarning,
        fmt::format(
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. "
            "This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis "
            "instance. Connection from {}:{} aborted.",
            session.peer.host, session.peer.port));
    next_http_warning_ = now.mono + kHttpWarningEvery;
  }
  drop_session(session, action::CloseMode::kNow, now);
}

bool Engine::keeps_effects() const {
  if (state_.loading) return false;
  return aof_->keeps() || (!state_.replication.is_replica && replication_->keeps_stream());
}

DispatchHost Engine::dispatch_host() {
  const bool guarded = state_.settings.min_replicas_to_write > 0;
  return {.state = state_,
          .services = *this,
          .propagator = propagator_,
          .propagating = keeps_effects(),
          .good_replicas = guarded ? replication_->good_replicas(now_) : 0,
          .evictor = suspended_->active() ? nullptr : evictor_.get(),
          .paused_all = paused(true),
          .paused_writes = paused(false),
          .script = !suspended_->active()        ? ScriptState::kNone
                    : suspended_->answers_busy() ? ScriptState::kBusy
                                                 : ScriptState::kStopped};
}

void Engine::eof(ConnId conn, Now now) { closed(conn, {CloseReason::kEof, 0}, now); }

void Engine::closed(ConnId conn, Closed why, Now now) {
  begin_turn();
  now_ = now;
  if (Session* session = clients_.find(conn)) {
    if (session->role == Role::kPrimary) replication_->link_closed(*session, why, now);
    if (session->role == Role::kTarget) migration_->closed(*session, why, now);
    if (session->secure == family::Secure::kHandshake) {
      log(LogLevel::kWarning, fmt::format("Error accepting a client connection: {} (addr={} laddr={})",
                                          why.reason == CloseReason::kTls ? why.text : error_text(why.error),
                                          to_string(session->peer), to_string(session->local)));
    }
    if (!session->closing) forget_session(*session, now);
  }
  end_turn(now);
}

/// Everything that names the session lets go of it.
void Engine::forget_session(Session& session, Now now) {
  family::discard_transaction(state_, session);
  state_.hub.forget(session.id);
  state_.shard_hub.forget(session.id);
  over_soft_limit_.erase(session.id);
  std::erase(paused_, session.id);
  client_bytes_ -= std::exchange(session.counted_bytes, 0);
  client_memory_ -= std::exchange(session.counted_memory, 0);
  blocked_->session_gone(session.id);
  listing_->session_gone(session.id);
  replication_->session_gone(session, now);
  shutdown_->session_gone(session.id);
  family::tracking_off(state_, session);
  family::monitor_off(state_, session);
  clients_.close(session);
}

void Engine::drop_session(Session& session, action::CloseMode mode, Now now) {
  if (session.closing) return;
  act(action::Close{session.conn, mode});
  forget_session(session, now);
}

void Engine::close_session(Session& session) {
  // A session whose request is being worked off gets its reply first.
  session.close_after_reply = true;
  const bool idle = session.input.idle();
  if (idle && !session.closing && !session.suspended) drop_session(session, action::CloseMode::kFlush, now_);
}

void Engine::drained(ConnId conn, Now now) {
  begin_turn();
  if (suspended_->active()) return suspended_->defer({.kind = DeferredInput::Kind::kDrained, .conn = conn});
  now_ = now;
  if (Session* session = clients_.find(conn)) {
    over_soft_limit_.erase(session->id);
    if (counts_buffers()) count_buffers(*session);
    replication_->drained(*session, now);
  }
  end_turn(now);
}

// Time.

void Engine::tick(Now now) {
  begin_turn();
  now_ = now;
  if (suspended_->active()) {
    suspended_->go_on(now);
    return end_turn(now);
  }
  end_pause(now);
  blocked_->tick(now);
  expire_due(now);
  close_idle(now);
  if (can_reclaim()) reclaim();
  compactor_->work(now);
  if (evictor_->running()) evictor_->make_room(now);
  if (listing_->running()) listing_->work(now);
  saving_->work(now);
  aof_->work(now);
  replication_->work(now);
  failover_->work(now);
  migration_->work(now);
  shutdown_->work(now);
  end_turn(now);
}

Mono Engine::next_deadline() const {
  if (suspended_->active()) return now_.mono;
  if (can_reclaim() || evictor_->running() || listing_->running()) return now_.mono;
  Mono next = std::min({saving_->next_deadline(), replication_->next_deadline(), aof_->next_deadline(),
                        shutdown_->next_deadline(), failover_->next_deadline(), migration_->next_deadline()});
  next = std::min({next, blocked_->next_deadline(), compactor_->next_deadline()});
  if (!paused_.empty() || blocked_->has_ready()) next = std::min(next, pause_until_);
  if (state_.settings.timeout_s > 0 && clients_.size() > 0) next = std::min(next, next_idle_check_);
  if (!state_.replication.is_replica && state_.active_expire && !state_.loading && !paused(false)) {
    int64_t due = INT64_MAX;
    for (size_t db = 0; db < state_.data->databases(); ++db) due = std::min(due, state_.data->db(db).next_due_ms());
    if (due != INT64_MAX) {
      const int64_t wait = std::clamp<int64_t>(due + 1 - unix_ms(now_.wall), 0, 3600LL * 1000);
      next = std::min(next, now_.mono + from_ms(wait));
    }
  }
  if (state_.replication.is_replica && !state_.expiring_here.empty())
    next = std::min(next, now_.mono + kExpiringHereEvery);
  return next;
}

}  // namespace holdfast::server
