#include "proxy/cli/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "proxy/cli/cli.h"

namespace holdfast::proxy {
namespace {

std::string_view algorithm_name(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kRoundRobin:
      return "roundrobin";
    case Algorithm::kStaticRr:
      return "static-rr";
    case Algorithm::kLeastConn:
      return "leastconn";
    case Algorithm::kFirst:
      return "first";
    case Algorithm::kSource:
      return "source";
    case Algorithm::kRandom:
      return "random";
  }
  return "";
}

int64_t seconds_since(const Runtime& runtime, Mono then) { return to_ms(runtime.now.mono - then) / 1000; }

std::string last_check(const ServerState& server) {
  const CheckState& check = server.check;
  if (!check.configured) return "not checked";
  if (!check.had_result) return "no check is over yet";
  std::string text = fmt::format("last check {} in {}ms", short_name(check.status), check.duration_ms);
  return check.info.empty() ? text : text + fmt::format(" \"{}\"", check.info);
}

void explain_primary(const Runtime& runtime, const BackendState& backend, std::string* out) {
  const PrimaryState& primary = backend.primary;
  if (!primary.watched) return;
  const SentinelsConfig& section = runtime.config.sentinels[primary.sentinels];
  const std::string& name = backend.config->redis_primary.name;
  if (primary.epoch < 0) {
    *out += fmt::format("  primary of {}: not known yet, so every server is down\n", name);
  } else {
    *out += fmt::format("  primary of {}: {} for {}s, {}\n", name, to_string(primary.address),
                        seconds_since(runtime, primary.since), primary.evidence);
  }
  if (const auto& candidate = primary.candidate) {
    *out += fmt::format("  candidate: {} with epoch {}, named by Sentinel {}, waits for its ROLE\n",
                        to_string(candidate->address), candidate->epoch, section.members[candidate->voice].name);
  }
  int64_t quorum = 0;
  for (size_t i = 0; i < section.members.size(); ++i) {
    const auto& report = primary.reports[i];
    const std::string says = report ? fmt::format("says {}, epoch {}", to_string(report->address), report->epoch)
                                    : std::string("has no answer for us");
    if (report) quorum = report->quorum;
    *out += fmt::format("  sentinel {}/{} ({}): {}\n", section.name, section.members[i].name,
                        to_string(section.members[i].address), says);
  }
  if (quorum == 1 && section.members.size() > 1) {
    *out += "  note: quorum 1 lets one Sentinel that is cut off call a healthy primary down\n";
  }
}

void explain_backend(const Runtime& runtime, const BackendState& backend, std::string* out) {
  std::vector<Candidate> candidates;
  usable_servers(backend, &candidates);
  *out += fmt::format("backend {}: balance {}, {} of {} servers take connections, {} waiting\n", backend.config->name,
                      algorithm_name(backend.config->balance.algorithm), candidates.size(), backend.servers.size(),
                      backend.queue.size());
  explain_primary(runtime, backend, out);
  for (const ServerState& server : backend.servers) {
    *out += fmt::format("  server {} ({}): {}\n", server.config->name, to_string(server.address),
                        explain_server(runtime, server));
  }
}

void run_explain(CliContext& c) {
  const std::string_view name = c.word(1);
  for (const BackendState& backend : c.runtime.backends) {
    if (name.empty() || backend.config->name == name) explain_backend(c.runtime, backend, &c.out);
  }
  if (c.out.empty()) c.out = "No such backend.\n";
}

void run_explain_session(CliContext& c) {
  std::string_view text = c.word(2);
  if (text.starts_with("0x")) text.remove_prefix(2);
  uint64_t handle = 0;
  std::from_chars(text.data(), text.data() + text.size(), handle, 16);
  const auto& sessions = c.sessions.all();
  const uint64_t index = handle & 0xffffff;
  if (text.empty() || index >= sessions.size() || sessions[index].state == SessionState::kFree ||
      sessions[index].generation != handle >> 24) {
    c.out = "No such session (use 'show sess').\n";
    return;
  }
  const Session& session = sessions[index];
  const ProxyConfig& frontend = *c.runtime.frontends[session.frontend].config;
  c.out += fmt::format("{} came to {} on {}\n", to_string(session.source), frontend.name,
                       c.runtime.listeners[session.listener].config->text);
  if (session.backend == kNoIndex) return;
  const BackendState& backend = c.runtime.backends[session.backend];
  if (session.rule > 0) {
    const Source& at = frontend.use_backends[session.rule - 1].source;
    c.out += fmt::format("backend {}: use_backend at {}:{}\n", backend.config->name, at.file, at.line);
  } else {
    c.out += fmt::format("backend {}: {}\n", backend.config->name,
                         frontend.default_backend.empty() ? "its own section" : "default_backend");
  }
  if (session.server == kNoIndex) return;
  const ServerState& server = backend.servers[session.server];
  c.out += fmt::format("server {}: chosen by balance {}, {} retries{}; now: {}\n", server.config->name,
                       algorithm_name(backend.config->balance.algorithm), session.retries,
                       session.redispatched ? ", redispatched" : "", explain_server(c.runtime, server));
}

constexpr CliCommand kCommands[] = {
    {"explain session", CliLevel::kOperator, run_explain_session, "explain session <id>",
     "why a session went where it did"},
    {"explain", CliLevel::kUser, run_explain, "explain [<backend>]", "which servers take connections, and why not"},
};

}  // namespace

std::string explain_server(const Runtime& runtime, const ServerState& server) {
  const std::string check = last_check(server);
  if ((server.admin & kAdminResolveMaint) != 0) return "no connections: its name has no address";
  if (server.in_maintenance()) return "no connections: in maintenance";
  const BackendState& backend = runtime.backends[server.backend];
  if (server.fenced) {
    return fmt::format("no connections: not the primary of {}; {}", backend.config->redis_primary.name, check);
  }
  const int64_t since = seconds_since(runtime, server.last_change);
  if (!server.running && server.track_server != kNoIndex) {
    return fmt::format("no connections: down for {}s with the server it tracks", since);
  }
  if (!server.running) return fmt::format("no connections: down for {}s; {}", since, check);
  if (server.stopping) return fmt::format("no new connections: stopping; {}", check);
  if (server.draining()) return "no new connections: draining";
  const bool active_left = std::ranges::any_of(
      backend.servers, [](const ServerState& other) { return !other.config->backup && other.usable(); });
  if (server.config->backup && active_left) return fmt::format("no connections: a backup; {}", check);
  const int64_t limit = effective_maxconn(backend, server);
  if (limit > 0 && server.sessions >= limit) return fmt::format("full: {} of {} connections", server.sessions, limit);
  return fmt::format("takes connections, has {}; {}", server.sessions, check);
}

std::span<const CliCommand> explain_commands() { return kCommands; }

}  // namespace holdfast::proxy
