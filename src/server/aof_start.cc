// AppendOnly, continued: opening the file at start, switching it on and off, reading it again.
#include <fmt/format.h>

#include "base/assert.h"
#include "base/error_text.h"
#include "base/version.h"
#include "persist/rdb_save.h"
#include "persist/snapshot.h"
#include "server/aof.h"
#include "server/aof_load.h"
#include "server/engine.h"
#include "server/replication.h"
#include "server/saving.h"

namespace holdfast::server {

void AppendOnly::start(Now now) {
  reads_data_ = engine_.state_.settings.appendonly;
  load_ = std::make_unique<AofLoad>(engine_, *this, false);
  load_->start(now);
  if (!reads_data_) engine_.saving_->load(now);
}

void AppendOnly::loaded(codec::aof::Manifest manifest, const std::vector<uint64_t>& sizes, Now now) {
  manifest_ = std::move(manifest);
  if (reload_client_ != 0) {
    engine_.state_.loading = false;
    engine_.state_.saving.changes_since_save = 0;
    engine_.log(LogLevel::kNotice, "Append Only File loaded by DEBUG LOADAOF");
    return engine_.unblock(std::exchange(reload_client_, 0), [](command::Reply& reply) { reply.ok(); });
  }
  manifest_read_ = true;
  if (!reads_data_) return;
  state_ = State::kOpening;
  current_size_ = base_size_ = last_increment_size_ = 0;
  for (const uint64_t size : sizes) current_size_ += size;
  if (manifest_.base && !sizes.empty()) base_size_ = sizes.front();
  if (!manifest_.increments.empty() && !sizes.empty()) {
    last_increment_size_ = sizes.back();
    engine_.replication_->log_loaded(manifest_.increments.back().name, last_increment_size_, now);
  }
  opening_ = Opening::kDirectory;
  opening_job_ = engine_.next_job();
  engine_.act(action::MakeDirectory{*opening_job_, engine_.state_.settings.appenddirname});
}

/// An empty dataset as a base, so that every append-only file has one.
std::string AppendOnly::first_base(Now now) const {
  if (!engine_.state_.settings.aof_use_rdb_preamble) return {};
  persist::SaveInfo info;
  info.redis_version = kRedisVersion;
  info.ctime_seconds = unix_seconds(now.wall);
  info.used_memory = engine_.state_.data->used_memory();
  info.aof_base = true;
  return persist::save(*engine_.state_.data, info);
}

bool AppendOnly::opening_done(int status, Now now) {
  opening_job_.reset();
  const family::Settings& settings = engine_.state_.settings;
  const auto refuse = [&](std::string text) {
    engine_.log(LogLevel::kWarning, std::move(text));
    engine_.exiting_ = true;
    engine_.act(action::Exit{1});
    return true;
  };
  switch (opening_) {
    case Opening::kDirectory:
      if (status != 0) {
        return refuse(
            fmt::format("Can't open or create append-only dir {}: {}", settings.appenddirname, error_text(status)));
      }
      if (!manifest_.empty()) {
        open_log(now);
        return true;
      }
      manifest_.new_base(settings.appendfilename, settings.aof_use_rdb_preamble);
      opening_ = Opening::kBase;
      opening_job_ = engine_.next_job();
      engine_.act(action::WriteFile{*opening_job_, path(manifest_.base->name), first_base(now), 0644});
      return true;
    case Opening::kBase:
      if (status != 0) {
        return refuse(fmt::format("Write error writing append only file on disk: {}", error_text(status)));
      }
      engine_.log(LogLevel::kNotice, fmt::format("Creating AOF base file {} on server start", manifest_.base->name));
      open_log(now);
      return true;
    case Opening::kLog:
      if (status != 0) {
        return refuse(fmt::format("Can't open the append-only file {}: {}", manifest_.increments.back().name,
                                  error_text(status)));
      }
      if (!opened_new_) {
        opened(now);
        return true;
      }
      opening_ = Opening::kManifest;
      opening_job_ = engine_.next_job();
      engine_.act(action::WriteFile{*opening_job_, manifest_path(), codec::aof::print_manifest(manifest_), 0644});
      return true;
    case Opening::kManifest:
      if (status != 0) {
        return refuse(fmt::format("Error trying to write the temporary AOF manifest file {}: {}", manifest_path(),
                                  error_text(status)));
      }
      opened(now);
      return true;
  }
  HF_UNREACHABLE();
}

void AppendOnly::open_log(Now) {
  opened_new_ = manifest_.increments.empty();
  if (opened_new_) manifest_.new_increment(engine_prefix());
  opening_ = Opening::kLog;
  opening_job_ = engine_.next_job();
  log_ = *opening_job_;
  engine_.act(action::OpenLog{*opening_job_, path(manifest_.increments.back().name)});
}

void AppendOnly::opened(Now now) {
  engine_.log(LogLevel::kNotice, fmt::format("{} AOF incr file {} on server start",
                                             opened_new_ ? "Creating" : "Opening", manifest_.increments.back().name));
  state_ = State::kOn;
  last_sync_ = now.mono;
  fsynced_offset_ = engine_.replication_->offset();
  engine_.propagator_.forget_log_db();
  delete_history();
  engine_.state_.loading = false;
  engine_.log_when_ready();
}

void AppendOnly::delete_history() {
  if (engine_.state_.settings.aof_disable_auto_gc || manifest_.history.empty()) return;
  for (const codec::aof::File& file : manifest_.history) {
    engine_.log(LogLevel::kNotice, fmt::format("Removing the history file {} in the background", file.name));
    engine_.act(action::RemoveFile{path(file.name)});
  }
  manifest_.history.clear();
  // Nobody waits for it: files that are listed but gone are not missed.
  write_manifest(manifest_);
}

// Switching.

void AppendOnly::enable(Now now) {
  HF_ASSERT(state_ == State::kOff);
  state_ = State::kWaitRewrite;
  fsynced_offset_ = 0;
  rewrite_not_before_ = Mono::min();
  if (!rewriting() && !can_rewrite()) {
    scheduled_ = true;
    engine_.log(LogLevel::kNotice,
                "AOF was enabled but there is already another background operation. An AOF background was scheduled to "
                "start when possible.");
  } else if (engine_.in_exec()) {
    scheduled_ = true;
    engine_.log(LogLevel::kNotice,
                "AOF was enabled during a transaction. An AOF background was scheduled to start when possible.");
  } else {
    if (rewriting()) {
      engine_.log(LogLevel::kNotice,
                  "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and "
                  "starting a rewrite now.");
      abandon_rewrite();
    }
    start_rewrite(now);
  }
  last_sync_ = now.mono;
  if (sync_error_ != 0) {
    engine_.log(LogLevel::kWarning, "AOF reopen, just ignore the AOF fsync error in bio job");
  }
  if (write_error_ != 0) engine_.log(LogLevel::kWarning, "AOF reopen, just ignore the last error.");
  sync_error_ = write_error_ = engine_.state_.saving.aof_error = 0;
}

void AppendOnly::disable(Now now) {
  HF_ASSERT(state_ != State::kOff);
  engine_.flush_effects(now);
  abandon_rewrite();
  const bool temporary = state_ == State::kWaitRewrite && log_;
  close_log(now);
  if (temporary) engine_.act(action::RemoveFile{path("temp-" + engine_prefix() + ".incr")});
  state_ = State::kOff;
  scheduled_ = false;
  write_error_ = sync_error_ = engine_.state_.saving.aof_error = 0;
  last_increment_size_ = 0;
  engine_.replication_->answer_waits(now);
}

void AppendOnly::dataset_replaced(Now now) {
  if (state_ == State::kOff || state_ == State::kOpening) return;
  disable(now);
  enable(now);
}

void AppendOnly::reload(family::Context& context) {
  if (!manifest_read_ || rewriting() || engine_.in_exec() || engine_.state_.loading) {
    return context.reply.error("ERR Error trying to load the AOF files, check server logs.");
  }
  context.session.blocked = true;
  reload_client_ = context.session.id;
  engine_.flush_effects(context.now);
  engine_.state_.data->clear_all();
  engine_.state_.loading = true;
  load_ = std::make_unique<AofLoad>(engine_, *this, true);
  log_ ? append(context.now) : load_->start(context.now);  // with a log, reading starts when it is answered
}

}  // namespace holdfast::server
