#include "proxy/balance/balance.h"

#include <algorithm>

#include "base/assert.h"

namespace holdfast::proxy {
namespace {

const Candidate* round_robin(std::span<const Candidate> candidates, BalanceState& state) {
  int64_t total = 0;
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (candidate.full) continue;
    int64_t& credit = state.credit[candidate.server];
    credit += candidate.weight;
    total += candidate.weight;
    if (best == nullptr || credit > state.credit[best->server]) best = &candidate;
  }
  if (best != nullptr) state.credit[best->server] -= total;
  return best;
}

/// True when `a` carries less per weight than `b`; nothing is divided.
bool lighter(const Candidate& a, const Candidate& b) { return (a.load + 1) * b.weight < (b.load + 1) * a.weight; }
bool equal_load(const Candidate& a, const Candidate& b) { return (a.load + 1) * b.weight == (b.load + 1) * a.weight; }

const Candidate* least_connections(std::span<const Candidate> candidates, const BalanceState& state) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (candidate.full) continue;
    if (best == nullptr || lighter(candidate, *best) ||
        (equal_load(candidate, *best) && state.last_use[candidate.server] < state.last_use[best->server])) {
      best = &candidate;
    }
  }
  return best;
}

const Candidate* lowest_id(std::span<const Candidate> candidates) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (!candidate.full && (best == nullptr || candidate.id < best->id)) best = &candidate;
  }
  return best;
}

uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// COMPAT: a hash names its server even when that server is full: the connection waits in its queue.
const Candidate* by_hash(std::span<const Candidate> candidates, uint64_t hash, bool consistent) {
  if (candidates.empty()) return nullptr;
  if (consistent) {
    // Rendezvous hashing: a server that leaves moves only its own clients.
    const Candidate* best = nullptr;
    uint64_t best_score = 0;
    for (const Candidate& candidate : candidates) {
      for (int share = 0; share < candidate.weight; ++share) {
        const uint64_t score = mix(hash ^ mix((uint64_t{candidate.id} << 16) | static_cast<uint64_t>(share)));
        if (best != nullptr && score <= best_score) continue;
        best = &candidate;
        best_score = score;
      }
    }
    return best;
  }
  uint64_t total = 0;
  for (const Candidate& candidate : candidates) total += static_cast<uint64_t>(candidate.weight);
  uint64_t at = hash % total;
  for (const Candidate& candidate : candidates) {
    if (at < static_cast<uint64_t>(candidate.weight)) return &candidate;
    at -= static_cast<uint64_t>(candidate.weight);
  }
  HF_UNREACHABLE();
}

const Candidate* random_draws(std::span<const Candidate> candidates, int draws, Prng& random) {
  uint64_t total = 0;
  for (const Candidate& candidate : candidates) {
    if (!candidate.full) total += static_cast<uint64_t>(candidate.weight);
  }
  if (total == 0) return nullptr;
  const Candidate* best = nullptr;
  for (int draw = 0; draw < draws; ++draw) {
    uint64_t at = random.below(total);
    for (const Candidate& candidate : candidates) {
      if (candidate.full) continue;
      const auto weight = static_cast<uint64_t>(candidate.weight);
      if (at < weight) {
        if (best == nullptr || lighter(candidate, *best)) best = &candidate;
        break;
      }
      at -= weight;
    }
  }
  return best;
}

}  // namespace

uint32_t pick_server(const BalanceConfig& config, std::span<const Candidate> candidates, uint64_t source_hash,
                     BalanceState& state, Prng& random) {
  for (const Candidate& candidate : candidates) {
    HF_ASSERT(candidate.weight > 0);
    if (candidate.server < state.credit.size()) continue;
    state.credit.resize(candidate.server + 1);
    state.last_use.resize(candidate.server + 1);
  }
  const Candidate* chosen = nullptr;
  switch (config.algorithm) {
    case Algorithm::kRoundRobin:
    case Algorithm::kStaticRr:
      chosen = round_robin(candidates, state);
      break;
    case Algorithm::kLeastConn:
      chosen = least_connections(candidates, state);
      break;
    case Algorithm::kFirst:
      chosen = lowest_id(candidates);
      break;
    case Algorithm::kSource:
      chosen = by_hash(candidates, source_hash, config.consistent);
      break;
    case Algorithm::kRandom:
      chosen = random_draws(candidates, config.random_draws, random);
      break;
  }
  if (chosen == nullptr) return kNoCandidate;
  state.last_use[chosen->server] = ++state.uses;
  return chosen->server;
}

uint64_t source_key(std::string_view host) {
  const size_t dots = static_cast<size_t>(std::ranges::count(host, '.'));
  if (dots == 3 && host.find(':') == std::string_view::npos) {
    uint64_t word = 0;
    uint64_t part = 0;
    for (char c : host) {
      if (c == '.') {
        word = word << 8 | (part & 255);
        part = 0;
      } else if (c >= '0' && c <= '9') {
        part = part * 10 + static_cast<uint64_t>(c - '0');
      }
    }
    return word << 8 | (part & 255);
  }
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (char c : host) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace holdfast::proxy
