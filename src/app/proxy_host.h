// The proxy as a process: `haproxy -f FILE ...`.
#pragma once

#include <string>
#include <vector>

namespace holdfast::app {

/// Runs until it is told to stop. Returns the exit code.
int run_proxy(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace holdfast::app
