// SUBSCRIBE and its relatives, PUBLISH, PUBSUB.
#include <fmt/format.h>

#include "base/text.h"
#include "family/bindings.h"

namespace holdfast::family {
namespace {

/// One confirmation: kind, name (or null), how many subscriptions are left.
void confirm(Context& c, std::string_view kind, const std::string_view* name) {
  c.reply.push(3);
  c.reply.bulk(kind);
  name == nullptr ? c.reply.null() : c.reply.bulk(*name);
  c.reply.integer(static_cast<int64_t>(c.state.hub.count_of(c.session.id)));
}

void subscribe_command(Context& c) {
  for (const std::string_view channel : c.argv.subspan(1)) {
    c.state.hub.subscribe(c.session.id, channel);
    confirm(c, "subscribe", &channel);
  }
}

void psubscribe_command(Context& c) {
  for (const std::string_view pattern : c.argv.subspan(1)) {
    c.state.hub.subscribe_pattern(c.session.id, pattern);
    confirm(c, "psubscribe", &pattern);
  }
}

void unsubscribe_generic(Context& c, std::string_view kind, bool patterns) {
  std::vector<std::string> mine;
  std::vector<std::string_view> names(c.argv.begin() + 1, c.argv.end());
  if (names.empty()) {
    mine = patterns ? c.state.hub.patterns_of(c.session.id) : c.state.hub.channels_of(c.session.id);
    names.assign(mine.begin(), mine.end());
    if (names.empty()) return confirm(c, kind, nullptr);
  }
  for (const std::string_view name : names) {
    patterns ? c.state.hub.unsubscribe_pattern(c.session.id, name) : c.state.hub.unsubscribe(c.session.id, name);
    confirm(c, kind, &name);
  }
}
void unsubscribe_command(Context& c) { unsubscribe_generic(c, "unsubscribe", false); }
void punsubscribe_command(Context& c) { unsubscribe_generic(c, "punsubscribe", true); }

void publish_command(Context& c) {
  const size_t receivers = c.services.publish(c.argv[1], c.argv[2]);
  c.replace_effect({"PUBLISH", c.argv[1], c.argv[2]});
  c.reply.integer(static_cast<int64_t>(receivers));
}

void pubsub_channels_command(Context& c) {
  if (c.argv.size() > 3) {
    return c.reply.error("ERR wrong number of arguments for 'pubsub|channels' command");
  }
  const auto channels = c.state.hub.channels(c.argv.size() == 3 ? c.argv[2] : std::string_view());
  c.reply.array(channels.size());
  for (const std::string_view channel : channels) c.reply.bulk(channel);
}

void pubsub_numsub_command(Context& c) {
  c.reply.array((c.argv.size() - 2) * 2);
  for (const std::string_view channel : c.argv.subspan(2)) {
    c.reply.bulk(channel);
    c.reply.integer(static_cast<int64_t>(c.state.hub.subscribers(channel)));
  }
}

void pubsub_numpat_command(Context& c) { c.reply.integer(static_cast<int64_t>(c.state.hub.patterns())); }

constexpr Binding kBindings[] = {
    {"psubscribe", psubscribe_command},
    {"publish", publish_command},
    {"pubsub|channels", pubsub_channels_command},
    {"pubsub|numpat", pubsub_numpat_command},
    {"pubsub|numsub", pubsub_numsub_command},
    {"punsubscribe", punsubscribe_command},
    {"subscribe", subscribe_command},
    {"unsubscribe", unsubscribe_command},
};

}  // namespace

std::span<const Binding> pubsub_bindings() { return kBindings; }

}  // namespace holdfast::family
