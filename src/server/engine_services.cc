// Engine, continued: what handlers ask of the server (family/services.h) and the answers of files and signals.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "base/assert.h"
#include "base/error_text.h"
#include "base/text.h"
#include "server/acl_file.h"
#include "server/aof.h"
#include "server/blocked.h"
#include "server/engine.h"
#include "server/evict.h"
#include "server/failover.h"
#include "server/info.h"
#include "server/key_listing.h"
#include "server/listeners.h"
#include "server/migration.h"
#include "server/replication.h"
#include "server/saving.h"
#include "server/shutdown.h"
#include "server/suspended.h"
#include "server/tls.h"

namespace holdfast::server {

using family::Role;
using family::Session;

std::string Engine::client_line(const Session& session, Now now) const {
  return server::client_line(state_, session, now);
}

void Engine::execute_queued(family::Context& outer, const family::QueuedCommand& command) {
  ++exec_depth_;
  dispatcher_.run_queued(dispatch_host(), outer, command);
  --exec_depth_;
}

size_t Engine::publish(std::string_view channel, std::string_view message) {
  return deliver(state_.hub, "message", channel, message);
}
size_t Engine::publish_shard(std::string_view channel, std::string_view message) {
  return deliver(state_.shard_hub, "smessage", channel, message);
}

size_t Engine::deliver(const pubsub::Hub& hub, std::string_view kind, std::string_view channel,
                       std::string_view message) {
  if (hub.channel_count() == 0 && hub.patterns() == 0) return 0;
  std::vector<pubsub::Hub::Delivery> deliveries;
  hub.route(channel, deliveries);
  for (const pubsub::Hub::Delivery& delivery : deliveries) {
    Session* session = clients_.find_by_id(delivery.who);
    HF_ASSERT(session != nullptr);
    command::Reply reply(output_of(*session), session->protocol);
    reply.push(delivery.by_pattern ? 4 : 3);
    reply.bulk(delivery.by_pattern ? "pmessage" : kind);
    if (delivery.by_pattern) reply.bulk(delivery.pattern);
    reply.bulk(channel);
    reply.bulk(message);
  }
  return deliveries.size();
}

void Engine::propagate(int db, std::vector<std::string> words) {
  if (keeps_effects()) propagator_.add(db, words);
}

bool Engine::wait_for_keys(family::Context& context, store::Type type, std::span<const std::string_view> keys,
                           int64_t timeout_ms, family::WhenGone when_gone) {
  if (in_exec() || context.session.in_script || context.session.role != family::Role::kNormal) return false;
  blocked_->wait(context, type, keys, timeout_ms, when_gone);
  context.runs_again = true;
  return true;
}
void Engine::awaited_key_changed(int db, std::string_view key) { blocked_->key_changed(db, key); }
void Engine::databases_changed() { blocked_->all_changed(); }
bool Engine::unblock_session(family::ClientId id, std::string_view error) { return blocked_->release(id, error); }

bool Engine::list_keys(family::Context& context) { return listing_->begin(context); }

void Engine::log(LogLevel level, std::string text) {
  static constexpr std::string_view kLevels[] = {"debug", "verbose", "notice", "warning"};
  size_t least = 0;
  while (least < std::size(kLevels) && kLevels[least] != state_.settings.loglevel) ++least;
  if (level != LogLevel::kRaw && static_cast<size_t>(level) < least) return;
  act(action::Log{level, std::move(text)});
}

void Engine::stall(Duration duration) {
  stalled_ += duration;
  state_.stalled_ns += duration.count() * 1000;
  act(action::Stall{duration});
}
void Engine::crash(int signal) { act(action::Crash{signal}); }

bool Engine::debug_switch(std::string_view name, int64_t value) {
  if (equal_ignoring_case(name, "aof-flush-sleep")) {
    aof_->set_flush_sleep(Duration(value));
    return true;
  }
  // There is no periodic work to hold back.
  return equal_ignoring_case(name, "pause-cron");
}

std::string Engine::info(std::span<const std::string_view> sections, Now now) {
  return print_info(*this, clients_.size(), sections, now);
}

void Engine::reset_stats() {
  const size_t specs = state_.stats.commands_by_spec.size();
  state_.stats = {};
  state_.data->context().freed_lazily = 0;
  state_.stats.commands_by_spec.resize(specs);
  aof_->reset_stats();
}

void Engine::load_users(family::Context& context) { acl_file_->load(context); }
void Engine::save_users(family::Context& context) { acl_file_->save(context); }

std::vector<std::pair<std::string, std::string>> Engine::config_get(std::span<const std::string_view> patterns) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const ConfigRow* listed : config_rows()) {
    const ConfigRow& row = *listed;
    for (const std::string_view name : {row.name, row.alias}) {
      const auto wanted = [&](std::string_view pattern) { return glob_match(pattern, name, true); };
      if (!name.empty() && std::any_of(patterns.begin(), patterns.end(), wanted)) {
        out.emplace_back(name, row.print(row, state_.settings));
      }
    }
  }
  return out;
}

