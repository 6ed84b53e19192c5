#include "server/aof.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "base/error_text.h"
#include "persist/snapshot.h"
#include "server/aof_load.h"
#include "server/engine.h"
#include "server/replication.h"
#include "server/saving.h"
#include "server/shutdown.h"

namespace holdfast::server {
namespace {

using family::AppendFsync;

constexpr Duration kSyncPeriod = 1s;
constexpr Duration kRetryPeriod = 1s;
constexpr Duration kErrorLogPeriod = 30s;
constexpr Duration kSlowDisk = 2s;
/// How long replies wait for a write that is not to be durable at once.
constexpr Duration kPatience = 20ms;
/// Effects waiting for a disk that does not take them, before writes are refused.
constexpr size_t kBufferMax = size_t{512} << 20;

}  // namespace

AppendOnly::AppendOnly(Engine& engine) : engine_(engine) {}
AppendOnly::~AppendOnly() = default;

const std::string& AppendOnly::engine_prefix() const { return engine_.state_.settings.appendfilename; }

std::string AppendOnly::path(std::string_view name) const {
  return fmt::format("{}/{}", engine_.state_.settings.appenddirname, name);
}

// The stream.

void AppendOnly::feed(std::string_view bytes, Now now) {
  if (!log_ || bytes.empty()) return;
  const int64_t second = unix_seconds(now.wall);
  if (engine_.state_.settings.aof_timestamp_enabled && second > annotated_s_) {
    annotated_s_ = second;
    buffer_ += fmt::format("#TS:{}\r\n", second);
  }
  buffer_.append(bytes);
  fed_ += bytes.size();
  if (buffer_.size() > kBufferMax && engine_.state_.saving.aof_error == 0) {
    engine_.log(LogLevel::kWarning, "Error writing to the AOF file: the disk does not answer, writes are refused");
    engine_.state_.saving.aof_error = EBUSY;
  }
}

uint64_t AppendOnly::safe() const {
  if (engine_.state_.settings.appendfsync == AppendFsync::kAlways) return synced_;
  return overtaken_ || write_error_ != 0 ? fed_ : std::max(appended_, synced_);
}

int64_t AppendOnly::fsynced_offset() const {
  if (state_ == State::kOff) return -1;
  if (state_ != State::kOn) return 0;
  return synced_ == fed_ ? engine_.replication_->offset() : fsynced_offset_;
}

std::optional<repl::HistoryIndex::Log> AppendOnly::where_it_ends() const {
  const bool whole = state_ == State::kOn && buffer_.empty() && appends_.empty() && appended_ == fed_ &&
                     write_error_ == 0 && sync_error_ == 0 && !manifest_.increments.empty();
  if (!whole) return std::nullopt;
  return repl::HistoryIndex::Log{manifest_.increments.back().name, last_increment_size_};
}

bool AppendOnly::may_append(Now now) const {
  return log_ && appends_.empty() && (!buffer_.empty() || write_error_ != 0) && now.mono >= retry_at_;
}

/// Hands everything fed so far to the log thread: what many clients caused in one turn is one write and one fsync.
void AppendOnly::append(Now now) {
  HF_ASSERT(log_);
  const bool sync = engine_.state_.settings.appendfsync == AppendFsync::kAlways || exiting_;
  if (flush_sleep_ > Duration{}) engine_.act(action::Stall{flush_sleep_});
  const JobId job = engine_.next_job();
  appends_.push_back({job, fed_, engine_.replication_->offset(), buffer_.size(), sync, now.mono});
  engine_.act(action::AppendLog{*log_, job, std::move(buffer_), sync});
  buffer_.clear();
}

void AppendOnly::appended(const Append& done, int status, Now now) {
  slow_reported_ = false;
  overtaken_ = false;
  if (status != 0) return append_failed(done, status, now);
  if (write_error_ != 0) {
    write_error_ = 0;
    engine_.log(LogLevel::kWarning, "AOF write error looks solved, Redis can write again.");
  }
  engine_.state_.saving.aof_error = sync_error_;
  appended_ = done.end;
  appended_offset_ = done.offset;
  current_size_ += done.bytes;
  last_increment_size_ += done.bytes;
  done.sync ? note_synced(done.end, done.offset) : engine_.effects_durable();
}

/// `status` is negative if the bytes are in the file but could not be made durable.
void AppendOnly::append_failed(const Append& done, int status, Now now) {
  const bool always = engine_.state_.settings.appendfsync == AppendFsync::kAlways;
  if (status < 0) {
    appended_ = done.end;
    if (exiting_) return engine_.log(LogLevel::kWarning, "Fail to fsync the AOF file: " + error_text(-status) + ".");
    return fail_for_good(
        fmt::format("Can't persist AOF for fsync error when the AOF fsync policy is 'always': {}. "
                    "Exiting...",
                    error_text(-status)));
  }
  if (now.mono >= next_error_log_) {
    next_error_log_ = now.mono + kErrorLogPeriod;
    engine_.log(LogLevel::kWarning, fmt::format("Error writing to the AOF file: {}", error_text(status)));
  }
  if (always) {
    return fail_for_good("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...");
  }
  write_error_ = status;
  engine_.state_.saving.aof_error = status;
  current_size_ += done.bytes;  // the log thread keeps them for the next try
  last_increment_size_ += done.bytes;
  retry_at_ = now.mono + kRetryPeriod;
  engine_.effects_durable();
}

void AppendOnly::fail_for_good(std::string text) {
  engine_.log(LogLevel::kWarning, std::move(text));
  engine_.exiting_ = true;
  engine_.act(action::Exit{1});
}

void AppendOnly::note_synced(uint64_t position, int64_t offset) {
  synced_ = std::max(synced_, position);
  fsynced_offset_ = std::max(fsynced_offset_, offset);
  engine_.effects_durable();
}

void AppendOnly::start_sync(Now now) {
  if (!log_ || sync_job_ || appended_ <= synced_ || !appends_.empty()) return;
  const AppendFsync policy = engine_.state_.settings.appendfsync;
  if (policy == AppendFsync::kNo) return;
  if (policy == AppendFsync::kEverySec && now.mono - last_sync_ < kSyncPeriod) return;
  sync_job_ = engine_.next_job();
  last_sync_ = now.mono;
  sync_ = {*sync_job_, appended_, appended_offset_, 0, true, now.mono};
  engine_.act(action::SyncLog{*log_, *sync_job_});
}

void AppendOnly::sync_done(int status, Now) {
  sync_job_.reset();
  slow_reported_ = false;
  if (status == 0) {
    if (sync_error_ != 0) engine_.state_.saving.aof_error = write_error_;
    sync_error_ = 0;
    return note_synced(sync_.end, sync_.offset);
  }
  if (sync_error_ == 0) engine_.log(LogLevel::kWarning, "Fail to fsync the AOF file: " + error_text(status));
  sync_error_ = engine_.state_.saving.aof_error = status;
}

void AppendOnly::report_slow_disk(Now now) {
  if (!overtaken_ && !appends_.empty() && now.mono - appends_.front().since >= kPatience) {
    overtaken_ = true;
    engine_.effects_durable();
  }
  if (slow_reported_) return;
  const bool slow = (!appends_.empty() && now.mono - appends_.front().since > kSlowDisk) ||
                    (sync_job_ && now.mono - sync_.since > kSlowDisk);
  if (!slow) return;
  slow_reported_ = true;
  ++delayed_syncs_;
  engine_.log(LogLevel::kNotice,
              "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for "
              "fsync to complete, this may slow down Redis.");
}

/// No more is appended to the present log; what was is made durable.
void AppendOnly::close_log(Now now) {
  if (!log_) return;
  if (!buffer_.empty() || write_error_ != 0) append(now);
  const JobId job = engine_.next_job();
  closing_.push_back({job, fed_, engine_.replication_->offset(), 0, true, now.mono});
  engine_.act(action::CloseLog{*log_, job});
  log_.reset();
}

bool AppendOnly::close_for_exit(Now now) {
  if (!log_ && closing_.empty()) return false;
  engine_.log(LogLevel::kNotice, "Calling fsync() on the AOF file.");
  exiting_ = true;
  if (log_) append(now);
  return true;
}

bool AppendOnly::job_done(JobId job, int status, Now now) {
  if (load_ && load_->job_done(job, status, now)) return true;
  if (opening_job_ && *opening_job_ == job) return opening_done(status, now);
  if (!appends_.empty() && appends_.front().job == job) {
    const Append done = appends_.front();
    appends_.pop_front();
    appended(done, status, now);
  } else if (sync_job_ && *sync_job_ == job) {
    sync_done(status, now);
  } else if (!closing_.empty() && closing_.front().job == job) {
    const Append done = closing_.front();
    closing_.pop_front();
    if (status != 0) engine_.log(LogLevel::kWarning, "Fail to fsync the AOF file: " + error_text(status));
    appended_ = std::max(appended_, done.end);
    note_synced(done.end, done.offset);
  } else {
    return rewriting() && rewrite_done(job, status, now);
  }
  const bool quiet = appends_.empty() && closing_.empty();
  if (exiting_ && quiet) {
    exiting_ = false;
    engine_.shutdown_->append_only_synced(now);
  }
  if (quiet && load_ && load_->waits_for_log()) load_->start(now);
  return true;
}

bool AppendOnly::file_data(JobId job, std::string_view bytes, Now now) {
  return load_ && load_->file_data(job, bytes, now);
}

// Time.

void AppendOnly::work(Now now) {
  const bool wanted = engine_.state_.settings.appendonly;
  if (wanted != enabled() && !engine_.state_.loading) wanted ? enable(now) : disable(now);  // set while loading
  if (may_append(now)) append(now);
  start_sync(now);
  report_slow_disk(now);
  if (!rewriting()) rewrite_when_due(now);
  if (snapshot_) make_base(now);
}

Mono AppendOnly::next_deadline() const {
  const Mono now = engine_.now_.mono;
  Mono next = snapshot_ ? engine_.saving_->next_slice(*snapshot_) : kNever;
  if (log_ && appends_.empty()) {
    if (!buffer_.empty() || write_error_ != 0) return std::max(now, retry_at_);
    const AppendFsync policy = engine_.state_.settings.appendfsync;
    if (!sync_job_ && appended_ > synced_) {
      if (policy == AppendFsync::kAlways) return now;
      if (policy == AppendFsync::kEverySec) next = std::min(next, last_sync_ + kSyncPeriod);
    }
  }
  if (!overtaken_ && !appends_.empty()) next = std::min(next, appends_.front().since + kPatience);
  if (!slow_reported_) {
    if (!appends_.empty()) next = std::min(next, appends_.front().since + kSlowDisk + 1ms);
    if (sync_job_) next = std::min(next, sync_.since + kSlowDisk + 1ms);
  }
  if (scheduled_ && can_rewrite()) next = std::min(next, std::max(now, rewrite_not_before_));
  return next;
}

// INFO.

std::string AppendOnly::info_status(Now now) const {
  const int64_t running = rewriting() ? to_ms(now.mono - rewrite_.started) / 1000 : -1;
  const bool good = write_error_ == 0 && sync_error_ == 0;
  return fmt::format(
      "aof_enabled:{}\r\naof_rewrite_in_progress:{}\r\naof_rewrite_scheduled:{}\r\naof_last_rewrite_time_sec:{}\r\n"
      "aof_current_rewrite_time_sec:{}\r\naof_last_bgrewrite_status:{}\r\naof_rewrites:{}\r\n"
      "aof_rewrites_consecutive_failures:{}\r\naof_last_write_status:{}\r\naof_last_cow_size:0\r\n",
      enabled() ? 1 : 0, rewriting() ? 1 : 0, scheduled_ ? 1 : 0, last_rewrite_s_, running,
      last_rewrite_ok_ ? "ok" : "err", rewrites_, failures_, good ? "ok" : "err");
}

std::string AppendOnly::info_sizes() const {
  if (!enabled()) return {};
  return fmt::format(
      "aof_current_size:{}\r\naof_base_size:{}\r\naof_pending_rewrite:{}\r\naof_buffer_length:{}\r\n"
      "aof_pending_bio_fsync:{}\r\naof_delayed_fsync:{}\r\n",
      current_size_, base_size_, scheduled_ ? 1 : 0, buffer_.size(), sync_job_ ? 1 : 0, delayed_syncs_);
}

}  // namespace holdfast::server
