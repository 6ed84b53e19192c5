#include "sentinel/crash.h"

#include <algorithm>

#include "sentinel/fast.h"

namespace holdfast::sentinel {
namespace {

bool replicates(const Core& core, const Instance& replica, const Primary& primary) {
  return replica.reported_primary_port == primary.address.port &&
         core.same_host(primary.address, replica.reported_primary_host);
}

/// Does this replica keep us from believing in the crash, for now?
bool contradicts(const Core& core, Instance& replica, const Primary& primary, Agenda& agenda) {
  const Mono lost = *primary.crash.lost_at;
  if (!core.keeps(Rule::kReplicaVeto)) return false;
  if (replica.s_down || !core.topology.link_of(replica).commands.established) return false;
  if (!replica.info_at || replica.info_asked < lost) return !agenda.due(lost + kWitnessWait);
  if (!replica.primary_link_up || !replicates(core, replica, primary)) return false;
  const bool moving = replica.moved_at && !agenda.due(*replica.moved_at + kDoubtMax);
  if (!moving && agenda.due(lost + kDoubtMax)) return false;
  if (agenda.due(*replica.info_at + kWitnessPeriod)) replica.info_wanted = true;
  return true;
}

}  // namespace

void note_lost(Core& core, Primary& primary, bool worked, CloseReason reason) {
  CrashEvidence& crash = primary.crash;
  if (worked && (reason == CloseReason::kEof || reason == CloseReason::kReset)) {
    crash = {};
    crash.lost_at = core.now.mono;
    crash.evident = !core.keeps(Rule::kRefusedTwice);
    if (!is_fast(core, primary)) return;
    for (const auto& [key, replica] : primary.replicas) {
      replica->info_wanted = true;
      replica->moved_at.reset();
    }
  } else if (!worked && crash.lost_at && reason == CloseReason::kRefused) {
    if (!crash.first_refused) crash.first_refused = core.now.mono;
    ++crash.refused;
  }
}

void note_connected(Primary& primary) { primary.crash = {}; }

void look_for_crash(Core& core, Primary& primary, Agenda& agenda) {
  CrashEvidence& crash = primary.crash;
  if (!crash.lost_at || !is_fast(core, primary)) return;
  Link& link = core.topology.link_of(primary);
  if (!link.commands.conn && link.last_attempt && !agenda.due(*crash.lost_at + kFastFor + primary.crash_confirm)) {
    const Duration pause = crash.refused < kRefusedNeeded ? kProbeInterval : kReprobeInterval;
    if (agenda.due(*link.last_attempt + pause)) link.last_attempt.reset();
  }
  if (crash.evident || crash.refused < kRefusedNeeded) return;
  if (!agenda.due(*crash.first_refused + std::max(kProbeInterval, primary.crash_confirm))) return;
  for (const auto& [key, replica] : primary.replicas) {
    if (contradicts(core, *replica, primary, agenda)) return;
  }
  crash.evident = true;
}

}  // namespace holdfast::sentinel
