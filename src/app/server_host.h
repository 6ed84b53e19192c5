// The data server as a process: `redis-server [CONF] [--option value ...]`.
#pragma once

#include <string>
#include <vector>

namespace holdfast::app {

/// Runs until it is told to stop. Returns the exit code.
int run_server(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace holdfast::app
