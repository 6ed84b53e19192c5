// Which program a call of the binary means.
//
// Source of the name rules: redis-server 7.2 (a name containing `redis-sentinel`, or `--sentinel` anywhere).
#pragma once

#include <string>
#include <vector>

namespace holdfast::app {

using Run = int (*)(const std::string& name, const std::vector<std::string>& arguments);

struct Choice {
  Run run = nullptr;
  std::string name;                    // as the program calls itself in messages
  std::vector<std::string> arguments;  // without the subcommand
  std::string error;                   // set: print on standard error, exit with 2
};
Choice choose_program(const std::string& argv0, const std::vector<std::string>& arguments);

}  // namespace holdfast::app
