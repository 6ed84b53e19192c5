// Which directives of redis.conf a sentinel.conf may contain, although most of them mean nothing to a Sentinel.
//
// Source: the directives redis-server 7.2 accepts.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::sentinel {

enum class Shape : uint8_t { kUnknown, kOneArgument, kAnyArguments };

/// `name` in lower case.
Shape directive_shape(std::string_view name);

}  // namespace holdfast::sentinel
