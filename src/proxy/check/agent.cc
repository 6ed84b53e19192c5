#include "proxy/check/agent.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "conf/haproxy_value.h"

namespace holdfast::proxy {

AgentReply parse_agent_reply(std::string_view line) {
  AgentReply reply;
  while (!line.empty()) {
    const char first = line.front();
    if (first == ' ' || first == '\t' || first == ',') {
      line.remove_prefix(1);
      continue;
    }
    if (first == '#') {
      reply.description = trim(line.substr(1), " \t");
      break;
    }
    const std::string_view word = line.substr(0, line.find_first_of(" \t,"));
    line.remove_prefix(word.size());
    const std::string lower = to_lower(word);
    if (lower == "up" || lower == "down" || lower == "stopped" || lower == "fail") {
      reply.up = lower == "up";
      reply.health_word = word;
    } else if (lower == "ready") {
      reply.admin = AgentReply::Admin::kReady;
    } else if (lower == "drain") {
      reply.admin = AgentReply::Admin::kDrain;
    } else if (lower == "maint") {
      reply.admin = AgentReply::Admin::kMaint;
    } else if (word[0] >= '0' && word[0] <= '9' && word.find('%') != std::string_view::npos) {
      reply.weight_percent = static_cast<int>(std::min<int64_t>(conf::leading_integer(word), 25600));
    } else if (lower.starts_with("maxconn:")) {
      reply.maxconn = std::max<int64_t>(0, conf::leading_integer(word.substr(8)));
    } else if (lower.starts_with("weight:")) {
      const auto value = static_cast<int>(std::clamp<int64_t>(conf::leading_integer(word.substr(7)), 0, 25600));
      (word.ends_with('%') ? reply.weight_percent : reply.weight) = value;
    } else if (reply.unknown.empty()) {
      reply.unknown = word;
    }
  }
  return reply;
}

void AgentRunner::start() {
  for (BackendState& backend : runtime_.backends) {
    for (ServerState& server : backend.servers) {
      if (!server.config->agent.enabled) continue;
      server.agent.configured = server.agent.enabled = true;
      server.agent.next = runtime_.now.mono;
      arm(server);
    }
  }
}

void AgentRunner::stop() {
  for (BackendState& backend : runtime_.backends) {
    for (ServerState& server : backend.servers) set_enabled(server, false);
  }
}

void AgentRunner::arm(ServerState& server) {
  AgentState& agent = server.agent;
  const Mono at = agent.running ? agent.deadline : agent.next;
  runtime_.timers.arm(TimerKind::kAgent, server.backend, server.index, at, &agent.queued_until);
}

void AgentRunner::timer(uint32_t backend, uint32_t index) {
  ServerState& server = runtime_.server(backend, index);
  AgentState& agent = server.agent;
  agent.queued_until = kNever;
  if (!agent.enabled) return;
  if ((agent.running ? agent.deadline : agent.next) > runtime_.now.mono) return arm(server);
  if (agent.running) {
    return finish(server, agent.connected ? CheckStatus::kL7Timeout : CheckStatus::kL4Timeout, "");
  }
  begin(server);
}

void AgentRunner::begin(ServerState& server) {
  AgentState& agent = server.agent;
  const AgentConfig& config = server.config->agent;
  agent.running = true;
  agent.connected = false;
  agent.input.clear();
  agent.started = runtime_.now.mono;
  agent.deadline = agent.started + config.inter;
  agent.conn = runtime_.open(ConnKind::kAgent, server.backend, server.index);
  Address to{
      .host = config.address.empty() ? server.address.host : config.address, .port = config.port, .unix_path = {}};
  runtime_.act(action::Connect{agent.conn, to, server.config->bind_source, false});
  arm(server);
}

void AgentRunner::connected(ConnSlot slot) {
  AgentState& agent = runtime_.server(slot.owner, slot.second).agent;
  const std::string& text = runtime_.server(slot.owner, slot.second).config->agent.send;
  agent.connected = true;
  if (text.empty()) return;
  agent.out.append(text);
  runtime_.act(action::Flush{agent.conn});
}

void AgentRunner::receive(ConnSlot slot, std::string_view bytes) {
  ServerState& server = runtime_.server(slot.owner, slot.second);
  AgentState& agent = server.agent;
  agent.input.append(bytes.substr(0, kLineMax - std::min(kLineMax, agent.input.size())));
  const size_t end = agent.input.find_first_of(std::string_view("\r\n\0", 3));
  if (end == std::string::npos) return;
  conclude(server, std::string(agent.input.substr(0, end)));
}

void AgentRunner::eof(ConnSlot slot) {
  ServerState& server = runtime_.server(slot.owner, slot.second);
  finish(server, server.agent.status, "Ignoring incomplete line from agent");
}

void AgentRunner::closed(ConnSlot slot) {
  ServerState& server = runtime_.server(slot.owner, slot.second);
  runtime_.forget(server.agent.conn);
  server.agent.conn = {};
  finish(server, server.agent.connected ? CheckStatus::kL7Response : CheckStatus::kL4Connection, "");
}

void AgentRunner::conclude(ServerState& server, std::string_view line) {
  const AgentReply reply = parse_agent_reply(line);
  // The admin state first, so that what follows is judged in it.
  if (reply.admin == AgentReply::Admin::kDrain) states_.set_drain(server);
  if (reply.admin == AgentReply::Admin::kMaint) states_.set_maintenance(server);
  if (reply.admin == AgentReply::Admin::kReady) states_.set_ready(server);
  if (reply.weight_percent)
    states_.set_weight(server, std::min(256, server.config->weight * *reply.weight_percent / 100));
  if (reply.weight) states_.set_weight(server, std::min(256, *reply.weight));
  if (reply.maxconn) server.maxconn = *reply.maxconn;
  if (!reply.up) {
    const std::string text =
        reply.unknown.empty() ? std::string() : fmt::format("agent reports an error : {}", reply.unknown);
    return finish(server, CheckStatus::kForced, text);
  }
  std::string_view why = reply.description;
  if (why.empty() || *reply.up) why = reply.unknown.empty() ? why : reply.unknown;
  std::string info = fmt::format("via agent : {}", reply.health_word);
  if (!why.empty()) info += fmt::format(" ({})", why);
  const bool up = *reply.up;
  finish(server, up ? CheckStatus::kL7Ok : CheckStatus::kL7Status, info);
  const Cause cause = fmt::format(", reason: {}, code: 0, info: \"{}\", check duration: {}ms",
                                  description(server.agent.status), info, server.agent.duration_ms);
  set_health(server, up, cause);
}

void AgentRunner::set_health(ServerState& server, bool up, const Cause& cause) {
  server.agent.down = !up;
  if (!up) return states_.set_stopped(server, cause);
  if (!server.check.configured || server.health.up()) states_.set_running(server, cause);
}

void AgentRunner::finish(ServerState& server, CheckStatus status, std::string info) {
  AgentState& agent = server.agent;
  if (agent.conn) runtime_.close(agent.conn, action::CloseMode::kReset, std::move(agent.out));
  agent.conn = {};
  agent.out.clear();
  agent.running = false;
  agent.status = status;
  agent.info = std::move(info);
  agent.had_result = true;
  agent.duration_ms = to_ms(runtime_.now.mono - agent.started);
  agent.next = runtime_.now.mono + server.config->agent.inter;
  if (agent.enabled) arm(server);
}

void AgentRunner::set_enabled(ServerState& server, bool enabled) {
  AgentState& agent = server.agent;
  if (!agent.configured || agent.enabled == enabled) return;
  agent.enabled = enabled;
  if (enabled) {
    agent.next = runtime_.now.mono;
    return arm(server);
  }
  agent.down = false;
  if (!agent.running) return;
  runtime_.close(agent.conn, action::CloseMode::kReset, std::move(agent.out));
  agent.conn = {};
  agent.running = false;
}

}  // namespace holdfast::proxy
