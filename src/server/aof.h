// AppendOnly: the append-only file - every effect as a command on disk, parts named in a manifest, rewritten when it
// has grown.
//
// Source: redis-server 7.2 (files, order of steps, log texts, INFO fields). Parts: aof.cc (the stream to the log
// thread), aof_start.cc (opening, switching on and off), aof_rewrite.cc (a new base from a snapshot); reading is
// aof_load.h. No write or fsync happens here: effects leave in batches, at the end of a turn of the host, and the log
// thread reports. Positions count bytes fed: synced() <= fed().
// Invariants: the manifest on disk names only files that exist; an effect is in exactly one of base and increments;
// with `appendfsync always` no reply leaves before the effects of its turn are durable (family/held_output.h).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "codec/aof/manifest.h"
#include "family/context.h"
#include "repl/history_index.h"

namespace holdfast::persist {
class Snapshot;
}

namespace holdfast::server {

class AofLoad;
class Engine;

class AppendOnly {
 public:
  enum class State : uint8_t {
    kOff,
    kOpening,      // at start: the data is there, the file is not open yet
    kOn,           //
    kWaitRewrite,  // switched on: counts as a copy of the data once its first base is written
  };
  explicit AppendOnly(Engine& engine);
  ~AppendOnly();

  /// Reads the manifest, then, if the file is to be used, the data; Saving::load otherwise.
  void start(Now now);
  bool file_data(JobId job, std::string_view bytes, Now now);
  /// True if the job was one of ours.
  bool job_done(JobId job, int status, Now now);
  void work(Now now);
  Mono next_deadline() const;

  // The stream.
  /// Effects are wanted.
  bool keeps() const { return log_.has_value(); }
  void feed(std::string_view bytes, Now now);
  uint64_t fed() const { return fed_; }
  uint64_t synced() const { return synced_; }
  /// Replies wait until what was fed before them is safe().
  bool holds_replies() const { return log_ || !closing_.empty(); }
  /// What clients may be told about: with `appendfsync always` what is durable; else what is written, so that the end
  /// of the process costs nothing, unless the disk takes longer than replies should wait for it.
  uint64_t safe() const;
  /// The replication offset up to which effects are durable here; -1 without the file.
  /// Of a base being written; null if there is none.
  const persist::Snapshot* snapshot() const { return snapshot_.get(); }
  int64_t fsynced_offset() const;
  /// The last file and its size, if all that was fed is in it.
  std::optional<repl::HistoryIndex::Log> where_it_ends() const;
  bool enabled() const { return state_ != State::kOff; }

  // Switching and rewriting.
  /// CONFIG SET appendonly.
  void enable(Now now);
  void disable(Now now);
  void background_rewrite(family::Context& context);
  /// The dataset was replaced by another one: the file starts anew.
  void dataset_replaced(Now now);
  bool rewriting() const { return rewrite_.phase != Phase::kNone; }
  /// The server's one snapshot is taken, or about to be, for a base.
  bool holds_snapshot() const { return rewriting() && rewrite_.phase <= Phase::kSnapshot; }
  /// Ends a rewrite under way; the file goes on as it is.
  void abandon_rewrite();
  /// DEBUG LOADAOF: the file becomes the dataset; the session is answered then.
  void reload(family::Context& context);
  /// Everything fed so far is handed over and made durable; Shutdown::append_only_synced follows. False: nothing to
  /// wait for.
  bool close_for_exit(Now now);
  bool writes_initial_base() const { return state_ == State::kWaitRewrite && rewriting(); }

  /// INFO persistence from aof_enabled on.
  std::string info_status(Now now) const;
  std::string info_sizes() const;
  void set_flush_sleep(Duration duration) { flush_sleep_ = duration; }
  void reset_stats() { delayed_syncs_ = rewrites_ = 0; }

