#include "sentinel/election.h"

#include <fmt/format.h>

#include "sentinel/quorum.h"
#include "sentinel/vote.h"

namespace holdfast::sentinel {

Duration Election::start_delay(const Primary& primary) {
  if (primary.sentinels.empty()) return Duration::zero();
  int64_t ahead = 0;
  for (const auto& [runid, sentinel] : primary.sentinels) {
    ahead += !sentinel->s_down && runid < core_.settings.myid ? 1 : 0;
  }
  const auto jitter = static_cast<int64_t>(core_.prng.below(static_cast<uint64_t>(kStartJitter.count())));
  return kStartStep * ahead + Duration(jitter);
}

void Election::request_vote(Primary& primary, uint64_t epoch, std::string_view candidate) {
  const VoteDecision decision = decide_vote({core_.settings.current_epoch, primary.leader_epoch}, epoch);
  if (decision.adopt_epoch) core_.adopt_epoch(epoch, primary);
  if (!decision.grant) return;
  HF_ASSERT(primary.leader_epoch < core_.settings.current_epoch);
  primary.leader = candidate;
  primary.leader_epoch = core_.settings.current_epoch;
  primary.vote_generation = core_.saver.request();
  core_.event_text(Event::kVoteForLeader, &primary, fmt::format("{} {}", primary.leader, primary.leader_epoch));
  // Somebody else is on it: stay out of the way for a while.
  if (primary.leader != core_.settings.myid) {
    primary.failover_started = core_.now.mono + from_ms(static_cast<int64_t>(core_.prng.below(kDesyncMs)));
  }
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
  const auto voters = static_cast<int64_t>(primary.sentinels.size()) + 1;
  return std::string(elected(votes, voters, primary.quorum));
}

}  // namespace holdfast::sentinel
