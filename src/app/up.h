// `holdfast up`, `down` and `status`: starts, follows and stops the picture of up_plan.h on one machine.
//
// Nothing is left running after a failed start. A process is signalled only if it is ours: its pid file lies in the
// directory, its executable is this one or its working directory or command line lies in the directory.
#pragma once

#include <string>
#include <vector>

namespace holdfast::app {

/// `arguments` after the subcommand's name. Exit codes: 0 done, 1 failed (the reason is on standard error), 2 usage.
int run_up(const std::vector<std::string>& arguments);
int run_down(const std::vector<std::string>& arguments);
int run_status(const std::vector<std::string>& arguments);

}  // namespace holdfast::app
