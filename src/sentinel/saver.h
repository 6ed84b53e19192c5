// Saver: the configuration file as durable memory: which states are on disk.
//
// Every change of state that must survive asks for a *generation*; a generation is done when a file at least that new
// was written (fsync, rename, fsync of the directory - the host's WriteFile) or failed to be. One write is under way at
// a time; requests that come meanwhile share the next one.
// A failed write is logged and the Sentinel goes on, as the original does; but what it should have kept is not durable,
// and a vote that is not durable is not given.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>

#include "base/ids.h"

namespace holdfast::sentinel {

class Saver {
 public:
  /// The state as it is now must be written.
  uint64_t request() {
    if (pretend_) done_ = durable_ = requested_ + 1;
    return ++requested_;
  }
  /// Everything counts as written when it is asked for; it is still written. For the simulator only.
  void pretend() { pretend_ = true; }
  uint64_t requested() const { return requested_; }
  bool done(uint64_t generation) const { return generation <= done_; }
  bool durable(uint64_t generation) const { return generation <= durable_; }
  /// True: the caller should write now and call begin().
  bool should_write() const { return !job_ && more_.empty() && requested_ > written_; }
  void begin(JobId job) {
    job_ = job;
    writing_ = requested_;
    ok_ = true;
  }
  /// The same generation needs another file as well.
  void begin_more(JobId job) { more_.insert(job); }
  bool is_mine(JobId job) const { return job_ == job || more_.contains(job); }
  struct Finished {
    uint64_t generation = 0;  // the newest that is done by this
    bool ok = false;
  };
  /// nullopt: another file is still being written.
  std::optional<Finished> finish(JobId job, bool ok) {
    if (job_ == job) job_.reset();
    more_.erase(job);
    ok_ &= ok;
    if (job_ || !more_.empty()) return std::nullopt;
    written_ = writing_;
    done_ = std::max(done_, writing_);
    if (ok_) durable_ = std::max(durable_, writing_);
    return Finished{done_, ok_};
  }

 private:
  uint64_t requested_ = 0;
  uint64_t writing_ = 0;
  uint64_t written_ = 0;  // like done_, but never pretended
  uint64_t done_ = 0;     // written, or failed to be
  uint64_t durable_ = 0;  // written
  bool ok_ = true;
  bool pretend_ = false;
  std::optional<JobId> job_;
  std::set<JobId> more_;
};

}  // namespace holdfast::sentinel
