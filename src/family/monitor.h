// MONITOR: clients that see every command as it is run.
//
// Source: MONITOR of redis-server 7.2 - the line's form, what it leaves out and what it hides.
#pragma once

#include <span>
#include <string_view>

#include "family/context.h"

namespace holdfast::family {

struct MonitoredCommand {
  const Session& session;
  const command::Spec& spec;
  std::span<const std::string_view> words;
  Now now;
};

/// To be called only where there are monitors.
void feed_monitors(State& state, Services& services, const MonitoredCommand& command);
void feed_monitors(const Context& context);
void monitor_off(State& state, Session& session);

}  // namespace holdfast::family
