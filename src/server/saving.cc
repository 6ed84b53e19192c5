#include "server/saving.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "base/error_text.h"
#include "base/text.h"
#include "base/version.h"
#include "family/access.h"
#include "family/lookup.h"
#include "persist/rdb_load.h"
#include "persist/snapshot.h"
#include "server/aof.h"
#include "server/engine.h"
#include "server/replication.h"
#include "server/shutdown.h"

namespace holdfast::server {
namespace {

constexpr size_t kSliceBytes = 64 * 1024;  // of the image per turn, so that commands get their turns in between
constexpr Duration kProgressLogPeriod = 5s;
constexpr Duration kRetryFailedSave = 5s;  // COMPAT: a failed save is tried again after this, not at once
constexpr std::string_view kInProgress = "ERR Background save already in progress";

}  // namespace

Saving::Saving(Engine& engine) : engine_(engine) {}
Saving::~Saving() = default;

/// CONFIG SET dir moves the snapshot; the process itself stays where it was started.
std::string Saving::file_path() const {
  const family::Settings& settings = engine_.state_.settings;
  if (!settings.dir.starts_with('/')) return settings.dbfilename;
  return settings.dir + (settings.dir.ends_with('/') ? "" : "/") + settings.dbfilename;
}

bool Saving::slot_free() const {
  return !running() && !engine_.replication_->snapshot_running() && !engine_.aof_->holds_snapshot();
}

// Conversions.

std::unique_ptr<persist::Snapshot> Saving::make_snapshot(Now now, Image image) const {
  const family::State& state = engine_.state_;
  persist::SaveInfo info;
  info.redis_version = kRedisVersion;
  info.ctime_seconds = unix_seconds(now.wall);
  info.used_memory = state.data->used_memory();
  info.aof_base = image == Image::kLog;
  if (engine_.replication_->keeps_stream() && image != Image::kLog) {
    info.replication = {engine_.replication_->stream_db(), engine_.replication_->id(), engine_.replication_->offset()};
  }
  for (const auto& [name, library] : state.libraries.all()) info.functions.push_back(library.code);
  persist::SaveOptions options;
  options.compress = state.settings.rdbcompression;
  options.checksum = state.settings.rdbchecksum;
  options.newest = image == Image::kNewest;
  options.as_commands = image == Image::kLog && !state.settings.aof_use_rdb_preamble;
  const std::string_view policy = state.settings.maxmemory_policy;
  options.access = policy.ends_with("lru")   ? persist::SaveOptions::Access::kLru
                   : policy.ends_with("lfu") ? persist::SaveOptions::Access::kLfu
                                             : persist::SaveOptions::Access::kNone;
  options.access_now = static_cast<uint32_t>(unix_seconds(now.wall)) & 0xffffff;
  return std::make_unique<persist::Snapshot>(*engine_.state_.data, info, options);
}

std::unique_ptr<persist::RdbLoader> Saving::make_loader(bool as_primary, Now now) const {
  const store::Context& context = engine_.state_.data->context();
  auto data = std::make_unique<store::Dataset>(engine_.state_.data->databases(), context.seed);
  data->context().limits = context.limits;
  data->context().free_at_once_max = context.free_at_once_max;
  family::refresh_access_clock(engine_.state_, now);
  data->context().fresh_access = context.fresh_access;
  data->context().overwriting_keeps_access = context.overwriting_keeps_access;
  persist::LoadOptions options;
  options.lfu = family::tracks_frequency(engine_.state_);
  options.access_now = options.lfu ? context.fresh_access >> 8 : context.fresh_access;
  options.skip_expired = as_primary;
  options.now_ms = unix_ms(now.wall);
  options.limits.verify_checksum = engine_.state_.settings.rdbchecksum;
  return std::make_unique<persist::RdbLoader>(std::move(data), options);
}

void Saving::adopt(persist::RdbLoader& loader) {
  abandon();
  engine_.aof_->abandon_rewrite();  // a snapshot must not outlive its dataset
  family::State& state = engine_.state_;
  for (const auto& [watched, _] : state.watchers) {
    family::touch_watchers(state, engine_, watched.first, watched.second);
  }
  family::tell_all_changed(state, engine_);
  const std::string problem = state.libraries.restore(loader.functions(), script::Libraries::Policy::kFlush);
  if (!problem.empty()) engine_.log(LogLevel::kWarning, "Failed creating a function library from the file: " + problem);
  engine_.replace_data(loader.take());
}

std::string Saving::reload(Now now) {
  if (!slot_free()) return std::string(kInProgress);
  std::string image;
  {
    const auto snapshot = make_snapshot(now, Image::kNewest);
    while (!snapshot->step(kSliceBytes)) {
    }
    image = snapshot->take();
  }
  const auto loader = make_loader(true, now);
  loader->feed(image);
  if (loader->finish() != persist::RdbLoader::Status::kDone) {
    return "ERR Error trying to load the RDB dump, check server logs.";
  }
  adopt(*loader);
  engine_.log(LogLevel::kWarning, "DB reloaded by DEBUG RELOAD");
  return {};
}

// The file at start.

void Saving::load(Now now) {
  engine_.state_.loading = true;
  load_started_ = now.mono;
  size_job_ = engine_.next_job();
  engine_.act(action::StatFile{*size_job_, file_path()});
  load_job_ = engine_.next_job();
  loader_ = make_loader(engine_.state_.settings.replicaof_host.empty(), now);
  engine_.act(action::ReadFile{*load_job_, file_path()});
}

void Saving::file_data(JobId job, std::string_view bytes) {
  if (size_job_ && *size_job_ == job) size_text_ += bytes;
  if (!load_job_ || *load_job_ != job || load_failed_) return;
  load_failed_ = loader_->feed(bytes) == persist::RdbLoader::Status::kError;
  engine_.state_.load.used_memory = loader_->info().used_memory.value_or(0);
  note_progress(loader_->consumed(), engine_.now_);
}

void Saving::begin_progress(uint64_t total, Now now) {
  engine_.state_.load = {.started_unix_s = unix_seconds(now.wall),
                         .started = now.mono,
                         .next_log = now.mono + kProgressLogPeriod,
                         .total_bytes = total};
}

void Saving::note_progress(uint64_t loaded, Now now) {
  family::LoadState& load = engine_.state_.load;
  load.loaded_bytes = loaded;
  if (load.total_bytes == 0 || now.mono < load.next_log) return;
  load.next_log = now.mono + kProgressLogPeriod;
  engine_.log(LogLevel::kNotice,
              fmt::format("Loading: {} of {} bytes ({:.2f}%)", loaded, load.total_bytes,
                          100.0 * static_cast<double>(loaded) / static_cast<double>(load.total_bytes)));
}

const persist::Snapshot* Saving::running_snapshot() const {
  if (snapshot_) return snapshot_.get();
  if (const persist::Snapshot* snapshot = engine_.replication_->snapshot()) return snapshot;
  return engine_.aof_->snapshot();
}

void Saving::finish_load(int status, Now now) {
  load_job_.reset();
  const auto loader = std::move(loader_);
  engine_.state_.loading = false;
  if (status == ENOENT) return;
  std::string error;
  if (status != 0) {
    error = fmt::format("Fatal error: can't open the RDB file {} for reading: {}", engine_.state_.settings.dbfilename,
                        error_text(status));
  } else if (loader->finish() != persist::RdbLoader::Status::kDone) {
    error = loader->error();
  }
  for (std::string& line : loader->take_log()) engine_.log(LogLevel::kNotice, std::move(line));
  if (!error.empty()) {
    engine_.log(LogLevel::kWarning, error);
    engine_.log(LogLevel::kWarning, "Fatal error loading the DB, check server logs. Exiting.");
    engine_.exiting_ = true;
    engine_.act(action::Exit{1});
    return;
  }
  const persist::LoadedInfo& info = loader->info();
  engine_.state_.load.keys_loaded = loader->keys_loaded();
  engine_.state_.load.keys_expired = loader->keys_expired();
  adopt(*loader);
  engine_.log(LogLevel::kNotice, fmt::format("DB loaded from disk: {:.3f} seconds",
                                             static_cast<double>((now.mono - load_started_).count()) / 1e6));
  if (info.repl_id.size() == 40 && info.repl_offset) {
    std::optional<Duration> age;
    if (info.ctime_seconds)
      age = std::chrono::seconds(std::clamp<int64_t>(unix_seconds(now.wall) - *info.ctime_seconds, -1, 1LL << 33));
    engine_.replication_->adopt_identity(info.repl_id, *info.repl_offset, info.repl_stream_db.value_or(0), age);
  }
}

// Saving to the file.

void Saving::start_file(Now now) {
  HF_ASSERT(!running());
  last_try_ = now.mono;
  file_job_ = engine_.next_job();
  engine_.flush_effects(now);
  snapshot_ = make_snapshot(now);
  changes_at_start_ = engine_.state_.saving.changes_since_save;
  engine_.state_.saving.in_progress = true;
  engine_.state_.saving.started = now.mono;
  engine_.act(action::BeginFile{*file_job_, file_path(), 0644});
}

void Saving::abandon() {
  if (!snapshot_) return;
  snapshot_.reset();
  engine_.act(action::AbandonFile{*file_job_});
  engine_.state_.saving.in_progress = false;
  file_job_.reset();
  for (const family::ClientId id : std::exchange(waiting_, {})) {
    engine_.unblock(id, [](command::Reply& reply) { reply.error("ERR the dataset was replaced while it was saved"); });
  }
  answer_flushed();
}

void Saving::answer_flushed() {
  changes_flushed_ = 0;
  for (const family::ClientId id : std::exchange(waiting_flushed_, {})) {
    engine_.unblock(id, [](command::Reply& reply) { reply.ok(); });
  }
}

void Saving::save(family::Context& context) {
  if (running()) return context.reply.error(kInProgress);
  waiting_.push_back(context.session.id);
  context.session.blocked = true;
  if (!slot_free()) {
    scheduled_ = true;  // until replicas have their payload, or the append-only file its base
  } else {
    start_file(context.now);
  }
}

void Saving::background_save(family::Context& context, bool schedule) {
  if (running() || engine_.replication_->snapshot_running()) return context.reply.error(kInProgress);
  if (!slot_free()) {
    if (!schedule) {
      return context.reply.error(
          "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to "
          "schedule "
          "a BGSAVE whenever possible.");
    }
    scheduled_ = true;
    return context.reply.simple("Background saving scheduled");
  }
  start_file(context.now);
  engine_.log(LogLevel::kNotice, fmt::format("Background saving started by pid {}", engine_.options_.pid));
  context.reply.simple("Background saving started");
}

bool Saving::save_flushed(family::Context& context) {
  if (engine_.state_.settings.save.empty() || engine_.state_.loading) return false;
  if (committing_ || engine_.replication_->snapshot_running() || engine_.aof_->holds_snapshot()) {
    scheduled_ = true;
    return false;
  }
  // Whoever waits for the file of the data that is gone waits for this one.
  std::vector<family::ClientId> waiting = std::exchange(waiting_, {});
  std::vector<family::ClientId> flushed = std::exchange(waiting_flushed_, {});
  const uint64_t before = changes_flushed_;
  abandon();
  start_file(context.now);
  waiting_ = std::move(waiting);
  waiting_flushed_ = std::move(flushed);
  family::SaveState& saving = engine_.state_.saving;
  changes_flushed_ = before + std::exchange(saving.changes_since_save, 0) + context.dirty;
  changes_at_start_ = 0;
  const bool can_wait =
      context.session.role == family::Role::kNormal && !engine_.in_exec() && !context.session.in_script;
  if (!can_wait) return true;
  waiting_flushed_.push_back(context.session.id);
  context.session.blocked = true;
  return true;
}

bool Saving::save_point_reached(Now now) const {
  const family::SaveState& saving = engine_.state_.saving;
  const int64_t age = unix_seconds(now.wall) - saving.last_save_unix_s;
  const auto& points = engine_.state_.settings.save;
  return std::any_of(points.begin(), points.end(), [&](const family::SavePoint& point) {
    return saving.changes_since_save >= static_cast<uint64_t>(point.changes) && age > point.seconds &&
           (saving.last_bgsave_ok || now.mono - last_try_ > kRetryFailedSave);
  });
}

void Saving::start_when_due(Now now) {
  if (engine_.state_.loading || engine_.shutdown_->initiated() || !slot_free()) return;
  if (scheduled_) {
    scheduled_ = false;
    return start_file(now);
  }
  if (engine_.state_.saving.changes_since_save == 0 || !save_point_reached(now)) return;
  const auto& points = engine_.state_.settings.save;
  engine_.log(LogLevel::kNotice,
              fmt::format("{} changes in {} seconds. Saving...", points.back().changes, points.back().seconds));
  start_file(now);
  engine_.log(LogLevel::kNotice, fmt::format("Background saving started by pid {}", engine_.options_.pid));
}

void Saving::work(Now now) {
  if (!running()) start_when_due(now);
  if (!snapshot_) return;
  const bool complete = snapshot_->slice(kSliceBytes, Duration(engine_.state_.settings.rdb_key_save_delay_us), now);
  std::string bytes = snapshot_->take();
  if (!bytes.empty()) engine_.act(action::AppendFile{*file_job_, std::move(bytes)});
  if (!complete) return;
  snapshot_.reset();
  committing_ = true;
  engine_.act(action::CommitFile{*file_job_});
}

Mono Saving::next_slice(const persist::Snapshot& snapshot) const {
  const Mono now = engine_.now_.mono;
  return engine_.state_.settings.rdb_key_save_delay_us > 0 ? std::max(now, snapshot.next_slice()) : now;
}

Mono Saving::next_deadline() const {
  if (snapshot_) return next_slice(*snapshot_);
  if (scheduled_ && slot_free()) return engine_.now_.mono;
  const family::SaveState& saving = engine_.state_.saving;
  if (running() || saving.changes_since_save == 0 || engine_.state_.settings.save.empty()) return kNever;
  return engine_.now_.mono + 1s;  // save points count whole seconds
}

bool Saving::job_done(JobId job, int status, Now now) {
  if (size_job_ && *size_job_ == job) {
    size_job_.reset();
    if (load_job_) begin_progress(status == 0 ? static_cast<uint64_t>(parse_int64(size_text_).value_or(0)) : 0, now);
    return true;
  }
  if (load_job_ && *load_job_ == job) {
    finish_load(status, now);
    engine_.log_when_ready();
    return true;
  }
  if (!file_job_ || *file_job_ != job) return false;
  if (snapshot_) abandon();  // the file could not even be begun
  finish_file(status, now);
  return true;
}

void Saving::finish_file(int status, Now now) {
  family::SaveState& saving = engine_.state_.saving;
  committing_ = false;
  file_job_.reset();
  saving.in_progress = false;
  saving.last_bgsave_ok = status == 0;
  saving.last_duration_s = to_ms(now.mono - saving.started) / 1000;
  if (status == 0) {
    saving.changes_since_save -= changes_at_start_;
    saving.last_save_unix_s = unix_seconds(now.wall);
    ++saving.saves;
    engine_.log(LogLevel::kNotice, "DB saved on disk");
    if (waiting_.empty() && waiting_flushed_.empty() && !for_exit_)
      engine_.log(LogLevel::kNotice, "Background saving terminated with success");
  } else {
    saving.changes_since_save += changes_flushed_;
    engine_.log(LogLevel::kWarning,
                fmt::format("Error moving temp DB file on the final destination {} (in server root "
                            "dir {}): {}",
                            engine_.state_.settings.dbfilename, engine_.state_.settings.dir, error_text(status)));
    if (waiting_.empty() && waiting_flushed_.empty() && !for_exit_)
      engine_.log(LogLevel::kWarning, "Background saving error");
  }
  for (const family::ClientId id : std::exchange(waiting_, {})) {
    engine_.unblock(id, [&](command::Reply& reply) { status == 0 ? reply.ok() : reply.error("ERR"); });
  }
  answer_flushed();
  if (!for_exit_) return;
  if (scheduled_) {
    scheduled_ = false;
    return start_file(now);
  }
  for_exit_ = false;
  engine_.shutdown_->saved(status, now);
}

void Saving::save_for_exit(Now now) {
  for_exit_ = true;
  if (committing_) {
    scheduled_ = true;  // the file being finished lacks what changed since its cut: one more follows it
    return;
  }
  abandon();
  start_file(now);
}

}  // namespace holdfast::server
