// Vote: what a request for our vote does to us, as a function of values.
//
// Source: redis-sentinel's answer to `is-master-down-by-addr` with a run id. The rule, per primary and epoch: the first
// asker gets the vote, later ones are told who got it; a higher epoch is adopted before it is considered. Our opinion
// about the primary's health is not consulted. Ours beyond that: a vote is a promise for a while (fast.h), and nobody
// else gets one meanwhile.
#pragma once

#include <cstdint>

namespace holdfast::sentinel {

struct VoteState {
  uint64_t current_epoch = 0;  // of this Sentinel
  uint64_t leader_epoch = 0;   // of its last vote for this primary
  bool promised = false;       // its last vote still binds it, and was for somebody else
};

struct VoteDecision {
  bool adopt_epoch = false;  // current epoch := requested epoch
  bool grant = false;        // vote for the asker, leader epoch := current epoch
};

VoteDecision decide_vote(const VoteState& state, uint64_t requested_epoch);

}  // namespace holdfast::sentinel
