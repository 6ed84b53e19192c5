// SentinelModel: a Sentinel that follows the original's rules, to sit in one quorum with ours.
//
// Written against reference/sentinel.md 1 (behaviour of redis-sentinel 7.2), not against our machine: a timer of 52 to
// 100 ms, one step of the failover per turn, questions once a second, a pause of twice the failover timeout between
// attempts. It writes its state to the disk before it answers. It complains in its log ("protocol violation") about
// anything an original would not understand, the one question by which ours tell each other apart excepted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/world.h"

namespace holdfast::sim {

struct SentinelModelOptions {
  std::string ip;
  uint16_t port = 26379;
  std::string name = "m";
  Address primary;
  int64_t quorum = 1;
  Duration down_after = 1s;
  Duration failover_timeout = 6s;
};

struct SentinelModelView {
  std::string runid;
  Address primary;
  uint64_t current_epoch = 0, config_epoch = 0, leader_epoch = 0;
  std::string leader;
  bool failing_over = false;
};

std::unique_ptr<Boot> sentinel_model_boot(const SentinelModelOptions& options);
SentinelModelView view_of(const Machine& machine);

}  // namespace holdfast::sim
