// Saving: the dataset to disk and back - the file at start, SAVE, BGSAVE, the save points, the last save before the
// end; and the two conversions replication shares: a snapshot of now, a dataset out of a payload.
//
// One snapshot runs at a time in the server, for a file or for replicas; it is taken in slices between commands
// (persist/snapshot) and written in pieces by the host. A client that asked for SAVE is answered when the file is
// durable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "family/services.h"

namespace holdfast::persist {
class Snapshot;
class RdbLoader;
}  // namespace holdfast::persist

namespace holdfast::server {

class Engine;

class Saving {
 public:
  explicit Saving(Engine& engine);
  ~Saving();

  /// Asks for the file at start.
  void load(Now now);
  void file_data(JobId job, std::string_view bytes);
  /// True if the job was one of ours.
  bool job_done(JobId job, int status, Now now);

  void save(family::Context& context);
  void background_save(family::Context& context, bool schedule);
  /// Services::save_flushed.
  bool save_flushed(family::Context& context);
  /// The last save; Shutdown::saved follows.
  void save_for_exit(Now now);
  /// DEBUG RELOAD. Empty = done, else the error's text.
  std::string reload(Now now);

  std::string file_path() const;
  bool running() const { return snapshot_ != nullptr || committing_; }
  /// No snapshot is being made for anybody.
  bool slot_free() const;
  /// The snapshot being made, for whomever; null if there is none.
  const persist::Snapshot* running_snapshot() const;
  /// INFO and the log follow the loading of a file of `total` bytes.
  void begin_progress(uint64_t total, Now now);
  void note_progress(uint64_t loaded, Now now);
  /// A snapshot is being made for the file.
  bool writes_file() const { return snapshot_ != nullptr; }
  /// Ends a running save without a file: the dataset is about to be replaced.
  void abandon();
  /// One slice of a running save; starts one when a save point is due.
  void work(Now now);
  Mono next_deadline() const;
  /// When a snapshot has its next slice made.
  Mono next_slice(const persist::Snapshot& snapshot) const;

  enum class Image : uint8_t {
    kFile,    // every server can read it
    kNewest,  // DEBUG RELOAD: nothing is lost
    kLog,     // the base of an append-only file
  };
  std::unique_ptr<persist::Snapshot> make_snapshot(Now now, Image image = Image::kFile) const;
  std::unique_ptr<persist::RdbLoader> make_loader(bool as_primary, Now now) const;
  /// Puts the loaded dataset in the place of the present one.
  void adopt(persist::RdbLoader& loader);

 private:
  void start_file(Now now);
  void finish_file(int status, Now now);
  void finish_load(int status, Now now);
  void start_when_due(Now now);
  void answer_flushed();
  bool save_point_reached(Now now) const;

  Engine& engine_;
  std::optional<JobId> size_job_;
  std::string size_text_;
  std::optional<JobId> load_job_;
  std::unique_ptr<persist::RdbLoader> loader_;
  bool load_failed_ = false;
  Mono load_started_{};

  std::unique_ptr<persist::Snapshot> snapshot_;
  std::optional<JobId> file_job_;
  bool committing_ = false;
  uint64_t changes_at_start_ = 0;
  uint64_t changes_flushed_ = 0;                   // FLUSHALL's and those before it: they count again if its file fails
  std::vector<family::ClientId> waiting_;          // clients answered when the running file is done
  std::vector<family::ClientId> waiting_flushed_;  // the same, whatever became of the file
  bool scheduled_ = false;                         // another save follows when the slot is free
  bool for_exit_ = false;                          // the server ends when the file is there
  Mono last_try_ = Mono::min();
};

}  // namespace holdfast::server
