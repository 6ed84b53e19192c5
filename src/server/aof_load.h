// AofLoad: reads an append-only file back - the manifest, the upgrade of an old single file, base and increments.
//
// Source: redis-server 7.2 (order of steps, what is fatal, log texts). Anything fatal ends the process with code 1,
// naming the file and what repairs it. The files arrive in pieces; commands run as they are whole, while the server
// answers LOADING.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "codec/aof/manifest.h"
#include "codec/aof/reader.h"
#include "family/session.h"
#include "family/state.h"

namespace holdfast::persist {
class RdbLoader;
}

namespace holdfast::server {

class AppendOnly;
class Engine;

class AofLoad {
 public:
  /// `again`: of a running server (DEBUG LOADAOF), which waits for the log thread before start().
  AofLoad(Engine& engine, AppendOnly& owner, bool again);
  ~AofLoad();

  void start(Now now);
  bool waits_for_log() const { return again_ && step_ == Step::kNone; }
  bool file_data(JobId job, std::string_view bytes, Now now);
  bool job_done(JobId job, int status, Now now);

 private:
  enum class Step : uint8_t {
    kNone,
    kManifest,
    kOldFile,       // is there a single file of an older server?
    kOldFileMoved,  // ... that an interrupted upgrade already lists?
    kUpgradeDirectory,
    kUpgradeManifest,
    kUpgradeRename,
    kSizes,
    kFile,
    kTruncate,
    kDone,
  };
  void ask(Step step, auto action);
  void fail(std::string text);
  void stop();
  void manifest_read(int status, Now now);
  void old_file_found(int status, Now now);
  void upgrade(Now now);
  void measure(Now now);
  void read_next(Now now);
  void take_bytes(std::string_view bytes, Now now);
  void take_base(std::string_view bytes, Now now);
  void run(std::string_view bytes, Now now);
  bool run_one(Now now);
  void file_read(int status, Now now);
  void end_of_commands(Now now);
  void cut_short(Now now);
  void file_loaded(Now now);
  void finish(Now now);
  bool is_last() const { return index_ + 1 == files_.size(); }
  std::string path(std::string_view name) const;
  const std::string& name() const { return files_[index_].name; }

  Engine& engine_;
  AppendOnly& owner_;
  const bool again_;
  Step step_ = Step::kNone;
  JobId job_{};
  bool stopped_ = false;
  std::string text_;  // of the manifest, or of a size
  codec::aof::Manifest manifest_;
  std::vector<codec::aof::File> files_;
  std::vector<uint64_t> sizes_;
  uint64_t total_ = 0;
  uint64_t loaded_ = 0;  // bytes taken so far
  size_t index_ = 0;
  Mono started_{};
  Mono file_started_{};

  // The file being read.
  std::string head_;  // until it is known which kind it is
  bool kind_known_ = false;
  std::unique_ptr<persist::RdbLoader> base_;
  std::optional<codec::aof::Reader> reader_;
  std::unique_ptr<family::Session> session_;  // in whose name the commands run
  uint64_t valid_up_to_ = 0;
  uint64_t before_multi_ = 0;
};

}  // namespace holdfast::server
