// Quorum: counting opinions and votes, as functions of values.
//
// Source: redis-sentinel documentation ("Fundamental things", "Sentinel quorum", "leader election"). Two different
// thresholds: `quorum` opinions make a primary objectively down; a leader needs a majority of *all known* Sentinels
// (dead ones included) and at least `quorum` votes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::sentinel {

/// `others_down` other Sentinels say the primary is down, and so do we: is that enough?
bool objectively_down(bool we_say_down, int64_t others_down, int64_t quorum);

int64_t majority_of(int64_t voters);

/// The most voted id; the smallest of equals, empty without votes.
std::string_view favourite(std::span<const std::string> votes);

/// The id that wins with these votes (our own included), or empty. `voters` counts us and every known Sentinel.
std::string_view elected(std::span<const std::string> votes, int64_t voters, int64_t quorum);

struct Reachability {
  int64_t usable = 0;  // Sentinels that are not down, with us
  bool quorum = false;
  bool majority = false;
};
Reachability reachable(int64_t others, int64_t others_down, int64_t quorum);

}  // namespace holdfast::sentinel
