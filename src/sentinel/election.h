// Election: our vote, given and kept, and whether the votes we know make a leader.
//
// Invariants: at most one vote per primary and epoch; a vote reaches others, or counts, only after it is on disk
// (Primary::vote_generation). The rules themselves are in vote.h and quorum.h.
#pragma once

#include <string>
#include <string_view>

#include "sentinel/agenda.h"
#include "sentinel/core.h"

namespace holdfast::sentinel {

// Sentinels that notice a crash in the same millisecond would all vote for themselves and lose the round. They take
// turns: by the order of their ids among those that are up, with a random part for those who do not know each other
// yet.
inline constexpr Duration kStartStep = 40ms;
inline constexpr Duration kStartJitter = 20ms;

class Election {
 public:
  explicit Election(Core& core) : core_(core) {}

  /// How long to wait, once a primary is objectively down, before trying to replace it.
  Duration start_delay(const Primary& primary);
  /// Somebody (maybe we) asks for our vote in `epoch`. Afterwards primary.leader and leader_epoch are our last vote.
  void request_vote(Primary& primary, uint64_t epoch, std::string_view candidate);
  /// Our last vote is on disk.
  bool vote_is_durable(const Primary& primary) const { return core_.saver.durable(primary.vote_generation); }
  /// Who leads the failover that runs here; votes for ourselves or the favourite if we have not voted yet.
  /// Empty: nobody (yet).
  std::string leader_of_failover(Primary& primary);
  /// Would the others take part? Asks them, and says so once a majority of all answered lately.
  bool others_answer(Primary& primary, Agenda& agenda);
  /// Every Sentinel that can be reached has voted in this failover, and nobody won.
  bool round_is_lost(const Primary& primary) const;

 private:
  Core& core_;
};

}  // namespace holdfast::sentinel