std::optional<std::string> Engine::config_set(family::Context& context, std::span<const std::string_view> pairs) {
  std::vector<const ConfigRow*> changed;
  const family::Settings before = state_.settings;
  std::string error = set_config(state_.settings, pairs, changed);
  if (!error.empty()) return error;
  const auto secures = [](const ConfigRow* row) { return row->name.starts_with("tls-"); };
  const auto tls = std::find_if(changed.begin(), changed.end(), secures);
  if (tls != changed.end() && !tls_->configure()) {
    state_.settings = before;
    return fmt::format(
        "ERR CONFIG SET failed (possibly related to argument '{}') - Unable to update TLS configuration. Check server "
        "logs.",
        (*tls)->name);
  }
  unsigned moved = 0;
  std::string_view mover;
  for (const ConfigRow* row : changed) {
    apply_setting(*row, context.now);
    if (const unsigned kinds = Listeners::kinds_of(row->name); kinds != 0) {
      moved |= kinds;
      if (mover.empty()) mover = row->name;
    }
  }
  if (moved != 0 && listeners_->change(context.session, moved, before, mover)) return std::nullopt;
  return std::string();
}

void Engine::apply_setting(const ConfigRow& row, Now now) {
  apply_store_settings();
  if (row.name.starts_with("maxmemory")) {
    count_all_buffers();
    evictor_->wake();
  }
  if (row.name == "repl-ping-replica-period") replication_->ping_period_changed(now);
  if (row.name == "slowlog-max-len") state_.slow_log.trim(static_cast<size_t>(state_.settings.slowlog_max_len));
  if (row.name == "repl-backlog-size" || row.name == "repl-backlog-disk-size") replication_->resize_backlog();
  if (row.name == "appendonly" && !state_.loading && state_.settings.appendonly != aof_->enabled()) {
    state_.settings.appendonly ? aof_->enable(now) : aof_->disable(now);
  }
  if (row.name == "timeout") next_idle_check_ = now.mono;
  if (row.name == "requirepass") state_.users.set_default_password(state_.settings.requirepass);
  if (row.name == "acl-pubsub-default") {
    state_.users.set_defaults({acl::Program::kServer, state_.settings.acl_pubsub_default == "allchannels"});
  }
  // COMPAT: connections that are open keep the rights they have when a password appears.
}

void Engine::apply_store_settings() {
  store::Context& context = state_.data->context();
  context.limits = state_.settings.limits;
  context.free_at_once_max =
      state_.settings.lazyfree_lazy_server_del ? store::Context::kFreeAtOnceMaxLazily : store::Context::kFreeAtOnceMax;
}

family::MemoryFigures Engine::memory_figures() const {
  const BufferBytes buffers = buffer_bytes();
  const store::Heap& heap = state_.data->context().heap;
  const size_t data = data_bytes();
  return {.data = data,
          .clients = buffers.normal,
          .replicas = buffers.replicas,
          .backlog = replication_->backlog_bytes(),
          .allocated = std::max(data, heap.page_memory()),
          .resident = usage_.resident_bytes,
          .peak = usage_.peak_resident_bytes};
}

void Engine::config_rewrite(Session& session) {
  if (options_.config_path.empty()) {
    return command::Reply(output_of(session), session.protocol)
        .error("ERR The server is running without a config file");
  }
  options_.config_content = rewrite_config(state_.settings, options_.config_content, state_.users.lines());
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
  if (suspended_->active()) {
    return suspended_->defer({.kind = DeferredInput::Kind::kFileData, .job = job, .bytes = std::string(bytes)});
  }
  now_ = now;
  if (replication_->file_data(job, bytes)) return end_turn(now);
  if (!aof_->file_data(job, bytes, now) && !acl_file_->file_data(job, bytes)) saving_->file_data(job, bytes);
  end_turn(now);
}

