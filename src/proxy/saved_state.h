// SavedState: what `show servers state` of the process before said of a server. Values, and how to read and use them.
//
// Source: HAProxy management manual "show servers state", configuration manual `load-server-state-from-file`; warnings
// and precedence compared with 2.6.12: what the configuration says anew wins over what was set at run time.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::proxy {

struct SavedState {
  enum class Operation : uint8_t { kStopped = 0, kStarting = 1, kRunning = 2, kStopping = 3 };
  std::string address;  // empty = none
  Operation operation = Operation::kRunning;
  uint8_t admin = 0;
  int weight = 1;          // as set
  int initial_weight = 1;  // as configured then
  int64_t age_seconds = 0;
  int check_status = 0;
  int health = 0;
  int check_bits = 0;
  int agent_bits = 0;
  std::string host_name;  // empty = none
  uint16_t port = 0;
  bool port_known = false;
  uint16_t check_port = 0;    // 0 = none
  std::string check_address;  // empty = none
};

/// One line of a state file: its words.
struct StateLine {
  std::string backend_id, backend, server;
  std::vector<std::string> fields;  // from srv_addr on
};
using StateFileLines = std::map<std::pair<std::string, std::string>, StateLine>;  // by backend and server

/// The lines of a state file; the error is the number of the corrupted line, 0 = no version.
std::expected<StateFileLines, int> read_state_file(std::string_view text);
/// The error is a list of complaints, each preceded by `, `.
std::expected<SavedState, std::string> parse_saved_state(const std::vector<std::string>& fields);

}  // namespace holdfast::proxy
