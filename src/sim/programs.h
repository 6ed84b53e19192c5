// Programs: how our machines are booted from a simulated disk.
//
// A Sentinel reads and rewrites kSentinelConf; a data server reads kServerConf and keeps its snapshot beside it.
#pragma once

#include <memory>
#include <string>

#include "sim/world.h"

namespace holdfast::sim {

inline constexpr const char* kSentinelConf = "/sentinel.conf";
inline constexpr const char* kServerConf = "/redis.conf";
inline constexpr const char* kProxyConf = "/haproxy.cfg";

/// `config` is written to the disk at the first start.
/// `left_out`: bits of sentinel::Rule.
std::unique_ptr<Boot> sentinel_boot(std::string config, uint32_t left_out = 0);
std::unique_ptr<Boot> server_boot(std::string config);
std::unique_ptr<Boot> proxy_boot(std::string config);

}  // namespace holdfast::sim
