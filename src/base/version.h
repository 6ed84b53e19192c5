// Versions: what we are, and which original's behaviour we claim where the wire asks for a version.
#pragma once

#include <string_view>

namespace holdfast {

inline constexpr std::string_view kHoldfastVersion = HOLDFAST_VERSION;
/// INFO's redis_version, HELLO's version, the RDB's redis-ver.
inline constexpr std::string_view kRedisVersion = "7.2.6";
/// The same as scripts compare it: 0x00MMmmpp.
inline constexpr int kRedisVersionNumber = 0x00070206;

}  // namespace holdfast
