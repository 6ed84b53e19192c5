// ConfigFile: the configuration file on disk. It is read before it is rewritten, so what somebody changed in it
// (comments, lines that are not ours, another file in its place) is kept; our own lines say what is true now, and what
// we were started with (the port, the directory) comes back if it is gone.
//
// Source: CONFIG REWRITE of redis-server 7.2, which starts from the file as it is. A file that is gone counts as empty.
// One save is under way at a time: read, then write (and beside it what the original does not know, and the users).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sentinel/core.h"

namespace holdfast::sentinel {

/// A file in its place that is larger than this is not taken for a configuration.
inline constexpr size_t kConfigBytesMax = 64u << 20;

class ConfigFile {
 public:
  explicit ConfigFile(Core& core);

  /// Begins a save if one was asked for and none is under way.
  void save_if_needed();
  void file_data(JobId job, std::string_view bytes);
  bool is_mine(JobId job) const { return reading_ == job || core_.saver.is_mine(job); }
  /// A save that ended by this, well or not; nullopt: it goes on.
  std::optional<Saver::Finished> job_done(JobId job, int status);

 private:
  void write();

  Core& core_;
  std::map<std::string, std::vector<std::string>>
      given_;  // the file's lines at the start that are not about us, by key
  std::optional<JobId> reading_;
  std::string former_;  // what was read so far
};

}  // namespace holdfast::sentinel
