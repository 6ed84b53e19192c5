// Commands about sessions, counters and the CLI connection itself.
#include <fmt/format.h>

#include <charconv>

#include "conf/haproxy_value.h"
#include "proxy/cli/cli.h"

namespace holdfast::proxy {
namespace {

/// Sessions have no address in memory worth showing; their handle is printed in its place.
std::string session_name(uint32_t index, uint32_t generation) {
  return fmt::format("0x{:x}", uint64_t{generation} << 24 | index);
}

void run_show_sess(CliContext& c) {
  const auto& sessions = c.sessions.all();
  for (uint32_t i = 0; i < sessions.size(); ++i) {
    const Session& session = sessions[i];
    if (session.state == SessionState::kFree) continue;
    const std::string name = session_name(i, session.generation);
    if (c.words.size() > 2 && c.word(2) != "all" && c.word(2) != name) continue;
    const bool has_backend = session.backend != kNoIndex;
    const bool has_server = has_backend && session.server != kNoIndex;
    const BackendState* backend = has_backend ? &c.runtime.backends[session.backend] : nullptr;
    c.out += fmt::format(
        "{}: proto={} src={} fe={} be={} srv={} ts=00 epoch=0 age={}s calls=1 rate=0 cpu=0 lat=0 "
        "rq[f=0h,i=0,an=00h] rp[f=0h,i=0,an=00h] exp=\n",
        name, session.source.host.find(':') != std::string::npos ? "tcpv6" : "tcpv4", to_string(session.source),
        c.runtime.frontends[session.frontend].config->name, has_backend ? backend->config->name : "<NONE>",
        has_server ? backend->servers[session.server].config->name : "<none>",
        to_ms(c.runtime.now.mono - session.accepted) / 1000);
  }
}

void run_shutdown_session(CliContext& c) {
  uint64_t handle = 0;
  std::string_view text = c.word(2);
  if (text.starts_with("0x")) text.remove_prefix(2);
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), handle, 16);
  const bool whole = !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  if (!whole || !c.sessions.kill(static_cast<uint32_t>(handle & 0xffffff), static_cast<uint32_t>(handle >> 24))) {
    c.out = "No such session (use 'show sess').\n";
  }
}

void run_shutdown_sessions_server(CliContext& c) {
  const std::string_view name = c.word(3);
  const size_t slash = name.find('/');
  if (slash == std::string_view::npos) {
    c.out = "Require 'backend/server'.\n";
    return;
  }
  const uint32_t backend = c.runtime.find_backend(name.substr(0, slash));
  if (backend == kNoIndex) {
    c.out = "No such backend.\n";
    return;
  }
  const uint32_t server = c.runtime.find_server(backend, name.substr(slash + 1));
  if (server == kNoIndex) {
    c.out = "No such server.\n";
    return;
  }
  const auto& sessions = c.sessions.all();
  for (uint32_t i = 0; i < sessions.size(); ++i) {
    const Session& session = sessions[i];
    const bool on_it = session.server_held && session.backend == backend && session.server == server;
    if (session.state != SessionState::kFree && on_it) c.sessions.kill(i, session.generation);
  }
}

void clear(Counters* counters, bool all) {
  if (all) {
    const Counters fresh;
    const int64_t current = counters->current;
    const int64_t queued = counters->queued;
    *counters = fresh;
    counters->current = current;
    counters->queued = queued;
  }
  counters->current_max = counters->current;
  counters->queued_max = counters->queued;
  counters->rate.clear_max();
  counters->queue_ms_max = counters->connect_ms_max = counters->total_ms_max = 0;
}

void run_clear_counters(CliContext& c) {
  const bool all = c.word(2) == "all";
  if (!c.allowed(all ? CliLevel::kAdmin : CliLevel::kOperator)) return;
  for (FrontendState& frontend : c.runtime.frontends) clear(&frontend.counters, all);
  for (BackendState& backend : c.runtime.backends) {
    clear(&backend.counters, all);
    for (ServerState& server : backend.servers) clear(&server.counters, all);
    if (all) backend.down_transitions = 0;
  }
  clear(&c.runtime.process, false);
}

void run_level(CliContext& c) {
  const CliLevel wanted = c.word(0) == "user" ? CliLevel::kUser : CliLevel::kOperator;
  if (c.allowed(wanted)) c.connection.level = wanted;
  c.silent = c.word(1) == "-";  // how the master's command line says it before each command
}

void run_set_timeout(CliContext& c) {
  if (c.word(2) != "cli") {
    c.out = "'set timeout' only supports 'cli'.\n";
    return;
  }
  const conf::TimeValue value = conf::parse_haproxy_time(c.word(3), true);
  if (value.error != conf::TimeValue::Error::kNone || value.value < 1s) {
    c.out = "Invalid timeout value.\n";
    return;
  }
  c.connection.timeout = value.value;
}

/// A process that is to replace this one asks for the listening sockets; the answer is no text.
void run_get_sockets(CliContext& c) {
  if (!c.runtime.listeners[c.connection.listener].config->expose_listeners) {
    c.out = "\n";
    return;
  }
  c.runtime.act(action::SendListeners{c.connection.conn});
  c.close = true;
  c.silent = true;
}

constexpr CliCommand kCommands[] = {
    {"_getsocks", CliLevel::kUser, run_get_sockets, "", ""},
    {"show sess", CliLevel::kOperator, run_show_sess, "show sess [id]",
     "report the list of current sessions or dump this exact session"},
    {"shutdown session", CliLevel::kAdmin, run_shutdown_session, "shutdown session [id]", "kill a specific session"},
    {"shutdown sessions server", CliLevel::kAdmin, run_shutdown_sessions_server, "shutdown sessions server <bk>/<srv>",
     "kill sessions on a server"},
    {"clear counters", CliLevel::kOperator, run_clear_counters, "clear counters [all]",
     "clear max statistics counters (or all counters)"},
    {"operator", CliLevel::kOperator, run_level, "operator", "lower the level of the current CLI session to operator"},
    {"user", CliLevel::kUser, run_level, "user", "lower the level of the current CLI session to user"},
    {"set timeout", CliLevel::kUser, run_set_timeout, "set timeout [cli] <delay>", "change a timeout setting"},
};

}  // namespace

std::span<const CliCommand> session_commands() { return kCommands; }

}  // namespace holdfast::proxy
