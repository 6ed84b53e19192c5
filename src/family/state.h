// State: the data server's components that handlers work on directly; what needs the engine itself goes through
// Services.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "acl/log.h"
#include "acl/users.h"
#include "base/prng.h"
#include "base/stopwatch.h"
#include "base/time.h"
#include "family/latency_events.h"
#include "family/latency_histogram.h"
#include "family/session.h"
#include "family/settings.h"
#include "family/slow_log.h"
#include "family/tracking.h"
#include "pubsub/hub.h"
#include "script/functions.h"
#include "store/dataset.h"

namespace holdfast::family {

struct CommandStats {
  uint64_t calls = 0;
  uint64_t nanoseconds = 0;
  std::unique_ptr<LatencyHistogram> latencies;  // since the first call with latency-tracking
  uint64_t rejected = 0;
  uint64_t failed = 0;
};

struct Stats {
  uint64_t connections = 0;
  uint64_t commands = 0;
  uint64_t rejected_connections = 0;
  uint64_t net_input_bytes = 0;
  uint64_t net_output_bytes = 0;
  uint64_t expired_keys = 0;
  uint64_t evicted_keys = 0;
  uint64_t evicted_clients = 0;
  uint64_t keyspace_hits = 0;
  uint64_t keyspace_misses = 0;
  uint64_t sync_full = 0;
  uint64_t sync_partial_ok = 0;
  uint64_t sync_partial_err = 0;
  uint64_t error_replies = 0;
  uint64_t query_buffer_limit_disconnections = 0;
  uint64_t output_buffer_limit_disconnections = 0;
  std::map<std::string, uint64_t, std::less<>> errors;  // by code
  std::vector<CommandStats> commands_by_spec;           // by SpecIndex
};

/// Where saving stands: INFO persistence, LASTSAVE, the write gate.
struct SaveState {
  uint64_t changes_since_save = 0;
  int64_t last_save_unix_s = 0;
  bool last_bgsave_ok = true;
  bool in_progress = false;
  Mono started{};
  int64_t last_duration_s = -1;
  uint64_t saves = 0;
  int aof_error = 0;  // errno: the append-only file cannot be written, writes are refused
};

/// The file being loaded at start, and what came of the last one.
struct LoadState {
  int64_t started_unix_s = 0;
  Mono started{};
  Mono next_log{};
  uint64_t total_bytes = 0;  // 0: not known
  uint64_t loaded_bytes = 0;
  uint64_t used_memory = 0;  // of the server that wrote it
  uint64_t keys_loaded = 0;
  uint64_t keys_expired = 0;
};

/// What a handler may see of replication; the links themselves are the engine's.
struct ReplicationView {
  bool is_replica = false;
  bool link_up = false;
};

/// The script or function that runs.
struct RunningScript {
  std::string name;
  std::vector<std::string> command;  // of the client
  Mono started{};
  bool is_function = false;
  bool wrote = false;
  bool killed = false;
  bool from_primary = false;
};

inline constexpr std::string_view kBusyWithScript =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
inline constexpr std::string_view kBusyWithFunction =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";

struct State {
  explicit State(uint64_t seed) : prng(seed) {}

  Settings settings;
  std::unique_ptr<store::Dataset> data;
  pubsub::Hub hub;
  pubsub::Hub shard_hub;  // sharded channels; no patterns
  acl::Users users;
  acl::Log acl_log;
  script::EvalScripts scripts;
  script::Libraries libraries;
  std::optional<RunningScript> running_script;
  bool scripts_run_denied_commands = false;  // DEBUG SET-DISABLE-DENY-SCRIPTS
  /// Nobody can guess it: what ACL GENPASS makes passwords of, with a counter.
  std::string secret;
  uint64_t secrets_given = 0;
  Stats stats;
  Stopwatch stopwatch;     // for what is shown only
  int64_t stalled_ns = 0;  // by DEBUG SLEEP, which the host carries out after the turn
  SlowLog slow_log;
  LatencyEvents latency_events;
  Tracking tracking;
  std::vector<ClientId> monitors;
  SaveState saving;
  LoadState load;
  ReplicationView replication;
  Prng prng;
  bool loading = false;
  /// Keys with an expiry that clients wrote on this replica: no primary will delete them. Database, key.
  std::set<std::pair<int, std::string>> expiring_here;
  bool active_expire = true;  // DEBUG SET-ACTIVE-EXPIRE
  std::string run_id;
  Mono started{};
  int64_t started_unix_s = 0;
  /// Clients watching a key: (database, key) to client ids. Empty most of the time, which is all a write checks.
  std::map<std::pair<int, std::string>, std::vector<ClientId>> watchers;
  /// Keys that blocked clients wait for; zero most of the time, which is all a write checks.
  size_t awaited_keys = 0;
};

/// Subscriptions of all three kinds.
inline size_t subscriptions_of(const State& state, ClientId id) {
  return state.hub.count_of(id) + state.shard_hub.count_of(id);
}

}  // namespace holdfast::family
