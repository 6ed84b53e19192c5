#include "sentinel/election.h"

#include <fmt/format.h>

#include "sentinel/fast.h"
#include "sentinel/quorum.h"
#include "sentinel/vote.h"

namespace holdfast::sentinel {

Duration Election::start_delay(const Primary& primary) {
  if (primary.sentinels.empty()) return Duration::zero();
  int64_t ahead = 0;
  if (promises_bind(core_, primary)) {
    for (const auto& [runid, sentinel] : primary.sentinels) {
      const Link& link = core_.topology.link_of(*sentinel);
      ahead += link.extended && link.ready() && !sentinel->s_down && runid < core_.settings.myid ? 1 : 0;
    }
    return kFastStartStep * ahead;
  }
  for (const auto& [runid, sentinel] : primary.sentinels) {
    ahead += !sentinel->s_down && runid < core_.settings.myid ? 1 : 0;
  }
  const auto jitter = static_cast<int64_t>(core_.prng.below(static_cast<uint64_t>(kStartJitter.count())));
  return kStartStep * ahead + Duration(jitter);
}

void Election::request_vote(Primary& primary, uint64_t epoch, std::string_view candidate) {
  const bool promised =
      primary.promised_until && core_.now.mono < *primary.promised_until && core_.keeps(Rule::kVotePromise);
  const VoteDecision decision =
      decide_vote({core_.settings.current_epoch, primary.leader_epoch, promised && primary.leader != candidate}, epoch);
  if (decision.adopt_epoch) core_.adopt_epoch(epoch, primary);
  const bool again = !core_.keeps(Rule::kOneVotePerEpoch) && epoch == core_.settings.current_epoch;
  if (!decision.grant && !again) return;
  HF_ASSERT(primary.leader_epoch < core_.settings.current_epoch || again);
  primary.leader = candidate;
  primary.leader_epoch = core_.settings.current_epoch;
  primary.vote_generation = core_.saver.request();
  if (primary.fast_failover != FastFailover::kNo) primary.promised_until = core_.now.mono + kVoteLease;
  core_.event_text(Event::kVoteForLeader, &primary, fmt::format("{} {}", primary.leader, primary.leader_epoch));
  // Somebody else is on it: stay out of the way for a while. Where promises bind, they say for how long.
  if (primary.leader != core_.settings.myid) {
    primary.superseded = primary.failover_in_progress;
    primary.failover_started = core_.now.mono + from_ms(static_cast<int64_t>(core_.prng.below(kDesyncMs)));
  }
}

bool Election::others_answer(Primary& primary, Agenda& agenda) {
  if (primary.sentinels.empty() || !core_.keeps(Rule::kPrevote)) return true;
  if (!primary.prevote_since) primary.prevote_since = agenda.now();
  int64_t answered = 1;
  for (const auto& [runid, sentinel] : primary.sentinels) {
    answered += sentinel->last_asked != Mono{} && core_.since(sentinel->last_answer) <= kPrevoteFresh ? 1 : 0;
  }
  return answered >= majority_of(static_cast<int64_t>(primary.sentinels.size()) + 1);
}

bool Election::round_is_lost(const Primary& primary) const {
  if (primary.leader_epoch == primary.failover_epoch && !vote_is_durable(primary)) return false;
  for (const auto& [runid, sentinel] : primary.sentinels) {
    const bool voted = !sentinel->voted_leader.empty() && sentinel->voted_leader_epoch >= primary.failover_epoch;
    if (!voted && core_.topology.link_of(*sentinel).ready() && !sentinel->s_down) return false;
  }
  return true;
}

std::string Election::leader_of_failover(Primary& primary) {
  std::vector<std::string> votes;
  for (const auto& [runid, sentinel] : primary.sentinels) {
    if (!sentinel->voted_leader.empty() && sentinel->voted_leader_epoch == primary.failover_epoch) {
      votes.push_back(sentinel->voted_leader);
    }
  }
  const std::string_view favoured = favourite(votes);
  request_vote(primary, primary.failover_epoch, favoured.empty() ? std::string_view(core_.settings.myid) : favoured);
  if (primary.leader_epoch == primary.failover_epoch && vote_is_durable(primary) && !primary.leader.empty()) {
    votes.push_back(primary.leader);
  }
  const auto voters = core_.keeps(Rule::kMajority) ? static_cast<int64_t>(primary.sentinels.size()) + 1 : 1;
  return std::string(elected(votes, voters, primary.quorum));
}

}  // namespace holdfast::sentinel
