// LogWriter: append-only logs on threads of their own, so that neither the event loop nor a snapshot being written
// waits for them, and they wait for neither.
//
// One thread appends, in the order given over all logs; one makes durable beside it (sync()). An append that fails
// leaves its log as it was before, where the disk allows, and its bytes go before the next append's: whoever wants to
// try again appends, if need be nothing. Bound: the caller keeps at most one append of a log unanswered.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"

namespace holdfast::net {

class LogWriter {
 public:
  struct Result {
    JobId job{};
    int status = 0;  // errno; negative: written, but not durable
  };
  LogWriter();
  /// Finishes what was asked, then ends. Open logs are closed as they are.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  int descriptor() const;
  /// Results so far. On the loop's thread.
  std::vector<Result> take();

  void open(JobId log, std::string path, bool truncate, uint32_t mode);
  void append(JobId log, JobId job, std::string bytes, bool sync);
  void sync(JobId log, JobId job);
  void close(JobId log, JobId job);
  /// Returns when everything given so far is done.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::net
