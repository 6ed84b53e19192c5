#include "sentinel/core.h"

#include <fmt/format.h>

#include "base/text.h"

namespace holdfast::sentinel {
namespace {

/// The least important level that a `loglevel` lets through; `nothing` lets none.
bool passes(const std::string& loglevel, LogLevel level) {
  if (level == LogLevel::kRaw) return true;
  if (loglevel == "debug") return true;
  if (loglevel == "verbose") return level >= LogLevel::kVerbose;
  if (loglevel == "notice") return level >= LogLevel::kNotice;
  if (loglevel == "warning") return level >= LogLevel::kWarning;
  return false;
}

}  // namespace

Core::Core(Options from) : options(std::move(from)), prng(options.seed), runid(prng.hex(40)) {
  if (!keeps(Rule::kPersistBeforeVote)) saver.pretend();
}

void Core::log(LogLevel level, std::string text) {
  if (passes(settings.loglevel, level)) act(action::Log{level, std::move(text)});
}

void Core::event(Event event, const Instance& about, std::string_view more) {
  event_text(event, &about, describe(about, settings.style) + std::string(more));
}

void Core::event_text(Event event, const Instance* about, const std::string& payload) {
  const EventRow& row = event_row(event);
  log(row.level, fmt::format("{} {}", row.name, payload));
  if (row.level == LogLevel::kDebug) return;
  if (publisher != nullptr) publisher->publish(row.name, payload);
  if (row.level != LogLevel::kWarning || about == nullptr) return;
  const std::string& script = primary_of(*about).notification_script;
  if (!script.empty()) scripts.schedule({script, std::string(row.name), payload});
}

void Core::adopt_epoch(uint64_t epoch, const Primary& about) {
  HF_ASSERT(epoch > settings.current_epoch);
  settings.current_epoch = epoch;
  saver.request();
  event_text(Event::kNewEpoch, &about, fmt::format("{}", epoch));
}

void Core::run_reconfig_script(const Primary& primary, std::string_view role, const NodeAddress& from,
                               const NodeAddress& to) {
  if (primary.client_reconfig_script.empty()) return;
  scripts.schedule({primary.client_reconfig_script, primary.name, std::string(role), "start", announced(from),
                    std::to_string(from.port), announced(to), std::to_string(to.port)});
}

NodeAddress Core::address_of(std::string_view host, uint16_t port) const {
  return {std::string(host), names.find(*this, host).value_or(""), port};
}

bool Core::same_host(const NodeAddress& address, std::string_view host) const {
  const std::optional<std::string> ip = names.find(*this, host);
  if (ip) return equal_ignoring_case(address.ip, *ip);
  // A name that cannot be resolved is compared as text: the node may just be gone.
  return equal_ignoring_case(settings.style.resolve_hostnames ? address.hostname : address.ip, host);
}

void Core::touch_link(const Link& link) {
  for (const InstanceId owner : link.owners) {
    if (Instance* instance = topology.instance(owner)) touch(*instance);
  }
}

bool Core::tilt_is_over() const { return topology.all_answered_since(*tilt.since()); }

void Core::close_orphans() {
  for (const ConnId conn : topology.take_orphans()) connections.close(conn, action::CloseMode::kNow);
}

}  // namespace holdfast::sentinel
