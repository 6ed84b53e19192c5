#include "sentinel/wipe.h"

#include <utility>

#include "sentinel/fast.h"
#include "sentinel/lineage.h"

namespace holdfast::sentinel {
namespace {

/// The replica answered after the primary came back, and can be spoken to.
bool is_witness(const Core& core, const Instance& replica, Mono since) {
  return !replica.s_down && core.topology.link_of(replica).ready() && replica.info_at && replica.info_asked >= since &&
         replica.role_reported == Role::kReplica && !replica.loading;
}

}  // namespace

void watch_history(Core& core, Primary& primary, const InfoReport& report) {
  if (primary.fast_failover == FastFailover::kNo || report.role != Role::kPrimary) return;
  const bool reborn = !primary.runid.empty() && !report.runid.empty() && primary.runid != report.runid;
  if (report.loading) {
    primary.reborn_unread |= reborn;
    return;
  }
  const bool back = std::exchange(primary.reborn_unread, false) || reborn;
  if (!back || primary.lineage.replid.empty() || report.lineage.replid.empty()) return;
  if (report.lineage.replid == primary.lineage.replid) return;
  // A second restart is still about the history that was lost first.
  if (!primary.rebirth) primary.rebirth = Rebirth{primary.lineage, {}};
  primary.rebirth->seen_at = core.now.mono;
  for (const auto& [key, replica] : primary.replicas) replica->info_wanted = true;
}

bool lost_history(const Core& core, const Primary& primary) {
  if (!primary.rebirth || !core.keeps(Rule::kWipeGuard)) return false;
  const Rebirth& rebirth = *primary.rebirth;
  const bool continues = primary.lineage.replid2 == rebirth.former.replid;
  if (!continues && (primary.keys != 0 || primary.loading)) return false;
  for (const auto& [key, replica] : primary.replicas) {
    if (!is_witness(core, *replica, rebirth.seen_at)) continue;
    if (kinship(rebirth.former, replica->lineage, replica->offset) != Kinship::kSame) continue;
    if (continues && replica->offset >= static_cast<uint64_t>(std::max<int64_t>(0, primary.lineage.second_offset))) {
      return true;
    }
    if (!continues && replica->keys > 0) return true;
  }
  return false;
}

}  // namespace holdfast::sentinel
