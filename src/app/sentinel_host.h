// The Sentinel as a process: `redis-sentinel CONF [--option value ...]`.
#pragma once

#include <string>
#include <vector>

namespace holdfast::app {

/// Runs until it is told to stop. Returns the exit code.
int run_sentinel(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace holdfast::app
