// Saver: the configuration file as durable memory: which states are on disk.
//
// Every change of state that must survive asks for a *generation*; a generation is done when a file at least that new
// was written (fsync, rename, fsync of the directory - the host's WriteFile) or failed to be. One write is under way at
// a time; requests that come meanwhile share the next one.
// COMPAT: a failed write is logged and the Sentinel goes on, as the original does.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"

namespace holdfast::sentinel {

class Saver {
 public:
  /// The state as it is now must be written.
  uint64_t request() { return ++requested_; }
  uint64_t requested() const { return requested_; }
  bool done(uint64_t generation) const { return generation <= done_; }
  /// True: the caller should write now and call begin().
  bool should_write() const { return !job_ && requested_ > done_; }
  void begin(JobId job) {
    job_ = job;
    writing_ = requested_;
  }
  bool is_mine(JobId job) const { return job_ == job; }
  /// Returns the newest generation that is done by this.
  uint64_t finish() {
    job_.reset();
    return done_ = writing_;
  }

 private:
  uint64_t requested_ = 0;
  uint64_t writing_ = 0;
  uint64_t done_ = 0;
  std::optional<JobId> job_;
};

}  // namespace holdfast::sentinel
