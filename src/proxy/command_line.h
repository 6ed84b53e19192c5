// haproxy's command line as a pure function: argv in, a struct or a text with an exit code out.
// Source: HAProxy management manual, section 3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::proxy {

struct CommandLine {
  std::vector<std::string> config_paths;  // -f and what follows `--`; a directory means its *.cfg, sorted bytewise
  bool check_only = false;                // -c
  bool daemon = false;                    // -D
  bool foreground = false;                // -db (also -d)
  bool debug = false;                     // -d
  bool quiet = false;                     // -q
  bool verbose = false;                   // -V
  bool master_worker = false;             // -W, -Ws
  bool notify_systemd = false;            // -Ws: READY=1 on $NOTIFY_SOCKET
  std::string directory;                  // -C: chdir before reading files
  std::string pidfile;                    // -p
  std::string localpeer;                  // -L
  int64_t maxconn = 0;                    // -n
  int64_t proxy_maxconn = 0;              // -N
  int64_t memory_mb = 0;                  // -m
  bool ignore_resolve_failures = false;   // -dr
  bool zero_warning = false;              // -dW
  bool diagnostic_mode = false;           // -dD
  std::vector<int64_t> finish_pids;       // -sf: sent SIGUSR1 once we listen
  std::vector<int64_t> terminate_pids;    // -st: sent SIGTERM once we listen
  std::string inherit_socket;             // -x
  std::string master_socket;              // -S
  std::optional<std::string> condition;   // -cc: evaluate with check_condition() and exit with its result
};

/// Something to print instead of running.
struct CommandLineAnswer {
  std::string standard_output;
  std::string standard_error;
  int exit_code = 0;
};

struct CommandLineResult {
  CommandLine command_line;
  std::optional<CommandLineAnswer> answer;  // set: print it and exit
};

/// `argv` without the program's name.
CommandLineResult parse_command_line(const std::vector<std::string>& argv);

/// First lines of `-v`; `kernel` is uname's text or empty.
std::string version_text(const std::string& kernel);
/// `-vv`.
std::string build_options_text(const std::string& kernel);

}  // namespace holdfast::proxy