 private:
  friend class AofLoad;
  enum class Phase : uint8_t {
    kNone,
    kDirectory,  // being made
    kIncrement,  // the next increment is being opened
    kListing,    // the manifest that names it is being written
    kSnapshot,   // the base is being made
    kCommit,     // and made durable
    kRename,     // the first increment gets its name
    kPublish,    // the manifest with the new base is being written
  };
  struct Rewrite {
    Phase phase = Phase::kNone;
    JobId job{};       // the answer waited for
    JobId file{};      // of the base
    JobId next_log{};  // of the next increment
    bool logged = false;
    codec::aof::Manifest next;
    Mono started{};
  };
  /// An append that is not answered yet.
  struct Append {
    JobId job{};
    uint64_t end;  // of its bytes, as fed
    int64_t offset;
    size_t bytes;
    bool sync;
    Mono since{};
  };

  // aof.cc
  void append(Now now);
  void appended(const Append& done, int status, Now now);
  void append_failed(const Append& done, int status, Now now);
  void start_sync(Now now);
  void sync_done(int status, Now now);
  void report_slow_disk(Now now);
  void note_synced(uint64_t position, int64_t offset);
  void fail_for_good(std::string text);
  bool may_append(Now now) const;
  void close_log(Now now);
  std::string path(std::string_view name) const;
  std::string manifest_path() const { return path(engine_prefix() + ".manifest"); }
  const std::string& engine_prefix() const;

  // aof_start.cc
  /// The data is loaded (or there is none): opens the file for writing.
  /// `sizes`: of base and increments, in order.
  void loaded(codec::aof::Manifest manifest, const std::vector<uint64_t>& sizes, Now now);
  bool opening_done(int status, Now now);
  void open_log(Now now);
  void opened(Now now);
  std::string first_base(Now now) const;
  void delete_history();

  // aof_rewrite.cc
  bool can_rewrite() const;
  void start_rewrite(Now now);
  void rewrite_when_due(Now now);
  bool rewrite_limited(Now now);
  bool rewrite_done(JobId job, int status, Now now);
  void open_increment(Now now);
  void cut(Now now);
  void make_base(Now now);
  void publish(Now now);
  void write_manifest(const codec::aof::Manifest& manifest);
  void finish_rewrite(Now now);
  void fail_rewrite(Now now);
  void end_rewrite(Now now);

  Engine& engine_;
  State state_ = State::kOff;
  codec::aof::Manifest manifest_;
  bool manifest_read_ = false;
  bool reads_data_ = false;  // at start: the data comes from here, not from the RDB file
  Duration flush_sleep_{};   // DEBUG AOF-FLUSH-SLEEP
  std::unique_ptr<AofLoad> load_;
  enum class Opening : uint8_t { kDirectory, kBase, kLog, kManifest };
  std::optional<JobId> opening_job_;  // the answer the opening waits for
  Opening opening_ = Opening::kDirectory;
  bool opened_new_ = false;
  family::ClientId reload_client_ = 0;  // of DEBUG LOADAOF

  std::optional<JobId> log_;
  std::string buffer_;  // fed, not handed over
  std::deque<Append> appends_;
  std::optional<JobId> sync_job_;
  Append sync_{};
  std::deque<Append> closing_;  // logs being closed
  uint64_t fed_ = 0;
  uint64_t appended_ = 0;
  uint64_t synced_ = 0;
  int64_t appended_offset_ = 0;
  int64_t fsynced_offset_ = -1;
  Mono last_sync_{};
  Mono retry_at_ = Mono::min();
  Mono next_error_log_ = Mono::min();
  bool slow_reported_ = false;
  bool overtaken_ = false;  // the append under way is not waited for any longer
  bool exiting_ = false;
  int64_t annotated_s_ = 0;  // unix time of the last annotation
  uint64_t delayed_syncs_ = 0;
  int write_error_ = 0;
  int sync_error_ = 0;

  uint64_t current_size_ = 0;
  uint64_t base_size_ = 0;  // at the last rewrite
  uint64_t last_increment_size_ = 0;
  Rewrite rewrite_;
  std::unique_ptr<persist::Snapshot> snapshot_;
  uint64_t new_base_size_ = 0;
  bool scheduled_ = false;
  bool last_rewrite_ok_ = true;
  int64_t last_rewrite_s_ = -1;
  uint64_t rewrites_ = 0;
  int failures_ = 0;  // in a row
  int delay_minutes_ = 0;
  Mono rewrite_not_before_ = Mono::min();
  Mono next_check_ = Mono::min();
};

}  // namespace holdfast::server
