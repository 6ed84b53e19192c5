// Promote: which replica becomes the primary, as a function of values.
//
// Source: redis-sentinel documentation ("Replica selection and priority"): unfit ones are excluded, the rest ordered by
// priority (lower first), replication offset (higher first), run id (smaller first, case-insensitive, missing last).
// Ours beyond that: a node without the primary's data is unfit (never synchronized, loading, in the middle of a
// synchronization); one of another history comes last whatever its priority; offsets are compared within a history.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/time.h"
#include "sentinel/lineage.h"

namespace holdfast::sentinel {

struct Candidate {
  bool down = false;
  bool disconnected = false;
  Duration since_available{};        // age of the last valid answer to a ping
  std::optional<Duration> info_age;  // unset: never seen its INFO
  int64_t priority = 100;            // 0 = never promote
  Duration link_down{};              // how long it has been without its primary, as it reports
  Kinship kinship = Kinship::kUnknown;
  bool never_synced = false;
  bool half_synced = false;  // loading, or receiving a copy
  bool refused = false;      // in this failover
  uint64_t offset = 0;
  std::string runid;  // empty: unknown
};

struct Fitness {
  Duration since_available_max{};
  Duration info_age_max{};
  Duration link_down_max{};
};

enum class Unfit : uint8_t {
  kFit,
  kDown,
  kDisconnected,
  kSilent,
  kPriorityZero,
  kStaleInfo,
  kLinkDownTooLong,
  kNeverSynced,
  kHalfSynced,
  kRefused,
};

Unfit judge(const Candidate& candidate, const Fitness& limits);
/// Strict order: `a` is to be preferred to `b`.
bool better(const Candidate& a, const Candidate& b);
/// The index of the best fit candidate; the first of equals.
std::optional<size_t> choose(std::span<const Candidate> candidates, const Fitness& limits);

}  // namespace holdfast::sentinel
