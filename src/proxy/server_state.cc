#include "proxy/server_state.h"

#include <fmt/format.h>

namespace holdfast::proxy {
namespace {

std::string name_of(const Runtime& runtime, const ServerState& server) {
  return fmt::format("{}Server {}/{}", server.config->backup ? "Backup " : "",
                     runtime.backends[server.backend].config->name, server.config->name);
}

}  // namespace

Cause cause_of_check(const ServerState& server, bool log_health_checks) {
  if (log_health_checks) return "";  // the line before said it
  const CheckState& check = server.check;
  std::string text = fmt::format(", reason: {}", description(check.status));
  if (has_code(check.status)) text += fmt::format(", code: {}", check.code);
  if (!check.info.empty()) text += fmt::format(", info: \"{}\"", check.info);
  return text + fmt::format(", check duration: {}ms", check.duration_ms);
}

ServerStates::Left ServerStates::left(const BackendState& backend) const {
  Left count;
  for (const ServerState& server : backend.servers) {
    if (!server.usable()) continue;
    (server.config->backup ? count.backup : count.active) += 1;
  }
  return count;
}

std::string ServerStates::down_tail(const ServerState& server, int64_t requeued) const {
  const BackendState& backend = runtime_.backends[server.backend];
  const Left count = left(backend);
  return fmt::format(
      ". {} active and {} backup servers left.{} {} sessions active, {} requeued, {} remaining in queue.", count.active,
      count.backup, count.active == 0 && count.backup > 0 ? " Running on backup." : "", server.counters.current,
      requeued, backend.queue.size());
}

std::string ServerStates::up_tail(const ServerState& server, int64_t requeued) const {
  const BackendState& backend = runtime_.backends[server.backend];
  const Left count = left(backend);
  return fmt::format(". {} active and {} backup servers online.{} {} sessions requeued, {} total in queue.",
                     count.active, count.backup, count.active == 0 && count.backup > 0 ? " Running on backup." : "",
                     requeued, backend.queue.size());
}

void ServerStates::stamp(ServerState& server, bool was_up) {
  if (was_up == server.up()) return;
  if (!was_up) server.downtime += runtime_.now.mono - server.last_change;
  server.last_change = runtime_.now.mono;
}

void ServerStates::went_down(ServerState& server, std::string text, LogLevel level) {
  const uint32_t proxy = runtime_.backends[server.backend].proxy;
  ++server.counters.down_transitions;
  const int64_t requeued = sessions_.requeue_server(server.backend, server.index);
  runtime_.log(level, proxy, true, text + down_tail(server, requeued));
  update_backend(server.backend);
  // The sessions of a primary that is none any more must not go on, whatever the file says.
  const bool close = server.config->on_marked_down_shutdown || runtime_.backends[server.backend].primary.watched;
  if (close) sessions_.shutdown_server(server.backend, server.index, false);
  const BackendState& backend = runtime_.backends[server.backend];
  if (backend.asks_role && backend.up) sessions_.wake_turnarounds(server.backend);
  follow(server, false);
}

void ServerStates::went_up(ServerState& server, std::string text, bool with_tail) {
  const uint32_t proxy = runtime_.backends[server.backend].proxy;
  if (server.config->on_marked_up_shutdown_backup && !server.config->backup && server.weight > 0) {
    BackendState& backend = runtime_.backends[server.backend];
    for (ServerState& other : backend.servers) {
      if (other.config->backup) sessions_.shutdown_server(server.backend, other.index, true);
    }
  }
  update_backend(server.backend);
  const int64_t served = sessions_.serve_queue(server.backend);
  if (runtime_.backends[server.backend].asks_role) sessions_.wake_turnarounds(server.backend);
  runtime_.log(LogLevel::kProxyNotice, proxy, true, with_tail ? text + up_tail(server, served) : text + ".");
  follow(server, true);
}

void ServerStates::set_stopped(ServerState& server, const Cause& cause) {
  if (!server.running) return;
  const bool was_up = server.up();
  const bool was_draining = server.draining();
  server.running = false;
  server.stopping = false;
  stamp(server, was_up);
  if (server.in_maintenance()) return;
  went_down(server, fmt::format("{} is DOWN{}", name_of(runtime_, server), cause),
            was_draining ? LogLevel::kProxyNotice : LogLevel::kProxyAlert);
}

void ServerStates::set_fenced(ServerState& server, const Cause& cause) {
  server.fenced = true;
  server.health.value = 0;
  set_stopped(server, cause);
  sessions_.shutdown_server(server.backend, server.index, false);
}

void ServerStates::set_running(ServerState& server, const Cause& cause) {
  if (server.fenced || (server.running && !server.stopping)) return;
  const bool was_up = server.up();
  server.running = true;
  server.stopping = false;
  stamp(server, was_up);
  if (server.in_maintenance()) return;
  went_up(server, fmt::format("{} is UP{}", name_of(runtime_, server), cause), true);
}

void ServerStates::set_stopping(ServerState& server, const Cause& cause) {
  if (!server.running || server.stopping) return;
  server.stopping = true;
  if (server.in_maintenance()) return;
  const int64_t requeued = sessions_.requeue_server(server.backend, server.index);
  runtime_.log(LogLevel::kProxyNotice, runtime_.backends[server.backend].proxy, true,
               fmt::format("{} is stopping{}", name_of(runtime_, server), cause) + up_tail(server, requeued));
  update_backend(server.backend);
}

void ServerStates::set_maintenance(ServerState& server) {
  if ((server.admin & kAdminForcedMaint) != 0) return;
  const bool was_up = server.up();
  const bool was_maint = server.in_maintenance();
  server.admin = static_cast<uint8_t>((server.admin & ~kAdminForcedDrain) | kAdminForcedMaint);
  server.health.value = 0;
  stamp(server, was_up);
  if (was_maint) return;
  if (was_up) {
    went_down(server, fmt::format("{} is going DOWN for maintenance", name_of(runtime_, server)),
              LogLevel::kProxyAlert);
  } else {
    runtime_.log(LogLevel::kProxyNotice, runtime_.backends[server.backend].proxy, true,
                 fmt::format("{} was DOWN and now enters maintenance.", name_of(runtime_, server)));
  }
}

void ServerStates::set_drain(ServerState& server) {
  if (server.in_maintenance()) set_ready(server);
  if ((server.admin & kAdminForcedDrain) != 0) return;
  server.admin |= kAdminForcedDrain;
  const uint32_t proxy = runtime_.backends[server.backend].proxy;
  const int64_t requeued = sessions_.requeue_server(server.backend, server.index);
  runtime_.log(LogLevel::kProxyNotice, proxy, true,
               fmt::format("{} enters drain state{}", name_of(runtime_, server), up_tail(server, requeued)));
  update_backend(server.backend);
}

/// COMPAT: leaving maintenance starts over as at start-up: up until a check says otherwise.
void ServerStates::start_over(ServerState& server) {
  server.health = initial_health(server.health.rise, server.health.fall, server.config->init_state);
  if (server.fenced) server.health.value = 0;
  server.running = !server.fenced && (!server.check.configured || server.health.up());
  server.stopping = false;
}

void ServerStates::enter_resolve_maintenance(ServerState& server, std::string_view cause) {
  const bool was_up = server.up();
  const bool was_maint = server.in_maintenance();
  const bool was_draining = server.draining();
  server.admin |= kAdminResolveMaint;
  if (server.name.renamed) server.admin |= kAdminHostName;
  if (was_maint) return;
  server.health.value = 0;
  server.running = false;
  stamp(server, was_up);
  if (was_up) {
    went_down(server, fmt::format("{} is going DOWN for maintenance ({})", name_of(runtime_, server), cause),
              was_draining ? LogLevel::kProxyNotice : LogLevel::kProxyAlert);
  } else {
    runtime_.log(LogLevel::kProxyNotice, runtime_.backends[server.backend].proxy, true,
                 fmt::format("{} was DOWN and now enters maintenance ({}).", name_of(runtime_, server), cause));
  }
}

void ServerStates::leave_resolve_maintenance(ServerState& server) {
  const bool was_up = server.up();
  server.admin &= static_cast<uint8_t>(~kAdminResolveMaint);
  if (server.name.renamed) server.admin |= kAdminHostName;
  if (server.in_maintenance()) return;
  start_over(server);
  stamp(server, was_up);
  std::string text = fmt::format("{} ('{}') is {}/{} (resolves again)", name_of(runtime_, server), server.host_name,
                                 server.running ? "UP" : "DOWN", server.draining() ? "DRAIN" : "READY");
  if (server.running) return went_up(server, std::move(text), false);
  runtime_.log(LogLevel::kProxyNotice, runtime_.backends[server.backend].proxy, true, text + ".");
}

void ServerStates::set_ready(ServerState& server) {
  const bool was_up = server.up();
  if (server.in_maintenance()) {
    server.admin &= static_cast<uint8_t>(~(kAdminForcedMaint | kAdminConfigMaint | kAdminForcedDrain));
    if (server.in_maintenance()) return;  // no address yet
    start_over(server);
    stamp(server, was_up);
    if (server.running) {
      went_up(server, fmt::format("{} is UP/READY (leaving forced maintenance)", name_of(runtime_, server)), false);
    } else {
      runtime_.log(LogLevel::kProxyNotice, runtime_.backends[server.backend].proxy, true,
                   fmt::format("{} is DOWN/READY (leaving forced maintenance).", name_of(runtime_, server)));
    }
    return;
  }
  if ((server.admin & kAdminForcedDrain) != 0) {
    server.admin &= static_cast<uint8_t>(~kAdminForcedDrain);
    went_up(server,
            fmt::format("{} is {} (leaving forced drain)", name_of(runtime_, server), server.up() ? "UP" : "DOWN"),
            false);
  }
}

void ServerStates::set_weight(ServerState& server, int weight) {
  server.weight = weight;
  update_backend(server.backend);
  if (weight > 0) sessions_.serve_queue(server.backend);
}

void ServerStates::set_resolved(ServerState& server, const std::vector<std::string>& addresses) {
  if (addresses.empty()) {
    server.admin |= kAdminResolveMaint;
    runtime_.log(LogLevel::kProxyWarning, runtime_.backends[server.backend].proxy, true,
                 fmt::format("{} is going DOWN for maintenance (no address for '{}').", name_of(runtime_, server),
                             server.config->fqdn));
    update_backend(server.backend);
    return;
  }
  server.address.host = addresses.front();
}

void ServerStates::initialize() {
  for (BackendState& backend : runtime_.backends) {
    const Left count = left(backend);
    backend.up = count.active + count.backup > 0;
    backend.last_change = runtime_.now.mono;
    for (ServerState& server : backend.servers) server.last_change = runtime_.now.mono;
  }
}

void ServerStates::update_backend(uint32_t index) {
  BackendState& backend = runtime_.backends[index];
  const Left count = left(backend);
  const bool up = count.active + count.backup > 0;
  if (up == backend.up) return;
  backend.up = up;
  if (up) {
    backend.downtime += runtime_.now.mono - backend.last_change;
  } else {
    ++backend.down_transitions;
    runtime_.log(
        LogLevel::kProxyEmergency, backend.proxy, true,
        fmt::format("{} {} has no server available!",
                    backend.config->kind == ProxyConfig::Kind::kListen ? "proxy" : "backend", backend.config->name));
  }
  backend.last_change = runtime_.now.mono;
}

void ServerStates::follow(const ServerState& leader, bool up) {
  for (BackendState& backend : runtime_.backends) {
    for (ServerState& server : backend.servers) {
      if (server.track_backend != leader.backend || server.track_server != leader.index) continue;
      const Cause cause =
          fmt::format(" via {}/{}", runtime_.backends[leader.backend].config->name, leader.config->name);
      if (up) {
        set_running(server, cause);
      } else {
        set_stopped(server, cause);
      }
    }
  }
}

}  // namespace holdfast::proxy
