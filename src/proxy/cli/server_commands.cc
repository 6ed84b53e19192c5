// Commands that change servers and frontends: set server, enable, disable, weights, limits.
#include <fmt/format.h>

#include "base/text.h"
#include "conf/haproxy_value.h"
#include "proxy/address_spec.h"
#include "proxy/cli/cli.h"

namespace holdfast::proxy {
namespace {

/// `backend/server`; null with the answer set.
ServerState* named_server(CliContext& c, std::string_view name) {
  const size_t slash = name.find('/');
  if (slash == std::string_view::npos || slash + 1 == name.size()) {
    c.out = "Require 'backend/server'.\n";
    return nullptr;
  }
  const uint32_t backend = c.runtime.find_backend(name.substr(0, slash));
  if (backend == kNoIndex) {
    c.out = "No such backend.\n";
    return nullptr;
  }
  const uint32_t server = c.runtime.find_server(backend, name.substr(slash + 1));
  if (server == kNoIndex) {
    c.out = "No such server.\n";
    return nullptr;
  }
  return &c.runtime.server(backend, server);
}

uint32_t named_frontend(CliContext& c, std::string_view name) {
  if (name.empty()) {
    c.out = "A frontend name is expected.\n";
    return kNoIndex;
  }
  for (uint32_t i = 0; i < c.runtime.frontends.size(); ++i) {
    if (c.runtime.frontends[i].config->name == name) return i;
  }
  c.out = "No such frontend.\n";
  return kNoIndex;
}

void maintenance(CliContext& c, ServerState& server) {
  c.states.set_maintenance(server);
  c.checks.pause(server);
}

void set_state(CliContext& c, ServerState& server, std::string_view state) {
  if (state == "ready") {
    c.states.set_ready(server);
  } else if (state == "drain") {
    c.states.set_drain(server);
  } else if (state == "maint") {
    maintenance(c, server);
  } else {
    c.out = "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n";
  }
}

void set_health(CliContext& c, ServerState& server, std::string_view health) {
  if (!server.config->track.empty()) {
    c.out = "cannot change health on a tracking server.\n";
  } else if (health == "up") {
    server.health.value = server.health.full();
    c.states.set_running(server, ", changed from CLI");
  } else if (health == "stopping") {
    server.health.value = server.health.full();
    c.states.set_stopping(server, ", changed from CLI");
  } else if (health == "down") {
    server.health.value = 0;
    c.states.set_stopped(server, ", changed from CLI");
  } else {
    c.out = "'set server <srv> health' expects 'up', 'stopping', or 'down'.\n";
  }
}

void set_weight(CliContext& c, ServerState& server, std::string_view text) {
  const bool relative = text.ends_with('%');
  const std::string_view digits = relative ? text.substr(0, text.size() - 1) : text;
  if (text.empty()) {
    c.out = "Require <weight> or <weight%>.\n";
    return;
  }
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') {
    // COMPAT: the one answer without a line feed of its own.
    c.out = "Empty weight string empty or preceded by garbage";
    return;
  }
  const auto value = parse_uint64(digits);
  if (!value) {
    c.out = "Trailing garbage in weight string\n";
    return;
  }
  if (relative && *value > 100 &&
      c.runtime.backends[server.backend].config->balance.algorithm == Algorithm::kStaticRr) {
    c.out = "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n";
    return;
  }
  if (!relative && *value > 256) {
    c.out = "Absolute weight can only be between 0 and 256 inclusive.\n";
    return;
  }
  // COMPAT: a percentage is of the initial weight and rounds down: half of 1 is 0, which drains the server.
  const int64_t weight = relative
                             ? server.config->weight * static_cast<int64_t>(std::min<uint64_t>(*value, 25600)) / 100
                             : static_cast<int64_t>(*value);
  c.states.set_weight(server, static_cast<int>(std::min<int64_t>(weight, 256)));
}

void set_address(CliContext& c, ServerState& server) {
  const std::string_view host = c.word(4);
  const std::string_view port = c.word(6);
  if (host.empty()) {
    c.out = "set server <b>/<s> addr requires an address and optionally a port.\n";
    return;
  }
  if (!is_numeric_host(host)) {
    c.out = fmt::format("Invalid addr '{}' by 'stats socket command'\n", host);
    return;
  }
  std::string changes;
  const std::string before = server.address.host;
  changes = before == host ? std::string("no need to change the addr")
                           : fmt::format("IP changed from '{}' to '{}'", before, host);
  bool fine = true;
  uint16_t new_port = server.address.port;
  if (c.word(5) == "port") {
    const auto number = conf::whole_integer(port);
    if (!number) {
      changes += fmt::format(", problem converting port '{}' to an int", port);
      fine = false;
    } else if (*number < 1 || *number > 65535) {
      changes += fmt::format(", provided port is not valid");
      fine = false;
    } else if (*number == server.address.port) {
      changes += ", no need to change the port";
    } else {
      changes += fmt::format(", port changed from '{}' to '{}'", server.address.port, *number);
      new_port = static_cast<uint16_t>(*number);
    }
  }
  if (fine) {
    server.address = Address{.host = std::string(host), .port = new_port, .unix_path = {}};
  }
  c.out = changes + " by 'stats socket command'\n";
}

void set_check_endpoint(CliContext& c, ServerState& server, std::string_view what) {
  if (!server.check.configured) {
    c.out = "Health checks are not enabled on this server.\n";
    return;
  }
  if (what == "check-addr") {
    if (!is_numeric_host(c.word(4))) {
      c.out = fmt::format("Invalid addr '{}'\n", c.word(4));
      return;
    }
    server.check_address = std::string(c.word(4));
    return;
  }
  const auto port = conf::whole_integer(c.word(4));
  if (!port || *port < 0 || *port > 65535) {
    c.out = "provided port is not valid.\n";
    return;
  }
  server.check_port = static_cast<uint16_t>(*port);
}

void run_set_server(CliContext& c) {
  ServerState* server = named_server(c, c.word(2));
  if (server == nullptr) return;
  const std::string_view what = c.word(3);
  if (what == "weight") return set_weight(c, *server, c.word(4));
  if (what == "state") return set_state(c, *server, c.word(4));
  if (what == "health") return set_health(c, *server, c.word(4));
  if (what == "addr") return set_address(c, *server);
  if (what == "fqdn") {
    c.out = c.word(4).empty() ? "set server <b>/<s> fqdn requires a FQDN.\n" : c.names.set_name(*server, c.word(4));
    return;
  }
  if (what == "check-port" || what == "check-addr") return set_check_endpoint(c, *server, what);
  if (what == "agent" || what == "agent-addr" || what == "agent-port" || what == "agent-send") {
    if (!server->agent.configured) {
      c.out = "agent checks are not enabled on this server.\n";
    } else if (what == "agent" && (c.word(4) == "up" || c.word(4) == "down")) {
      c.agents.set_health(*server, c.word(4) == "up", ", changed from CLI");
    } else if (what == "agent") {
      c.out = "'set server <srv> agent' expects 'up' or 'down'.\n";
    } else {
      c.out = fmt::format("'{}' cannot be changed at runtime by this version.\n", what);
    }
    return;
  }
  if (what == "ssl") {
    c.out = "server ssl setting not changed: not supported.\n";
    return;
  }
  c.out =
      "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | check-addr | "
      "check-port | fqdn | health | ssl | state | weight\n";
}

void run_enable_server(CliContext& c) {
  ServerState* server = named_server(c, c.word(2));
  if (server != nullptr && server->in_maintenance()) c.states.set_ready(*server);
}
void run_disable_server(CliContext& c) {
  if (ServerState* server = named_server(c, c.word(2))) maintenance(c, *server);
}
void run_health(CliContext& c) {
  ServerState* server = named_server(c, c.word(2));
  if (server == nullptr) return;
  if (!server->check.configured) {
    if (c.word(0) == "enable") c.out = "Health check was not configured on this server, cannot enable.\n";
    return;
  }
  c.checks.set_enabled(*server, c.word(0) == "enable");
}

void run_agent(CliContext& c) {
  ServerState* server = named_server(c, c.word(2));
  if (server == nullptr) return;
  if (!server->agent.configured) {
    if (c.word(0) == "enable") c.out = "Agent was not configured on this server, cannot enable.\n";
    return;
  }
  c.agents.set_enabled(*server, c.word(0) == "enable");
}

void run_frontend_switch(CliContext& c) {
  const uint32_t frontend = named_frontend(c, c.word(2));
  if (frontend == kNoIndex) return;
  const bool on = c.word(0) == "enable";
  const bool stopped = c.runtime.frontends[frontend].stopped;
  if (stopped == !on) {
    c.out = on ? "All sockets are already enabled.\n" : "All sockets are already disabled.\n";
    return;
  }
  c.host.set_frontend_listening(frontend, on);
}
void run_shutdown_frontend(CliContext& c) {
  const uint32_t frontend = named_frontend(c, c.word(2));
  if (frontend != kNoIndex) c.host.set_frontend_listening(frontend, false);
}

void run_get_weight(CliContext& c) {
  ServerState* server = named_server(c, c.word(2));
  if (server != nullptr) c.out = fmt::format("{} (initial {})\n", server->weight, server->config->weight);
}
void run_set_weight(CliContext& c) {
  if (ServerState* server = named_server(c, c.word(2))) set_weight(c, *server, c.word(3));
}

void run_set_maxconn_server(CliContext& c) {
  ServerState* server = named_server(c, c.word(3));
  if (server == nullptr) return;
  const auto value = conf::whole_integer(c.word(4));
  if (!value || *value < 0) {
    c.out = c.word(4).empty() ? "Require <maxconn>.\n" : "maxconn string empty or preceded by garbage";
    return;
  }
  server->maxconn = *value;
  c.sessions.serve_queue(server->backend);
}
void run_set_maxconn_frontend(CliContext& c) {
  const uint32_t frontend = named_frontend(c, c.word(3));
  if (frontend == kNoIndex) return;
  const auto value = conf::whole_integer(c.word(4));
  if (!value || *value < 0) {
    c.out = c.word(4).empty() ? "Integer value expected.\n" : "Value out of range.\n";
    return;
  }
  c.runtime.frontends[frontend].maxconn = *value;
  c.sessions.admit_held(frontend);
}
void run_set_maxconn_global(CliContext& c) {
  const auto value = conf::whole_integer(c.word(3));
  if (!value || *value < 0) {
    c.out = c.word(3).empty() ? "Expects an integer value.\n" : "Value out of range.\n";
    return;
  }
  c.runtime.maxconn = *value == 0 ? c.runtime.options.maxconn : *value;
  for (uint32_t i = 0; i < c.runtime.frontends.size(); ++i) c.sessions.admit_held(i);
}

constexpr CliCommand kCommands[] = {
    {"set server", CliLevel::kAdmin, run_set_server, "set server <bk>/<srv> [opts]",
     "change a server's state, weight, address or ssl"},
    {"enable server", CliLevel::kAdmin, run_enable_server, "enable server  (DEPRECATED)",
     "enable a disabled server (use 'set server' instead)"},
    {"disable server", CliLevel::kAdmin, run_disable_server, "disable server (DEPRECATED)",
     "disable a server for maintenance (use 'set server' instead)"},
    {"enable health", CliLevel::kAdmin, run_health, "enable health", "enable health checks"},
    {"disable health", CliLevel::kAdmin, run_health, "disable health", "disable health checks"},
    {"enable agent", CliLevel::kAdmin, run_agent, "enable agent", "enable agent checks"},
    {"disable agent", CliLevel::kAdmin, run_agent, "disable agent", "disable agent checks"},
    {"enable frontend", CliLevel::kAdmin, run_frontend_switch, "enable frontend <frontend>",
     "re-enable specific frontend"},
    {"disable frontend", CliLevel::kAdmin, run_frontend_switch, "disable frontend <frontend>",
     "temporarily disable specific frontend"},
    {"shutdown frontend", CliLevel::kAdmin, run_shutdown_frontend, "shutdown frontend <frontend>",
     "stop a specific frontend"},
    {"get weight", CliLevel::kUser, run_get_weight, "get weight <bk>/<srv>", "report a server's current weight"},
    {"set weight", CliLevel::kAdmin, run_set_weight, "set weight <bk>/<srv>  (DEPRECATED)",
     "change a server's weight (use 'set server' instead)"},
    {"set maxconn server", CliLevel::kAdmin, run_set_maxconn_server, "set maxconn server <bk>/<srv>",
     "change a server's maxconn setting"},
    {"set maxconn frontend", CliLevel::kAdmin, run_set_maxconn_frontend, "set maxconn frontend <frontend> <value>",
     "change a frontend's maxconn setting"},
    {"set maxconn global", CliLevel::kAdmin, run_set_maxconn_global, "set maxconn global <value>",
     "change the per-process maxconn setting"},
};

}  // namespace

std::span<const CliCommand> server_commands() { return kCommands; }

}  // namespace holdfast::proxy
