#include "server/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/assert.h"
#include "base/error_text.h"
#include "base/text.h"
#include "base/version.h"
#include "family/lookup.h"
#include "family/transaction.h"
#include "server/info.h"
#include "server/replication.h"
#include "server/saving.h"

namespace holdfast::server {
namespace {

using codec::RequestParser;
using family::Role;
using family::Session;

constexpr size_t kHeldPauseReading = 64 * 1024;  // of a client that may not run: then its socket waits
constexpr Duration kIdleCheckPeriod = 1s;
constexpr size_t kExpirePerTurn = 200;  // bounds the time one turn gives to active expiry
constexpr size_t kReclaimPerTurn = 2000;

bool is_loopback(const Address& address) {
  return address.is_unix() || address.host.starts_with("127.") || address.host == "::1";
}

}  // namespace

Engine::Engine(EngineOptions options) : options_(std::move(options)), state_(options_.seed) {
  state_.settings = options_.settings;
  state_.run_id = state_.prng.hex(40);
  state_.data = std::make_unique<store::Dataset>(static_cast<size_t>(state_.settings.databases),
                                                 store::HashSeed::from(state_.prng));
  state_.data->context().limits = state_.settings.limits;
  state_.stats.commands_by_spec.resize(command::all_specs().size());
  saving_ = std::make_unique<Saving>(*this);
  replication_ = std::make_unique<Replication>(*this);
}

Engine::~Engine() = default;

// Turns.

void Engine::begin_turn() { clients_.purge(); }

void Engine::end_turn(Now now) {
  flush_effects(now);
  for (size_t i = 0; i < touched_.size(); ++i) {
    Session* session = clients_.find(touched_[i]);
    if (session == nullptr) continue;
    session->flush_pending = false;
    if (session->output.empty() || session->output_held) continue;
    act(action::Flush{session->conn});
    check_output_limit(*session, now);
  }
  touched_.clear();
}

void Engine::flush_effects(Now now) {
  if (propagator_.empty()) return;
  propagator_.finish(stream_);
  replication_->feed(stream_, now);
  stream_.clear();
}

OutQueue& Engine::output_of(Session& session) {
  if (!session.flush_pending) {
    session.flush_pending = true;
    touched_.push_back(session.conn);
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
  open_listeners();
  saving_->load(now);
  replication_->start(now);
  end_turn(now);
}

void Engine::open_listeners() {
  uint32_t next = 1;
  const auto listen = [&](Address address, uint32_t mode) {
    const ListenerId id{next++};
    listeners_.emplace(id, address);
    act(action::Listen{.listener = id,
                       .address = std::move(address),
                       .backlog = static_cast<int>(state_.settings.tcp_backlog),
                       .unix_mode = mode});
  };
  if (state_.settings.port > 0) {
    for (const std::string& bind : state_.settings.bind) {
      if (bind.empty()) continue;
      listen({bind.starts_with('-') ? bind.substr(1) : bind, static_cast<uint16_t>(state_.settings.port), {}}, 0);
    }
  }
  if (!state_.settings.unixsocket.empty()) {
    listen({{}, 0, state_.settings.unixsocket}, static_cast<uint32_t>(state_.settings.unixsocketperm));
  }
}

void Engine::listening(ListenerId listener, const Address& bound, int error, Now now) {
  begin_turn();
  now_ = now;
  const auto at = listeners_.find(listener);
  HF_ASSERT(at != listeners_.end());
  if (error == 0) {
    at->second = bound;
    ++listening_;
    return log_when_ready();
  }
  // An address marked `-` may be missing on this host; everything else must be had.
  const std::string& wanted = at->second.host;
  const bool optional =
      std::any_of(state_.settings.bind.begin(), state_.settings.bind.end(),
                  [&](const std::string& b) { return b.starts_with('-') && std::string_view(b).substr(1) == wanted; });
  log(LogLevel::kWarning, fmt::format("Warning: Could not create server TCP listening socket {}: {}",
                                      to_string(at->second), error_text(error)));
  listeners_.erase(at);
  if (optional && error != EADDRINUSE) return log_when_ready();
  log(LogLevel::kWarning, "Failed listening on port " + std::to_string(state_.settings.port) + " (tcp), aborting.");
  exiting_ = true;
  act(action::Exit{1});
}

/// Once: every listener is open and the file at start is loaded.
void Engine::log_when_ready() {
  if (ready_logged_ || state_.loading || exiting_ || listening_ < listeners_.size()) return;
  ready_logged_ = true;
  const bool has_unix = !state_.settings.unixsocket.empty();
  if (listening_ > (has_unix ? 1u : 0u)) log(LogLevel::kNotice, "Ready to accept connections tcp");
  if (has_unix) log(LogLevel::kNotice, "Ready to accept connections unix");
}

// Connections.

ConnId Engine::accepted(const Accepted& from, Now now) {
  begin_turn();
  now_ = now;
  Session& session = clients_.open(now);
  session.peer = from.peer;
  session.local = from.local;
  session.authenticated = state_.settings.requirepass.empty();
  ++state_.stats.connections;
  const ConnId conn = session.conn;
  greet_or_refuse(session, from);
  end_turn(now);
  return conn;
}

void Engine::greet_or_refuse(Session& session, const Accepted& from) {
  const auto refuse = [&](std::string_view text) {
    session.output.append(text);
    ++state_.stats.rejected_connections;
    act(action::Flush{session.conn});
    drop_session(session, action::CloseMode::kFlush, now_);
  };
  if (clients_.size() > static_cast<size_t>(state_.settings.maxclients)) {
    return refuse("-ERR max number of clients reached\r\n");
  }
  if (state_.settings.protected_mode && state_.settings.requirepass.empty() && !is_loopback(from.peer)) {
    return refuse(
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
  }
}

void Engine::connected(ConnId conn, const Address& local, const Address& peer, Now now) {
  begin_turn();
  now_ = now;
  if (Session* session = clients_.find(conn)) {
    session->local = local;
    session->peer = peer;
    replication_->link_connected(*session, now);
  }
  end_turn(now);
}

void Engine::receive(ConnId conn, std::string_view bytes, Now now) {
  begin_turn();
  now_ = now;
  Session* session = clients_.find(conn);
  if (session == nullptr) return;
  state_.stats.net_input_bytes += bytes.size();
  session->bytes_in += bytes.size();
  if (session->role == Role::kPrimary) {
    replication_->link_received(*session, bytes, now);
  } else {
    session->input.feed(bytes);
    process_input(*session, now);
  }
  end_turn(now);
}

void Engine::process_input(Session& session, Now now) {
  while (!session.closing && !session.close_after_reply && !session.blocked && serve(session, now)) {
  }
  session.input.finish();
  if (session.closing) return;
  if (session.close_after_reply) return drop_session(session, action::CloseMode::kFlush, now);
  if (session.input.held() > static_cast<size_t>(state_.settings.client_query_buffer_limit)) {
    log(LogLevel::kWarning,
        fmt::format("Closing client that reached max query buffer length: {}", client_line(session, now)));
    ++state_.stats.query_buffer_limit_disconnections;
    return drop_session(session, action::CloseMode::kNow, now);
  }
  const bool pause = session.blocked && session.input.held() > kHeldPauseReading;
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
  const ConnId conn = session.conn;
  if (!dispatcher_.dispatch(dispatch_host(), session, args, now)) {
    session.blocked = true;
    session.input.postpone();
    paused_.push_back(session.id);
    return false;
  }
  flush_effects(now);
  return clients_.find(conn) != nullptr;
}

DispatchHost Engine::dispatch_host() {
  const bool paused = now_.mono < pause_until_;
  const bool guarded = state_.settings.min_replicas_to_write > 0;
  return {.state = state_,
          .services = *this,
          .propagator = propagator_,
          .propagating = replication_->keeps_stream(),
          .good_replicas = guarded ? replication_->good_replicas(now_) : 0,
          .paused_all = paused && !pause_writes_only_,
          .paused_writes = paused};
}

void Engine::check_output_limit(Session& session, Now now) {
  const auto& settings = state_.settings;
  const family::OutputLimit& limit = session.role == Role::kReplica        ? settings.output_limit_replica
                                     : state_.hub.count_of(session.id) > 0 ? settings.output_limit_pubsub
                                                                           : settings.output_limit_normal;
  const size_t size = session.output.size();
  bool over = limit.hard_bytes > 0 && size > limit.hard_bytes;
  if (limit.soft_bytes > 0 && size > limit.soft_bytes) {
    const Mono since = over_soft_limit_.emplace(session.id, now.mono).first->second;
    over |= now.mono - since > std::chrono::seconds(limit.soft_seconds);
  } else {
    over_soft_limit_.erase(session.id);
  }
  if (!over || session.role == Role::kPrimary) return;
  log(LogLevel::kWarning, fmt::format("Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
                                      client_line(session, now)));
  ++state_.stats.output_buffer_limit_disconnections;
  drop_session(session, action::CloseMode::kReset, now);
}

void Engine::eof(ConnId conn, Now now) { closed(conn, {CloseReason::kEof, 0}, now); }

void Engine::closed(ConnId conn, Closed why, Now now) {
  begin_turn();
  now_ = now;
  if (Session* session = clients_.find(conn)) {
    if (session->role == Role::kPrimary) replication_->link_closed(*session, why, now);
    if (!session->closing) forget_session(*session, now);
  }
  end_turn(now);
}

/// Everything that names the session lets go of it.
void Engine::forget_session(Session& session, Now now) {
  family::discard_transaction(state_, session);
  state_.hub.forget(session.id);
  over_soft_limit_.erase(session.id);
  std::erase(paused_, session.id);
  replication_->session_gone(session, now);
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
  if (idle && !session.closing) drop_session(session, action::CloseMode::kFlush, now_);
}

void Engine::drained(ConnId conn, Now now) {
  begin_turn();
  now_ = now;
  if (Session* session = clients_.find(conn)) {
    over_soft_limit_.erase(session->id);
    replication_->drained(*session, now);
  }
  end_turn(now);
}

// Time.

void Engine::tick(Now now) {
  begin_turn();
  now_ = now;
  end_pause(now);
  expire_due(now);
  close_idle(now);
  if (state_.data->pending() > 0) state_.data->reclaim(kReclaimPerTurn);
  saving_->work(now);
  replication_->work(now);
  end_turn(now);
}

Mono Engine::next_deadline() const {
  if (state_.data->pending() > 0) return now_.mono;
  Mono next = std::min(saving_->next_deadline(), replication_->next_deadline());
  if (!paused_.empty()) next = std::min(next, pause_until_);
  if (state_.settings.timeout_s > 0 && clients_.size() > 0) next = std::min(next, next_idle_check_);
  if (!state_.replication.is_replica && state_.active_expire && !state_.loading) {
    int64_t due = INT64_MAX;
    for (size_t db = 0; db < state_.data->databases(); ++db) due = std::min(due, state_.data->db(db).next_due_ms());
    if (due != INT64_MAX) {
      const int64_t wait = std::clamp<int64_t>(due + 1 - unix_ms(now_.wall), 0, 3600LL * 1000);
      next = std::min(next, now_.mono + from_ms(wait));
    }
  }
  return next;
}

void Engine::expire_due(Now now) {
  if (state_.replication.is_replica || !state_.active_expire || state_.loading) return;
  std::vector<std::string> names;
  for (size_t db = 0; db < state_.data->databases(); ++db) {
    names.clear();
    state_.data->db(db).collect_due(unix_ms(now.wall), kExpirePerTurn, names);
    for (const std::string& name : names) {
      family::expire_key(state_, *this, static_cast<int>(db), state_.data->key(name));
    }
  }
}

void Engine::close_idle(Now now) {
  if (state_.settings.timeout_s <= 0 || now.mono < next_idle_check_) return;
  next_idle_check_ = now.mono + kIdleCheckPeriod;
  const Duration limit = std::chrono::seconds(state_.settings.timeout_s);
  clients_.visit([&](Session& session) {
    const bool exempt = session.role != Role::kNormal || session.blocked || state_.hub.count_of(session.id) > 0;
    if (exempt || now.mono - session.last_interaction <= limit) return;
    log(LogLevel::kVerbose, "Closing idle client");
    drop_session(session, action::CloseMode::kNow, now);
  });
}

void Engine::pause_clients(Mono until, bool writes_only) {
  // COMPAT: a later pause never shortens or weakens the one in force.
  const bool active = now_.mono < pause_until_;
  pause_writes_only_ = active ? pause_writes_only_ && writes_only : writes_only;
  pause_until_ = active ? std::max(pause_until_, until) : until;
}

void Engine::unpause_clients() { pause_until_ = Mono::min(); }

void Engine::end_pause(Now now) {
  if (paused_.empty() || now.mono < pause_until_) return;
  for (const family::ClientId id : std::exchange(paused_, {})) {
    Session* session = clients_.find_by_id(id);
    if (session == nullptr) continue;
    session->blocked = false;
    session->input.feed({});
    process_input(*session, now);
  }
}

// Services.

std::string Engine::client_line(const Session& session, Now now) const {
  return server::client_line(state_, session, now);
}

void Engine::execute_queued(family::Context& outer, const family::QueuedCommand& command) {
  ++exec_depth_;
  dispatcher_.run_queued(dispatch_host(), outer, command);
  --exec_depth_;
}

size_t Engine::publish(std::string_view channel, std::string_view message) {
  if (state_.hub.channel_count() == 0 && state_.hub.patterns() == 0) return 0;
  std::vector<pubsub::Hub::Delivery> deliveries;
  state_.hub.route(channel, deliveries);
  for (const pubsub::Hub::Delivery& delivery : deliveries) {
    Session* session = clients_.find_by_id(delivery.who);
    HF_ASSERT(session != nullptr);
    command::Reply reply(output_of(*session), session->protocol);
    reply.push(delivery.by_pattern ? 4 : 3);
    reply.bulk(delivery.by_pattern ? "pmessage" : "message");
    if (delivery.by_pattern) reply.bulk(delivery.pattern);
    reply.bulk(channel);
    reply.bulk(message);
  }
  return deliveries.size();
}

void Engine::propagate(int db, std::vector<std::string> words) {
  if (replication_->keeps_stream() && !state_.replication.is_replica) propagator_.add(db, words);
}

void Engine::log(LogLevel level, std::string text) {
  static constexpr std::string_view kLevels[] = {"debug", "verbose", "notice", "warning"};
  size_t least = 0;
  while (least < std::size(kLevels) && kLevels[least] != state_.settings.loglevel) ++least;
  if (level != LogLevel::kRaw && static_cast<size_t>(level) < least) return;
  act(action::Log{level, std::move(text)});
}

void Engine::stall(Duration duration) { act(action::Stall{duration}); }
void Engine::crash(int signal) { act(action::Crash{signal}); }

std::string Engine::info(std::span<const std::string_view> sections, Now now) {
  return print_info(*this, clients_.size(), sections, now);
}

void Engine::reset_stats() {
  const size_t specs = state_.stats.commands_by_spec.size();
  state_.stats = {};
  state_.stats.commands_by_spec.resize(specs);
}

std::vector<std::pair<std::string, std::string>> Engine::config_get(std::span<const std::string_view> patterns) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const ConfigRow& row : config_rows()) {
    for (const std::string_view name : {row.name, row.alias}) {
      const auto wanted = [&](std::string_view pattern) { return glob_match(pattern, name, true); };
      if (!name.empty() && std::any_of(patterns.begin(), patterns.end(), wanted)) {
        out.emplace_back(name, row.print(state_.settings));
      }
    }
  }
  return out;
}

std::string Engine::config_set(std::span<const std::string_view> pairs, Now now) {
  std::vector<const ConfigRow*> changed;
  std::string error = set_config(state_.settings, pairs, changed);
  if (!error.empty()) return error;
  for (const ConfigRow* row : changed) apply_setting(*row, now);
  return {};
}

void Engine::apply_setting(const ConfigRow& row, Now now) {
  state_.data->context().limits = state_.settings.limits;
  if (row.name == "repl-backlog-size") replication_->resize_backlog();
  if (row.name == "timeout") next_idle_check_ = now.mono;
  // COMPAT: connections that are open keep the rights they have when a password appears.
}

void Engine::config_rewrite(Session& session) {
  if (options_.config_path.empty()) {
    return command::Reply(output_of(session), session.protocol)
        .error("ERR The server is running without a config file");
  }
  options_.config_content = rewrite_config(state_.settings, options_.config_content);
  const JobId job = next_job();
  rewriting_.emplace(job, Rewrite{session.id, in_exec()});
  act(action::WriteFile{job, options_.config_path, options_.config_content, 0644});
  session.blocked = true;
  if (in_exec()) {
    command::Reply(output_of(session), session.protocol).ok();
    session.output_held = true;
  }
}

void Engine::file_data(JobId job, std::string_view bytes, Now now) {
  begin_turn();
  now_ = now;
  saving_->file_data(job, bytes);
  end_turn(now);
}

void Engine::job_done(JobId job, int status, Now now) {
  begin_turn();
  now_ = now;
  if (const auto at = rewriting_.find(job); at != rewriting_.end()) {
    if (status == 0) {
      log(LogLevel::kNotice, "CONFIG REWRITE executed with success.");
    } else {
      log(LogLevel::kWarning, fmt::format("CONFIG REWRITE failed: {}", error_text(status)));
    }
    const Rewrite rewrite = at->second;
    rewriting_.erase(at);
    if (Session* session = clients_.find_by_id(rewrite.client)) session->output_held = false;
    unblock(rewrite.client, [&](command::Reply& reply) {
      if (rewrite.answered) return;
      status == 0 ? reply.ok() : reply.error(fmt::format("ERR Rewriting config file: {}", error_text(status)));
    });
  } else {
    saving_->job_done(job, status, now);
  }
  end_turn(now);
}

void Engine::unblock(family::ClientId id, store::FunctionRef<void(command::Reply&)> answer) {
  Session* session = clients_.find_by_id(id);
  if (session == nullptr) return;
  command::Reply reply(output_of(*session), session->protocol, session->reply_mode != family::ReplyMode::kOn);
  answer(reply);
  session->blocked = false;
  session->input.feed({});
  process_input(*session, now_);
}

void Engine::resolved(JobId job, const std::vector<std::string>& addresses, Now now) {
  begin_turn();
  now_ = now;
  replication_->resolved(job, addresses, now);
  end_turn(now);
}

void Engine::signal(int number, Now now) {
  begin_turn();
  now_ = now;
  if (number == SIGTERM || number == SIGINT) {
    const bool again = saving_->shutting_down() && number == SIGINT;
    log(LogLevel::kWarning, number == SIGINT
                                ? (again ? "You insist... exiting now." : "Received SIGINT scheduling shutdown...")
                                : "Received SIGTERM scheduling shutdown...");
    if (again) {
      act(action::Exit{1});
    } else {
      shutdown(nullptr, SaveChoice::kDefault, false, false, now);
    }
  }
  end_turn(now);
}

void Engine::shutdown(Session* session, SaveChoice choice, bool, bool, Now at) {
  saving_->shutdown(session, choice, at);
}

std::string Engine::abort_shutdown() {
  if (!saving_->shutting_down()) return "ERR No shutdown in progress.";
  saving_->abort_shutdown();
  return {};
}

void Engine::save(family::Context& context) { saving_->save(context); }
void Engine::background_save(family::Context& context, bool schedule) { saving_->background_save(context, schedule); }
std::string Engine::reload(Now now) { return saving_->reload(now); }

void Engine::replicate_from(const std::string& host, int port, Now now) {
  replication_->replicate_from(host, port, now);
}
void Engine::psync(family::Context& context) { replication_->psync(context); }
void Engine::replconf(family::Context& context) { replication_->replconf(context); }
void Engine::role(family::Context& context) { replication_->role(context); }
void Engine::wait(family::Context& context) { replication_->wait(context); }

void Engine::check_invariants() const {
  state_.hub.check_invariants();
  replication_->check_invariants();
}

}  // namespace holdfast::server
