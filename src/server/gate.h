// The gate: the ordered table of checks a command passes before its handler runs.
//
// Source: the order and texts of redis-server 7.2. Each check looks at values only, but for the one that
// makes room first where memory is bounded; the first one that refuses wins.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "command/catalogue.h"
#include "family/session.h"
#include "family/state.h"

namespace holdfast::server {

class Evictor;

struct GateInput {
  const family::State& state;
  const family::Session& session;
  const command::Spec& spec;
  command::SpecIndex index;
  std::span<const std::string_view> words;
  bool subscribed = false;
  size_t good_replicas = 0;
  Evictor* evictor = nullptr;
  Now now{};
  bool busy = false;  // a script runs for too long
};

// What scripts ask too, before their commands.
inline constexpr std::string_view kOutOfMemory = "OOM command not allowed when used memory > 'maxmemory'.";
inline constexpr std::string_view kNoReplicas = "NOREPLICAS Not enough good replicas to write.";
inline constexpr std::string_view kReadOnlyReplica = "READONLY You can't write against a read only replica.";
inline constexpr std::string_view kFailedSave =
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    "may "
    "modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    "snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    "error.";
/// What writes are answered while nothing can be kept on disk.
std::optional<std::string> failed_save_error(const family::State& state);
bool lacks_replicas(const family::State& state, size_t good_replicas);
bool refuses_writes_as_replica(const family::State& state);
/// A replica without its primary that may not serve what it has.
bool is_stale(const family::State& state);

struct Refusal {
  std::string error;
  acl::Verdict verdict;  // of a refused permission
};
/// What to answer, or nullopt to go on.
std::optional<Refusal> refuse(const GateInput& input);

}  // namespace holdfast::server
