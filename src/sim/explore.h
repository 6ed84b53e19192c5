// Explore: random histories of a small cluster, checked after every step. A failure is named by its seed.
//
// The picture: three hosts, each with a data server and a Sentinel (quorum 2), sometimes five Sentinels. For a while
// random faults happen - crashes, power cuts, stalls, cuts of one or both directions, restarts - then everything is
// repaired and has to come to rest.
// Checked at every step: a durable vote is never changed, also over crashes; one address per configuration epoch;
// epochs never go back while a process lives; the machines' own invariants. Checked at the end: all Sentinels agree on
// one address and epoch, its server is a primary, the others follow it.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::sim {

struct Exploration {
  bool ok = false;
  std::string report;  // what broke, the faults and the log
  int failovers = 0;
  int faults = 0;
  uint64_t steps = 0;
};

Exploration explore(uint64_t seed);

}  // namespace holdfast::sim
