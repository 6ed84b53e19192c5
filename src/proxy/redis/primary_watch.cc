#include "proxy/redis/primary_watch.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/text.h"

namespace holdfast::proxy {

void PrimaryWatch::start() {
  links_.start();
  runtime_.timers.arm(TimerKind::kSettle, 0, 0, runtime_.now.mono + kSettle, &settle_queued_);
}

void PrimaryWatch::settle_timer() {
  for (uint32_t i = 0; i < runtime_.backends.size(); ++i) {
    if (runtime_.backends[i].primary.watched) decide(i);
  }
}

std::string PrimaryWatch::sentinel_name(const BackendState& backend, size_t member) const {
  const SentinelsConfig& section = runtime_.config.sentinels[backend.primary.sentinels];
  return fmt::format("{}/{}", section.name, section.members[member].name);
}

uint32_t PrimaryWatch::server_at(const BackendState& backend, const Address& address) const {
  for (const ServerState& server : backend.servers) {
    if (server.address.port != address.port || server.address.is_unix()) continue;
    const bool same_name = !server.config->fqdn.empty() && equal_ignoring_case(server.config->fqdn, address.host);
    // On one machine Sentinels may say ::1 where our file says 127.0.0.1.
    const bool same_machine = is_loopback(server.address) && is_loopback(address);
    if (server.address.host == address.host || same_name || same_machine) return server.index;
  }
  return kNoIndex;
}

void PrimaryWatch::master_reported(uint32_t section, uint32_t member, std::string_view name,
                                   const std::optional<PrimaryReport>& report) {
  for (uint32_t i = 0; i < runtime_.backends.size(); ++i) {
    PrimaryState& primary = runtime_.backends[i].primary;
    if (!primary.watched || primary.sentinels != section) continue;
    if (runtime_.backends[i].config->redis_primary.name != name) continue;
    HF_ASSERT(member < primary.reports.size());
    primary.reports[member] = report;
    decide(i);
  }
}

void PrimaryWatch::switch_announced(uint32_t section, uint32_t, std::string_view name, const Address& to) {
  links_.ask(section);
  // Its ROLE is wanted in any case: asked beside the Sentinels, not after them.
  for (BackendState& backend : runtime_.backends) {
    if (!backend.primary.watched || backend.primary.sentinels != section) continue;
    if (backend.config->redis_primary.name != name) continue;
    const uint32_t server = server_at(backend, to);
    if (server != kNoIndex) checks_.check_now(backend.servers[server]);
  }
}

void PrimaryWatch::role_doubted(uint32_t backend) { links_.ask(runtime_.backends[backend].primary.sentinels); }

void PrimaryWatch::decide(uint32_t index) {
  BackendState& backend = runtime_.backends[index];
  PrimaryState& primary = backend.primary;
  const bool settled = runtime_.now.mono >= runtime_.started.mono + kSettle;
  const PrimaryChoice choice = choose_primary(primary.epoch, primary.reports, settled);
  if (choice.verdict == PrimaryChoice::Verdict::kKeep) {
    primary.candidate.reset();
    return;
  }
  PrimaryState::Candidate candidate{.address = choice.address,
                                    .epoch = choice.epoch,
                                    .voice = choice.first_voice,
                                    .server = server_at(backend, choice.address),
                                    .since = runtime_.now.mono};
  if (choice.verdict == PrimaryChoice::Verdict::kAdopt) {
    return adopt(
        index, candidate,
        fmt::format("epoch {}, said by {} of {} Sentinels", choice.epoch, choice.voices, primary.reports.size()),
        false);
  }
  const auto& known = primary.candidate;
  if (known && known->address == candidate.address && known->epoch == candidate.epoch) return;
  primary.candidate = candidate;
  if (candidate.server == kNoIndex) {
    runtime_.log(LogLevel::kProxyAlert, backend.proxy, true,
                 fmt::format("Backend {}: Sentinel {} names {} as primary of {}, which is none of its servers.",
                             backend.config->name, sentinel_name(backend, candidate.voice),
                             to_string(candidate.address), backend.config->redis_primary.name));
    return;
  }
  ServerState& server = backend.servers[candidate.server];
  // An answer given beside the Sentinels' counts: it was asked after the switch.
  if (server.check.had_result && result_of(server.check.status) == CheckResult::kPassed &&
      server.check.asked >= runtime_.now.mono - kFreshAnswer) {
    return role_passed(server, runtime_.now.mono);
  }
  checks_.check_now(server);
}

void PrimaryWatch::role_passed(ServerState& server, Mono asked) {
  PrimaryState& primary = runtime_.backends[server.backend].primary;
  if (!primary.watched || !primary.candidate || primary.candidate->server != server.index) return;
  if (asked < primary.candidate->since) return;  // said before it was a question
  const PrimaryState::Candidate candidate = *primary.candidate;
  adopt(server.backend, candidate,
        fmt::format("epoch {}, said by Sentinel {} and by its own ROLE", candidate.epoch,
                    sentinel_name(runtime_.backends[server.backend], candidate.voice)),
        true);
}

void PrimaryWatch::adopt(uint32_t index, const PrimaryState::Candidate& candidate, std::string evidence,
                         bool confirmed) {
  BackendState& backend = runtime_.backends[index];
  PrimaryState& primary = backend.primary;
  HF_ASSERT(candidate.epoch > primary.epoch);
  const bool moved = primary.server != candidate.server || candidate.server == kNoIndex;
  primary.candidate.reset();
  primary.address = candidate.address;
  primary.server = candidate.server;
  primary.epoch = candidate.epoch;
  primary.evidence = std::move(evidence);
  if (!moved) return;  // the epoch alone grew
  primary.since = runtime_.now.mono;
  runtime_.log(
      LogLevel::kProxyNotice, backend.proxy, true,
      fmt::format("Backend {}: primary of {} is {} ({}), {}.", backend.config->name, backend.config->redis_primary.name,
                  candidate.server == kNoIndex ? "none of its servers" : backend.servers[candidate.server].config->name,
                  to_string(candidate.address), primary.evidence));
  if (candidate.server != kNoIndex) {
    ServerState& server = backend.servers[candidate.server];
    server.fenced = false;
    if (confirmed) {
      server.health.value = server.health.full();
      states_.set_running(server, fmt::format(", primary of {}", backend.config->redis_primary.name));
    } else {
      checks_.check_now(server);
    }
  }
  for (ServerState& server : backend.servers) {
    if (server.index != candidate.server) {
      states_.set_fenced(server, fmt::format(", not the primary of {}", backend.config->redis_primary.name));
    }
  }
}

}  // namespace holdfast::proxy
