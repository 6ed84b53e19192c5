#include "sentinel/scripts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "sentinel/agenda.h"
#include "sentinel/core.h"

namespace holdfast::sentinel {

ScriptExit script_exit(int wait_status) {
  // The layout of a wait status on Linux: low seven bits the signal, next byte the exit code.
  return {(wait_status >> 8) & 0xff, wait_status & 0x7f};
}

void Scripts::schedule(std::vector<std::string> argv) {
  HF_ASSERT(!argv.empty());
  entries_.push_back({std::move(argv)});
  if (entries_.size() <= kScriptsQueuedMax) return;
  const auto oldest = std::find_if(entries_.begin(), entries_.end(), [](const Entry& e) { return !e.running; });
  entries_.erase(oldest);
}

void Scripts::run(Core& core, Agenda& agenda) {
  for (Entry& entry : entries_) {
    if (entry.running) {
      if (!entry.killed && agenda.due(entry.started + core.periods.script_max_runtime)) {
        entry.killed = true;
        core.event_text(Event::kScriptTimeout, nullptr,
                        fmt::format("{} {}", entry.argv[0], static_cast<uint64_t>(entry.job)));
        core.act(action::KillChild{entry.job, 9});
      }
      continue;
    }
    if (running_ >= kScriptsRunningMax || !agenda.due(entry.not_before)) continue;
    entry.running = true;
    entry.killed = false;
    entry.started = core.now.mono;
    ++entry.tries;
    ++running_;
    entry.job = core.new_job();
    core.act(action::Spawn{entry.job, entry.argv});
    // The machine does not know process ids: the job's number stands for it here and in PENDING-SCRIPTS.
    core.event_text(Event::kScriptChild, nullptr, fmt::format("{}", static_cast<uint64_t>(entry.job)));
  }
}

bool Scripts::ended(Core& core, JobId job, int wait_status) {
  const auto at =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.running && e.job == job; });
  if (at == entries_.end()) return false;
  const ScriptExit exit = script_exit(wait_status);
  core.event_text(Event::kScriptChildEnd, nullptr,
                  fmt::format("{} {} {}", static_cast<uint64_t>(job), exit.code, exit.signal));
  HF_ASSERT(running_ > 0);
  --running_;
  if (exit.retry() && at->tries < kScriptTriesMax) {
    at->running = false;
    at->not_before = core.now.mono + core.periods.script_retry_delay * (int64_t{1} << (at->tries - 1));
    return true;
  }
  if (!exit.clean()) {
    core.event_text(Event::kScriptError, nullptr, fmt::format("{} {} {}", at->argv[0], exit.signal, exit.code));
  }
  entries_.erase(at);
  return true;
}

void Scripts::check_invariants() const {
  HF_ASSERT(entries_.size() <= kScriptsQueuedMax);
  HF_ASSERT(running_ <= kScriptsRunningMax);
  HF_ASSERT(static_cast<size_t>(
                std::count_if(entries_.begin(), entries_.end(), [](const Entry& e) { return e.running; })) == running_);
}

}  // namespace holdfast::sentinel
