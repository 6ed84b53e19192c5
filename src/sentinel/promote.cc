#include "sentinel/promote.h"

#include "base/text.h"

namespace holdfast::sentinel {

Unfit judge(const Candidate& candidate, const Fitness& limits) {
  if (candidate.down) return Unfit::kDown;
  if (candidate.disconnected) return Unfit::kDisconnected;
  if (candidate.since_available > limits.since_available_max) return Unfit::kSilent;
  if (candidate.priority == 0) return Unfit::kPriorityZero;
  if (!candidate.info_age || *candidate.info_age > limits.info_age_max) return Unfit::kStaleInfo;
  if (candidate.link_down > limits.link_down_max) return Unfit::kLinkDownTooLong;
  if (candidate.never_synced) return Unfit::kNeverSynced;
  if (candidate.half_synced) return Unfit::kHalfSynced;
  if (candidate.refused) return Unfit::kRefused;
  return Unfit::kFit;
}

bool better(const Candidate& a, const Candidate& b) {
  const bool a_foreign = a.kinship == Kinship::kForeign;
  const bool b_foreign = b.kinship == Kinship::kForeign;
  if (a_foreign != b_foreign) return b_foreign;
  if (a.priority != b.priority) return a.priority < b.priority;
  if (a.kinship != b.kinship) return a.kinship < b.kinship;
  if (a.offset != b.offset) return a.offset > b.offset;
  if (a.runid.empty() || b.runid.empty()) return !a.runid.empty() && b.runid.empty();
  return to_lower(a.runid) < to_lower(b.runid);
}

std::optional<size_t> choose(std::span<const Candidate> candidates, const Fitness& limits) {
  std::optional<size_t> best;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (judge(candidates[i], limits) != Unfit::kFit) continue;
    if (!best || better(candidates[i], candidates[*best])) best = i;
  }
  return best;
}

}  // namespace holdfast::sentinel
