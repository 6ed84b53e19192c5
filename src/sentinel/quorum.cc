#include "sentinel/quorum.h"

#include <algorithm>

namespace holdfast::sentinel {

bool objectively_down(bool we_say_down, int64_t others_down, int64_t quorum) {
  return we_say_down && 1 + others_down >= quorum;
}

int64_t majority_of(int64_t voters) { return voters / 2 + 1; }

std::string_view favourite(std::span<const std::string> votes) {
  std::string_view best;
  int64_t most = 0;
  for (const std::string& vote : votes) {
    const int64_t count = std::count(votes.begin(), votes.end(), vote);
    if (count > most || (count == most && vote < best)) {
      best = vote;
      most = count;
    }
  }
  return best;
}

std::string_view elected(std::span<const std::string> votes, int64_t voters, int64_t quorum) {
  const std::string_view best = favourite(votes);
  const int64_t count = std::count(votes.begin(), votes.end(), best);
  return count >= majority_of(voters) && count >= quorum ? best : std::string_view();
}

Reachability reachable(int64_t others, int64_t others_down, int64_t quorum) {
  const int64_t usable = 1 + others - others_down;
  return {usable, usable >= quorum, usable >= majority_of(others + 1)};
}

}  // namespace holdfast::sentinel
