// Fast: when this Sentinel may be quicker than the original, and the durations it is quick with.
//
// Ours, not the original's. `sentinel fast-failover NAME auto|yes|no`: `auto` (the default) is on if enough Sentinels
// of ours watch the primary to make its quorum, so that no original's opinion has to be waited for; `no` keeps the
// original's timing. What becomes faster: a *crash* counts as evidence (crash.h), questions are repeated soon, votes
// are promises (below), a lost round is repeated soon, promotion takes one round trip. What does not: a node that is
// silent has the operator's down-after.
//
// Votes as promises. A Sentinel of ours that voted grants no other vote, and starts no failover of its own, for
// kVoteLease; the elected sends its promotion within kVoteLease - kLeaseMargin of asking for the votes, or gives up.
// So two leaders do not act at once, and if the elected dies, the next attempt follows after kVoteLease instead of
// after twice the failover timeout. Originals make no promise: where ours are no majority the original's long pause
// stays.
#pragma once

#include "sentinel/core.h"

namespace holdfast::sentinel {

inline constexpr Duration kProbeInterval = 5ms;         // between the refused connections that prove a crash
inline constexpr Duration kReprobeInterval = 20ms;      // afterwards, to see it come back
inline constexpr Duration kFastAskPeriod = 20ms;        // is-master-down-by-addr, at first
inline constexpr Duration kFastFor = 1000ms;            // how long the short periods last after a loss
inline constexpr Duration kVoteLease = 1000ms;          // a vote binds the voter for so long
inline constexpr Duration kLeaseMargin = 100ms;         // and the elected acts earlier than that by so much
inline constexpr Duration kFastStartStep = 15ms;        // turns of the candidates
inline constexpr Duration kRetryMin = 50ms;             // after a lost round
inline constexpr Duration kRetryJitter = 100ms;         // random, on top
inline constexpr Duration kPrevoteFresh = 200ms;        // the others' answers must be so young to start a round
inline constexpr Duration kFreshInfoWait = 100ms;       // for INFO of all candidates before one is chosen
inline constexpr Duration kReconfInfoPeriod = 20ms;     // INFO of replicas on their way to the new primary
inline constexpr Duration kRisingInfoPeriod = 50ms;     // INFO of a primary that is loading
inline constexpr Duration kFormerPrimaryRetry = 200ms;  // attempts to reach it, to be there before its clients are
inline constexpr Duration kPromotionPatience = 1000ms;  // with a replica that does not answer, if there is another
inline constexpr Duration kFastPing = 50ms;             // pings to a primary, as long as there are few of them
inline constexpr int64_t kPingsPerSecondMax = 2000;     // of all those together

/// How many Sentinels watching this primary are ours, with us.
int64_t count_ours(const Core& core, const Primary& primary);
bool is_fast(const Core& core, const Primary& primary);
/// Ours are a majority of all voters: their promises exclude a second leader.
bool promises_bind(const Core& core, const Primary& primary);
/// Pause between two pings to a primary that answers.
Duration fast_ping_period(const Core& core, const Primary& primary);
/// A majority of all Sentinels said within the last hellos that they hold our configuration of this primary.
bool majority_confirms(const Core& core, const Primary& primary);

std::string_view fast_failover_word(FastFailover value);
std::optional<FastFailover> parse_fast_failover(std::string_view word);

}  // namespace holdfast::sentinel
