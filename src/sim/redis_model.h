// RedisModel: a data server as Sentinels see it: role, history, link, and the order of its writes; no keys.
//
// The dataset is the list of the writes it holds, so that a checker can tell a history from its prefix. A primary makes
// its writes itself, one every kWritePeriod: its clients are beside it. The offset is the number of writes.
// Source: INFO, SLAVEOF, PSYNC and the replication ids of redis-server 7 (reference/sentinel.md 5.16).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/world.h"

namespace holdfast::sim {

struct RedisModelOptions {
  std::string ip;
  uint16_t port = 6379;
  Address primary;         // empty host: it is one
  uint32_t number = 0;     // of the node: part of its writes' names
  bool persistent = true;  // its dataset survives the process
  int64_t priority = 100;
  std::vector<uint32_t> base;  // what a primary holds at its first start
  std::string replid;          // at the first start, the same for all: they are synchronized already
  Duration full_sync{};        // how long a full copy takes
};

/// What the checkers look at. All of it is true of the node, whatever it says.
struct RedisTruth {
  bool primary = false;
  bool loading = false;
  bool link_up = false;
  bool half_synced = false;
  Address follows;
  const std::vector<uint32_t>* writes = nullptr;
  uint64_t promotions = 0;  // SLAVEOF NO ONE that changed something, in this life
};

std::unique_ptr<Boot> redis_model_boot(const RedisModelOptions& options);
RedisTruth truth_of(const Machine& machine);

}  // namespace holdfast::sim
