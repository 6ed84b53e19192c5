// The table of `show stat`: one row per frontend, server and backend, columns in HAProxy's order.
// Source: HAProxy management manual 9.1 "CSV format". Columns 0-118, then `-`, then our own (none yet).
#pragma once

#include <cstdint>
#include <string>

#include "proxy/runtime.h"

namespace holdfast::proxy {

inline constexpr int kStatFrontends = 1;
inline constexpr int kStatBackends = 2;
inline constexpr int kStatServers = 4;

struct StatSelection {
  int64_t proxy = -1;  // iid, -1 = all
  int types = kStatFrontends | kStatBackends | kStatServers;
  int64_t server = -1;  // sid, -1 = all
  bool up_only = false;
  bool no_maintenance = false;
};

std::string stat_csv(Runtime& runtime, const StatSelection& selection);
/// The same cells, one per line with their tags; and as JSON.
std::string stat_typed(Runtime& runtime, const StatSelection& selection);
std::string stat_json(Runtime& runtime, const StatSelection& selection);

/// `UP`, `DOWN 1/2`, `MAINT`, `no check`, ...
std::string server_status(const ServerState& server);

}  // namespace holdfast::proxy
