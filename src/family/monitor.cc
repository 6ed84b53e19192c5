#include "family/monitor.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "family/bindings.h"
#include "family/redaction.h"

namespace holdfast::family {
namespace {

std::string place(const Session& session) {
  if (session.in_script) return fmt::format("{} lua", session.db);
  if (session.local.is_unix()) return fmt::format("{} unix:{}", session.db, session.local.unix_path);
  return fmt::format("{} {}", session.db, peer_name(session));
}

void monitor_command(Context& c) {
  if (c.in_transaction) return c.reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
  if (c.session.monitor || c.session.role == Role::kReplica) return;  // COMPAT: without any answer
  c.session.monitor = true;
  c.state.monitors.push_back(c.session.id);
  c.reply.ok();
}

constexpr Binding kBindings[] = {
    {"monitor", monitor_command},
};

}  // namespace

void feed_monitors(State& state, Services& services, const MonitoredCommand& command) {
  if (state.loading) return;
  const int64_t us = command.now.wall.time_since_epoch().count();
  std::string line = fmt::format("+{}.{:06} [{}]", us / 1'000'000, us % 1'000'000, place(command.session));
  std::vector<std::string_view> storage;
  for (const std::string_view word : shown_words(command.spec, command.words, storage)) line += ' ' + quoted(word);
  line += "\r\n";
  for (const ClientId id : state.monitors) {
    if (Session* monitor = services.find_session(id)) services.output_of(*monitor).append(line);
  }
}

void feed_monitors(const Context& context) {
  feed_monitors(context.state, context.services, {context.session, context.spec, context.argv, context.now});
}

void monitor_off(State& state, Session& session) {
  if (!session.monitor) return;
  session.monitor = false;
  std::erase(state.monitors, session.id);
}

std::span<const Binding> monitor_bindings() { return kBindings; }

}  // namespace holdfast::family
