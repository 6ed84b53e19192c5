// Listening addresses and servers as configuration values: what `bind`, `stats socket`, `server` and `default-server`
// lines mean. Source: HAProxy configuration manual 5. Durations of 0 mean "not set". Read through config.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/time.h"
#include "proxy/resolve/resolvers_config.h"
#include "proxy/rule/rule_config.h"
#include "proxy/saved_state.h"
#include "proxy/tls/tls_config.h"

namespace holdfast::proxy {

enum class CliLevel : uint8_t { kUser, kOperator, kAdmin };

/// One listening address of a `bind` or `stats socket` line.
struct BindConfig {
  Address address;
  std::optional<int> inherited_fd;
  std::string name;
  uint32_t id = 0;
  int64_t maxconn = 0;  // 0 = none of its own
  int backlog = 0;      // 0 = the proxy's
  uint32_t unix_mode = 0;
  bool v6only = false;
  bool accept_proxy = false;
  CliLevel level = CliLevel::kOperator;
  bool expose_listeners = false;
  bool masters_own = false;  // the master's way to a worker: open as long as the worker lives
  BindTls tls;
  std::string text;  // as written: `*:6378`
  Source source;
};

enum class SendProxy : uint8_t { kNone, kV1, kV2 };
enum class InitState : uint8_t { kDefault, kFullyUp, kUp, kDown, kFullyDown };
enum class OnError : uint8_t { kFastInter, kFailCheck, kSuddenDeath, kMarkDown };

struct CheckConfig {
  bool enabled = false;
  Duration inter = 2s;
  Duration fastinter{};  // 0 = inter
  Duration downinter{};  // 0 = inter
  int rise = 2;
  int fall = 3;
  uint16_t port = 0;    // 0 = the server's
  std::string address;  // numeric host, empty = the server's
  bool observe_layer4 = false;
  OnError on_error = OnError::kFailCheck;
  int error_limit = 10;
};

/// `agent-check` and what goes with it.
struct AgentConfig {
  bool enabled = false;
  uint16_t port = 0;
  std::string address;  // numeric host, empty = the server's
  Duration inter = 2s;
  std::string send;
};

struct ServerConfig {
  std::string name;
  uint32_t id = 0;
  bool forced_id = false;
  Address address;   // host numeric, or a name that is still to be resolved
  std::string fqdn;  // the name as configured, empty for a literal; `_x._tcp.…` asks for SRV records
  ServerResolve resolve;
  bool unresolved = false;   // has no address at the start: in maintenance until one is found
  bool port_mapped = false;  // port is an offset to the client's destination port (`+0`, or no port at all)
  int port_offset = 0;
  int weight = 1;  // 0-256
  bool backup = false;
  bool disabled = false;
  int64_t maxconn = 0;
  int64_t minconn = 0;
  int64_t maxqueue = 0;
  Duration slowstart{};
  CheckConfig check;
  AgentConfig agent;
  InitState init_state = InitState::kDefault;
  bool on_marked_down_shutdown = false;
  bool on_marked_up_shutdown_backup = false;
  SendProxy send_proxy = SendProxy::kNone;
  bool check_send_proxy = false;
  std::string track;  // `[backend/]server`
  ServerTls tls;
  std::optional<Address> bind_source;
  std::optional<SavedState> saved;  // as the process before left it
  Source source;

  bool is_service() const { return fqdn.starts_with('_'); }
};

}  // namespace holdfast::proxy
