// Agent checks: a small program beside a server says how it is: up or down, its weight, its admin state, its maxconn.
//
// Source: HAProxy configuration manual 5.2 `agent-check`; texts compared with 2.6.12. One line per connection; of words
// of a kind the last one counts; an agent that cannot be reached says nothing about its server.
// Invariant: a server has at most one connection to its agent, and exactly while it is being asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/machine.h"
#include "proxy/runtime.h"
#include "proxy/server_state.h"

namespace holdfast::proxy {

/// What an agent's line means. Pure.
struct AgentReply {
  enum class Admin : uint8_t { kReady, kDrain, kMaint };
  std::optional<bool> up;
  std::string_view health_word;  // `up`, `down`, `stopped`, `fail` as said
  std::optional<Admin> admin;
  std::optional<int> weight_percent;
  std::optional<int> weight;
  std::optional<int64_t> maxconn;
  std::string_view unknown;      // the first word that means nothing
  std::string_view description;  // behind a `#`
};
AgentReply parse_agent_reply(std::string_view line);

class AgentRunner {
 public:
  static constexpr size_t kLineMax = 4096;

  AgentRunner(Runtime& runtime, ServerStates& states) : runtime_(runtime), states_(states) {}

  void start();
  void stop();
  void connected(ConnSlot slot);
  void receive(ConnSlot slot, std::string_view bytes);
  void eof(ConnSlot slot);
  void closed(ConnSlot slot);
  void timer(uint32_t backend, uint32_t server);
  OutQueue& output(ConnSlot slot) { return runtime_.server(slot.owner, slot.second).agent.out; }
  /// `enable|disable agent`; `up`/`down` by an operator.
  void set_enabled(ServerState& server, bool enabled);
  void set_health(ServerState& server, bool up, const Cause& cause);

 private:
  void begin(ServerState& server);
  void finish(ServerState& server, CheckStatus status, std::string info);
  void conclude(ServerState& server, std::string_view line);
  void arm(ServerState& server);

  Runtime& runtime_;
  ServerStates& states_;
};

}  // namespace holdfast::proxy
