// What a worker of `haproxy -W` owes its master (app/proxy_master.h): a socket for its successor and for the master's
// command line, the word that it serves, and a copy of what it says until then.
#pragma once

#include <string_view>

#include "proxy/config.h"

namespace holdfast::app {

/// This process is one.
bool is_worker();
/// Opens a socket that nobody but its user can reach (the directory's mode). Nothing without a master.
void add_worker_socket(proxy::Config& config);
/// A line of standard error, for the master's `reload` and `show startup-logs`. Nothing without a master.
void copy_to_master(std::string_view line);
/// It serves; lines are copied no more.
void tell_master();

}  // namespace holdfast::app
