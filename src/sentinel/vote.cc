#include "sentinel/vote.h"

namespace holdfast::sentinel {

VoteDecision decide_vote(const VoteState& state, uint64_t requested_epoch) {
  VoteDecision out;
  out.adopt_epoch = requested_epoch > state.current_epoch;
  const bool stale = requested_epoch < state.current_epoch;
  const bool free = state.leader_epoch < requested_epoch;
  out.grant = !stale && free && !state.promised;
  return out;
}

}  // namespace holdfast::sentinel
