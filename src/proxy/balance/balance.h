// Balancing: which of the usable servers takes the next connection. Pure over values; the caller keeps BalanceState.
//
// Source: HAProxy configuration manual `balance`. Servers that are down, drained (weight 0) or full are not candidates;
// backup servers are candidates only when no active one is (the caller's rule, see usable_servers in server_state.h).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "proxy/config.h"

namespace holdfast::proxy {

struct Candidate {
  uint32_t server = 0;  // index in the backend, ascending
  uint32_t id = 0;      // `first` takes the lowest
  int weight = 1;       // > 0
  int64_t load = 0;     // sessions served and waiting
  bool full = false;    // at its maxconn: skipped by every algorithm that has a choice
};

/// What the round robins remember, by server index.
struct BalanceState {
  std::vector<int64_t> credit;     // smooth weighted round robin
  std::vector<uint64_t> last_use;  // order of use, for ties in leastconn
  uint64_t uses = 0;
};

inline constexpr uint32_t kNoCandidate = UINT32_MAX;

/// Returns the server, or kNoCandidate when there is no candidate that is not full.
uint32_t pick_server(const BalanceConfig& config, std::span<const Candidate> candidates, uint64_t source_hash,
                     BalanceState& state, Prng& random);

/// The key of `balance source`: 32-bit words of the address folded together.
uint64_t source_key(std::string_view host);

}  // namespace holdfast::proxy
