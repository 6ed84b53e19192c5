// Storm: random histories of made-up data servers under real Sentinels, fast enough to walk thousands.
//
// Where explore.h drives our whole data server, a storm uses models of it (redis_model.h), and models of original
// Sentinels beside ours. Each kind of storm brings about the faults one group of rules is there for. After the faults
// everything is repaired and must come to rest. A history follows from its seed and kind alone.
// Cost: 8,000 to 25,000 steps a history at about a million steps a second and core, so 50 to 100 histories a second:
// the real machine runs, with its ping to the primary every 50 ms.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::sim {

enum class StormKind : uint8_t {
  kWild,       // crashes, power cuts, stalls, cuts, slow and lossy links, drifting and jumping clocks, lying disks
  kMixed,      // the same, with originals in the quorum
  kCalm,       // everything stays below the thresholds: nothing may happen
  kElections,  // the primary dies; Sentinels crash, freeze and are slow while they vote
  kMinority,   // a Sentinel hears nobody, or nobody but others that are too few
  kWipe,       // a primary without persistence restarts at once
  kDiverged,   // a cut-off primary goes on writing, returns, and its successor dies
  kNewcomer,   // everybody but a new replica that is still being filled dies
  kStale,      // a Sentinel that missed a failover sees two primaries
  kCount,
};
std::string_view storm_name(StormKind kind);

struct StormOptions {
  StormKind kind = StormKind::kWild;
  uint32_t left_out = 0;   // bits of sentinel::Rule
  bool jump_wall = false;  // of all hosts, often; changes nothing else (I14)
};

struct StormResult {
  bool ok = false;
  std::string report;  // what broke, the faults and the log
  std::string events;  // the log alone, for comparing two runs
  int elections = 0;
  int faults = 0;
  uint64_t steps = 0;
};

StormResult storm(uint64_t seed, const StormOptions& options);

}  // namespace holdfast::sim
