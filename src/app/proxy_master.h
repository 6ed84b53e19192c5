// The master of `haproxy -W`: one parent that keeps a worker serving and replaces it without a refused connection.
//
// SIGUSR2 and SIGHUP start a new worker that takes the listening sockets over (net/handover.h); once it serves, the old
// one finishes its sessions. A worker that cannot start changes nothing. SIGTERM and SIGINT stop everything, SIGUSR1
// stops after the last session. The worker is this program again, told by its environment that it is one. `-S` opens
// the master's own command line (app/master_sockets.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proxy/config_server.h"

namespace holdfast::app {

/// Set for workers: the path of the socket to open for the next worker, the descriptor that is told of readiness, and
/// the one that gets a copy of what is said until then.
inline constexpr const char* kWorkerSocket = "HOLDFAST_PROXY_WORKER_SOCKET";
inline constexpr const char* kWorkerReady = "HOLDFAST_PROXY_WORKER_READY";
inline constexpr const char* kWorkerMessages = "HOLDFAST_PROXY_WORKER_MESSAGES";

struct MasterOptions {
  std::string program;                 // argv[0]
  std::vector<std::string> arguments;  // without the program
  std::string pidfile;
  std::optional<proxy::BindConfig> socket;  // -S
  bool daemon = false;
  bool notify_systemd = false;
  bool exit_on_failure = true;
};
/// Runs until told to stop. Returns the exit code.
int run_master(const MasterOptions& options);

}  // namespace holdfast::app
