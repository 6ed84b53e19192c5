// AppendOnly, continued: rewriting - a new base out of a snapshot, a new increment from the cut on.
#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/error_text.h"
#include "persist/snapshot.h"
#include "server/aof.h"
#include "server/aof_load.h"
#include "server/engine.h"
#include "server/replication.h"
#include "server/saving.h"
#include "server/shutdown.h"

namespace holdfast::server {
namespace {

constexpr size_t kSliceBytes = 64 * 1024;  // of the image per turn, so that commands get their turns in between
constexpr int kFailuresUntilDelay = 3;
constexpr int kDelayMinutesMax = 60;

}  // namespace

bool AppendOnly::can_rewrite() const {
  return manifest_read_ && !rewriting() && !engine_.saving_->running() && !engine_.replication_->snapshot_running() &&
         !engine_.state_.loading;
}

void AppendOnly::background_rewrite(family::Context& context) {
  if (rewriting()) return context.reply.error("ERR Background append only file rewriting already in progress");
  if (!can_rewrite() || engine_.in_exec()) {
    scheduled_ = true;
    failures_ = 0;
    rewrite_not_before_ = Mono::min();
    return context.reply.simple("Background append only file rewriting scheduled");
  }
  start_rewrite(context.now);
  context.reply.simple("Background append only file rewriting started");
}

/// After three failures in a row: 1, 2, 4 ... minutes until the next try.
bool AppendOnly::rewrite_limited(Now now) {
  if (failures_ < kFailuresUntilDelay) {
    delay_minutes_ = 0;
    rewrite_not_before_ = Mono::min();
    return false;
  }
  if (rewrite_not_before_ != Mono::min()) {
    if (now.mono < rewrite_not_before_) return true;
    rewrite_not_before_ = Mono::min();
    return false;
  }
  delay_minutes_ = std::min(delay_minutes_ == 0 ? 1 : delay_minutes_ * 2, kDelayMinutesMax);
  rewrite_not_before_ = now.mono + std::chrono::minutes(delay_minutes_);
  engine_.log(LogLevel::kWarning, fmt::format("Background AOF rewrite has repeatedly failed and triggered the limit, "
                                              "will retry in {} minutes",
                                              delay_minutes_));
  return true;
}

void AppendOnly::rewrite_when_due(Now now) {
  if (scheduled_) {
    if (can_rewrite() && !engine_.shutdown_->initiated() && !rewrite_limited(now)) start_rewrite(now);
    return;
  }
  const family::Settings& settings = engine_.state_.settings;
  if (state_ != State::kOn || settings.auto_aof_rewrite_percentage == 0) return;
  if (current_size_ <= static_cast<uint64_t>(settings.auto_aof_rewrite_min_size)) return;
  const auto base = static_cast<int64_t>(std::max<uint64_t>(base_size_, 1));
  const int64_t growth = static_cast<int64_t>(current_size_) * 100 / base - 100;
  if (growth < settings.auto_aof_rewrite_percentage || !can_rewrite() || rewrite_limited(now)) return;
  engine_.log(LogLevel::kNotice, fmt::format("Starting automatic rewriting of AOF on {}% growth", growth));
  start_rewrite(now);
}

void AppendOnly::start_rewrite(Now now) {
  HF_ASSERT(!rewriting());
  scheduled_ = false;
  ++rewrites_;
  rewrite_ = {};
  rewrite_.phase = Phase::kDirectory;
  rewrite_.started = now.mono;
  rewrite_.job = engine_.next_job();
  engine_.act(action::MakeDirectory{rewrite_.job, engine_.state_.settings.appenddirname});
}

/// True if the rewrite waited for this answer.
bool AppendOnly::rewrite_done(JobId job, int status, Now now) {
  if (job != rewrite_.job) return false;
  if (status != 0) {
    static constexpr std::string_view kWhat[] = {"",
                                                 "make the directory",
                                                 "open the increment",
                                                 "write the "
                                                 "manifest",
                                                 "snapshot",
                                                 "write the base",
                                                 "rename the increment",
                                                 "write the manifest"};
    engine_.log(LogLevel::kWarning, fmt::format("Background AOF rewrite could not {}: {}",
                                                kWhat[static_cast<size_t>(rewrite_.phase)], error_text(status)));
    fail_rewrite(now);
    return true;
  }
  switch (rewrite_.phase) {
    case Phase::kNone:
    case Phase::kSnapshot:
      return true;
    case Phase::kDirectory:
      rewrite_.next = manifest_;
      state_ == State::kOff ? cut(now) : open_increment(now);
      return true;
    case Phase::kIncrement:
      if (state_ != State::kOn) {
        cut(now);
        return true;
      }
      rewrite_.phase = Phase::kListing;
      rewrite_.job = engine_.next_job();
      engine_.act(action::WriteFile{rewrite_.job, manifest_path(), codec::aof::print_manifest(rewrite_.next), 0644});
      return true;
    case Phase::kListing:
      manifest_ = rewrite_.next;
      cut(now);
      return true;
    case Phase::kCommit:
      publish(now);
      return true;
    case Phase::kRename:
      engine_.log(LogLevel::kNotice,
                  fmt::format("Successfully renamed the temporary AOF incr file temp-{}.incr into {}", engine_prefix(),
                              rewrite_.next.increments.back().name));
      publish(now);
      return true;
    case Phase::kPublish:
      finish_rewrite(now);
      return true;
  }
  HF_UNREACHABLE();
}

/// The next increment must be on disk, and listed, before the first effect goes there.
void AppendOnly::open_increment(Now) {
  rewrite_.phase = Phase::kIncrement;
  rewrite_.job = rewrite_.next_log = engine_.next_job();
  if (state_ == State::kOn) {
    const std::string& name = rewrite_.next.new_increment(engine_prefix()).name;
    engine_.log(LogLevel::kNotice, fmt::format("Creating AOF incr file {} on background rewrite", name));
    engine_.act(action::OpenLog{rewrite_.job, path(name), true});
  } else {
    engine_.act(action::OpenLog{rewrite_.job, path("temp-" + engine_prefix() + ".incr"), true});
  }
}

/// From here on effects go to the next increment; the snapshot is the state before them.
void AppendOnly::cut(Now now) {
  engine_.flush_effects(now);
  if (!engine_.replication_->snapshot_running() && !engine_.saving_->running()) {
    snapshot_ = engine_.saving_->make_snapshot(now, Saving::Image::kLog);
  }
  if (!snapshot_ || write_error_ != 0) return fail_rewrite(now);
  if (state_ != State::kOff) {
    close_log(now);
    log_ = rewrite_.next_log;
    rewrite_.logged = true;
    last_increment_size_ = 0;
    engine_.propagator_.forget_log_db();
    if (state_ == State::kWaitRewrite) fsynced_offset_ = engine_.replication_->offset();
  }
  const family::Settings& settings = engine_.state_.settings;
  rewrite_.next.new_base(settings.appendfilename, settings.aof_use_rdb_preamble);
  rewrite_.phase = Phase::kSnapshot;
  rewrite_.file = engine_.next_job();
  rewrite_.job = rewrite_.file;
  engine_.act(action::BeginFile{rewrite_.file, path(rewrite_.next.base->name), 0644});
  new_base_size_ = 0;
  if (!settings.aof_use_rdb_preamble && settings.aof_timestamp_enabled) {
    std::string line = fmt::format("#TS:{}\r\n", unix_seconds(now.wall));
    new_base_size_ += line.size();
    engine_.act(action::AppendFile{rewrite_.file, std::move(line)});
  }
  engine_.log(LogLevel::kNotice,
              fmt::format("Background append only file rewriting started by pid {}", engine_.options_.pid));
}

void AppendOnly::make_base(Now now) {
  const bool complete = snapshot_->slice(kSliceBytes, Duration(engine_.state_.settings.rdb_key_save_delay_us), now);
  std::string bytes = snapshot_->take();
  new_base_size_ += bytes.size();
  if (!bytes.empty()) engine_.act(action::AppendFile{rewrite_.file, std::move(bytes)});
  if (!complete) return;
  snapshot_.reset();
  engine_.log(
      LogLevel::kNotice,
      fmt::format("Successfully created the temporary AOF base file temp-rewriteaof-bg-{}.aof", engine_.options_.pid));
  rewrite_.phase = Phase::kCommit;
  engine_.act(action::CommitFile{rewrite_.file});
}

void AppendOnly::publish(Now) {
  if (rewrite_.phase == Phase::kCommit) {
    engine_.log(LogLevel::kNotice, "Background AOF rewrite terminated with success");
    engine_.log(LogLevel::kNotice,
                fmt::format("Successfully renamed the temporary AOF base file temp-rewriteaof-bg-{}.aof into {}",
                            engine_.options_.pid, rewrite_.next.base->name));
    if (state_ == State::kWaitRewrite) {
      const std::string& name = rewrite_.next.new_increment(engine_prefix()).name;
      rewrite_.phase = Phase::kRename;
      rewrite_.job = engine_.next_job();
      return engine_.act(action::RenameFile{rewrite_.job, path("temp-" + engine_prefix() + ".incr"), path(name)});
    }
  }
  rewrite_.next.retire_increments(state_ != State::kOff);
  rewrite_.phase = Phase::kPublish;
  rewrite_.job = engine_.next_job();
  engine_.act(action::WriteFile{rewrite_.job, manifest_path(), codec::aof::print_manifest(rewrite_.next), 0644});
}

void AppendOnly::write_manifest(const codec::aof::Manifest& manifest) {
  engine_.act(action::WriteFile{engine_.next_job(), manifest_path(), codec::aof::print_manifest(manifest), 0644});
}

void AppendOnly::finish_rewrite(Now now) {
  manifest_ = std::move(rewrite_.next);
  if (state_ != State::kOff) base_size_ = current_size_ = new_base_size_ + last_increment_size_;
  delete_history();
  last_rewrite_ok_ = true;
  failures_ = 0;
  engine_.log(LogLevel::kNotice, "Background AOF rewrite finished successfully");
  if (state_ == State::kWaitRewrite) state_ = State::kOn;
  end_rewrite(now);
  engine_.effects_durable();
}

/// The file goes on as the manifest on disk has it.
void AppendOnly::fail_rewrite(Now now) {
  snapshot_.reset();
  if (rewrite_.phase == Phase::kSnapshot) engine_.act(action::AbandonFile{rewrite_.file});
  last_rewrite_ok_ = false;
  ++failures_;
  engine_.log(LogLevel::kWarning, "Background AOF rewrite terminated with error");
  const bool opened = rewrite_.phase > Phase::kIncrement && rewrite_.next_log != JobId{} && !rewrite_.logged;
  if (opened) engine_.act(action::CloseLog{rewrite_.next_log, engine_.next_job()});
  if (state_ == State::kWaitRewrite) {
    // Half a history is worth nothing: the next try begins with a new cut.
    buffer_.clear();
    close_log(now);
    const std::string name = "temp-" + engine_prefix() + ".incr";
    engine_.log(LogLevel::kNotice, fmt::format("Removing the temp incr aof file {} in the background", name));
    engine_.act(action::RemoveFile{path(name)});
    scheduled_ = true;
  }
  end_rewrite(now);
}

void AppendOnly::end_rewrite(Now now) {
  last_rewrite_s_ = to_ms(now.mono - rewrite_.started) / 1000;
  rewrite_ = {};
}

void AppendOnly::abandon_rewrite() {
  if (!rewriting()) return;
  engine_.log(LogLevel::kNotice, fmt::format("Killing running AOF rewrite child: {}", engine_.options_.pid));
  snapshot_.reset();
  if (rewrite_.phase == Phase::kSnapshot) engine_.act(action::AbandonFile{rewrite_.file});
  // A manifest that is being written will be the one on disk: what comes after must build on it.
  if (rewrite_.phase == Phase::kListing || rewrite_.phase == Phase::kPublish) manifest_ = std::move(rewrite_.next);
  if (rewrite_.phase != Phase::kDirectory && rewrite_.next_log != JobId{} && !rewrite_.logged) {
    engine_.act(action::CloseLog{rewrite_.next_log, engine_.next_job()});
  }
  rewrite_ = {};
}

}  // namespace holdfast::server