void Engine::job_done(JobId job, int status, Now now) {
  begin_turn();
  // SHUTDOWN NOSAVE ends a script that does not end: what it waits for comes through.
  if (suspended_->active() && !shutdown_->initiated()) {
    return suspended_->defer({.kind = DeferredInput::Kind::kJobDone, .job = job, .number = status});
  }
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
  } else if (!replication_->job_done(job, status, now) && !aof_->job_done(job, status, now) &&
             !acl_file_->job_done(job, status)) {
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
  if (suspended_->active()) {
    return suspended_->defer({.kind = DeferredInput::Kind::kResolved, .job = job, .addresses = addresses});
  }
  now_ = now;
  if (!migration_->resolved(job, addresses, now)) replication_->resolved(job, addresses, now);
  end_turn(now);
}

void Engine::signal(int number, Now now) {
  begin_turn();
  if (suspended_->active()) return suspended_->defer({.kind = DeferredInput::Kind::kSignal, .number = number});
  now_ = now;
  if (number == SIGTERM || number == SIGINT) stop_by_signal(number, now);
  end_turn(now);
}

void Engine::stop_by_signal(int number, Now now) {
  if (shutdown_->initiated() && number == SIGINT) {
    log(LogLevel::kWarning, "You insist... exiting now.");
    act(action::Exit{1});
    return;
  }
  log(LogLevel::kWarning, state_.loading     ? "Received shutdown signal during loading, scheduling shutdown."
                          : number == SIGINT ? "Received SIGINT scheduling shutdown..."
                                             : "Received SIGTERM scheduling shutdown...");
  const uint32_t how = number == SIGINT ? state_.settings.shutdown_on_sigint : state_.settings.shutdown_on_sigterm;
  ShutdownOptions options;
  options.save = (how & family::kShutdownSave) != 0     ? SaveChoice::kSave
                 : (how & family::kShutdownNoSave) != 0 ? SaveChoice::kNoSave
                                                        : SaveChoice::kDefault;
  options.now = (how & family::kShutdownNow) != 0;
  options.force = (how & family::kShutdownForce) != 0;
  shutdown(nullptr, options, now);
}

void Engine::shutdown(Session* session, const ShutdownOptions& options, Now now) {
  shutdown_->begin(session, options, now);
  if (suspended_->active()) suspended_->let_jobs_through(now);
}

std::string Engine::abort_shutdown() { return shutdown_->abort(now_) ? "" : "ERR No shutdown in progress."; }

void Engine::save(family::Context& context) { saving_->save(context); }
void Engine::background_save(family::Context& context, bool schedule) { saving_->background_save(context, schedule); }
bool Engine::save_flushed(family::Context& context) { return saving_->save_flushed(context); }
std::string Engine::reload(Now now) { return saving_->reload(now); }
void Engine::background_rewrite(family::Context& context) { aof_->background_rewrite(context); }
void Engine::reload_append_only(family::Context& context) { aof_->reload(context); }

void Engine::replicate_from(const std::string& host, int port, Now now) {
  if (!host.empty()) {
    blocked_->release_all(
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)");
  }
  replication_->replicate_from(host, port, now);
}
bool Engine::waits_for_order() const { return replication_->waits_for_order(); }
void Engine::confirm_primary() { replication_->confirm_primary(); }
void Engine::psync(family::Context& context) { replication_->psync(context); }
void Engine::replconf(family::Context& context) { replication_->replconf(context); }
void Engine::role(family::Context& context) { replication_->role(context); }
void Engine::wait(family::Context& context) { replication_->wait(context); }
void Engine::failover(family::Context& context) { failover_->command(context); }
bool Engine::failing_over() const { return failover_->state() != Failover::State::kNone; }
void Engine::migrate(family::Context& context) { migration_->command(context); }
void Engine::wait_durable(family::Context& context) { replication_->wait_durable(context); }

size_t Engine::waiting_clients() const { return shutdown_->waiting() + replication_->waiting() + paused_.size(); }

void Engine::check_invariants() const {
  state_.hub.check_invariants();
  state_.shard_hub.check_invariants();
  state_.users.check_invariants();
  replication_->check_invariants();
  blocked_->check_invariants();
}

}  // namespace holdfast::server
