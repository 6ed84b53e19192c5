// What the process before left its servers as, applied at the start: operation, orders, weight, addresses.
#include <algorithm>

#include "proxy/server_state.h"

namespace holdfast::proxy {

void ServerStates::restore() {
  for (BackendState& backend : runtime_.backends) {
    for (ServerState& server : backend.servers) {
      if (server.config->saved) restore_server(server, *server.config->saved);
    }
  }
}

void ServerStates::restore_server(ServerState& server, const SavedState& saved) {
  using Operation = SavedState::Operation;
  const Cause cause = ", changed from server-state after a reload";
  const int rise = server.health.rise;
  const int full = server.health.full();
  server.health.value = std::clamp(saved.health, 0, full);
  Operation operation = saved.operation;
  if (operation == Operation::kStopping && server.health.fall == 1) operation = Operation::kStopped;
  switch (operation) {
    case Operation::kStopped:
      server.health.value = 0;
      set_stopped(server, cause);
      break;
    case Operation::kStarting:
      // There is no such state here but by age (slowstart): the server runs.
      server.health.value = rise == 1 ? full : std::clamp(server.health.value, 1, rise - 1);
      break;
    case Operation::kStopping:
      if (server.health.value < rise || server.health.value >= full) server.health.value = rise;
      set_stopping(server, cause);
      break;
    case Operation::kRunning:
      server.health.value = full;
      break;
  }
  if (server.fenced) server.health.value = 0;
  restore_admin(server, saved);
  server.last_change = runtime_.now.mono - std::chrono::seconds(std::clamp<int64_t>(saved.age_seconds, 0, INT32_MAX));
  server.check.status = static_cast<CheckStatus>(saved.check_status);
  constexpr int kConfigured = 2;
  constexpr int kEnabled = 4;
  auto switched_off = [](int bits) { return (bits & kConfigured) != 0 && (bits & kEnabled) == 0; };
  if (server.check.configured && switched_off(saved.check_bits)) server.check.enabled = false;
  if (server.agent.configured && switched_off(saved.agent_bits)) server.agent.enabled = false;
  // What the file says anew has precedence over what an operator had set.
  if (saved.initial_weight == server.config->weight) server.weight = saved.weight;
  if (saved.port_known && !server.address.is_unix()) server.address.port = saved.port;
  if (saved.check_port != 0) server.check_port = saved.check_port;
  if (!saved.check_address.empty()) server.check_address = saved.check_address;
}

void ServerStates::restore_admin(ServerState& server, const SavedState& saved) {
  const bool was_configured = (saved.admin & kAdminConfigMaint) != 0;
  const bool configured = (server.admin & kAdminConfigMaint) != 0;
  const bool forced = (saved.admin & kAdminForcedMaint) != 0;
  if (was_configured == configured) {
    if (forced && !configured) {
      server.admin |= kAdminForcedMaint;
      server.health.value = 0;
      server.running = false;
    } else if (!forced && configured) {
      server.admin &= static_cast<uint8_t>(~(kAdminForcedMaint | kAdminConfigMaint));
      start_over(server);
    }
  }
  const bool drained = (saved.admin & kAdminForcedDrain) != 0;
  // A weight of zero in the old file drained it, too; a new weight ends that.
  const bool by_order = saved.initial_weight > 0 || server.config->weight == 0;
  if (drained && by_order && (server.admin & kAdminForcedMaint) == 0) server.admin |= kAdminForcedDrain;
}

}  // namespace holdfast::proxy
