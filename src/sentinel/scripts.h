// Scripts: the queue of notification and client-reconfiguration scripts.
//
// Source: redis-sentinel's example sentinel.conf ("SCRIPTS EXECUTION"). Exit status 1 or death by a signal: run again,
// up to ten times, after 30 s doubled each time; longer than 60 s: killed, and so run again. At most kScriptsQueuedMax
// scripts are queued (the oldest waiting one is dropped) and kScriptsRunningMax run at once.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace holdfast::sentinel {

struct Core;
class Agenda;

inline constexpr size_t kScriptsQueuedMax = 256;
inline constexpr size_t kScriptsRunningMax = 16;
inline constexpr int kScriptTriesMax = 10;

/// How a script ended, from a raw wait status.
struct ScriptExit {
  int code = 0;
  int signal = 0;
  bool retry() const { return signal != 0 || code == 1; }
  bool clean() const { return signal == 0 && code == 0; }
};
ScriptExit script_exit(int wait_status);

class Scripts {
 public:
  struct Entry {
    std::vector<std::string> argv;
    bool running = false;
    bool killed = false;
    int tries = 0;
    JobId job{};
    Mono started{};     // while running
    Mono not_before{};  // while waiting for another try
  };

  void schedule(std::vector<std::string> argv);
  /// Starts and kills what is due.
  void run(Core& core, Agenda& agenda);
  /// False: not a script's job.
  bool ended(Core& core, JobId job, int wait_status);

  const std::deque<Entry>& entries() const { return entries_; }
  size_t running() const { return running_; }
  void check_invariants() const;

 private:
  std::deque<Entry> entries_;
  size_t running_ = 0;
};

}  // namespace holdfast::sentinel
