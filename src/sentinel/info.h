// Info: what a Sentinel reads out of a node's INFO reply.
//
// Source: INFO of redis-server 2.8 to 7.2 (`slaveN` has an old form `ip,port,state` and a new one `ip=..,port=..`).
// A replica's own fields count only behind the `role:slave` line. Numbers read leniently: digits up to the first other
// character, as the original does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sentinel/instance.h"

namespace holdfast::sentinel {

struct InfoReport {
  struct ListedReplica {
    std::string host;
    uint16_t port = 0;
  };
  std::string runid;  // 40 characters, or empty
  Role role = Role::kUnknown;
  std::vector<ListedReplica> replicas;  // at most kListedReplicasMax
  int64_t link_down_seconds = 0;        // 0 if absent
  std::optional<std::string> primary_host;
  std::optional<int64_t> primary_port;
  std::optional<bool> primary_link_up;
  std::optional<int64_t> priority;
  std::optional<uint64_t> offset;
  std::optional<bool> announced;
  bool sync_in_progress = false;
  bool ever_linked = true;  // false: link_down_seconds is -1, or the node never finished a synchronization
  // Of any role.
  Lineage lineage;
  bool loading = false;
  uint64_t keys = 0;                       // of all databases
  std::optional<uint64_t> primary_offset;  // master_repl_offset
};

inline constexpr size_t kListedReplicasMax = 1024;

InfoReport parse_info(std::string_view text);

}  // namespace holdfast::sentinel
