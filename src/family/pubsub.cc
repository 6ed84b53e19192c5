// SUBSCRIBE and its relatives, PUBLISH, PUBSUB; the sharded kind too, which without a cluster is one more name space.
#include "family/bindings.h"
#include "family/help.h"

namespace holdfast::family {
namespace {

/// Which of the three kinds of subscriptions a command is about.
enum class Kind : uint8_t { kChannel, kPattern, kShard };

std::string_view subscribe_word(Kind kind) {
  return kind == Kind::kChannel ? "subscribe" : kind == Kind::kPattern ? "psubscribe" : "ssubscribe";
}
std::string_view unsubscribe_word(Kind kind) {
  return kind == Kind::kChannel ? "unsubscribe" : kind == Kind::kPattern ? "punsubscribe" : "sunsubscribe";
}
pubsub::Hub& hub_of(Context& c, Kind kind) { return kind == Kind::kShard ? c.state.shard_hub : c.state.hub; }

/// One confirmation: word, name (or null), how many subscriptions are left (sharded ones are counted apart).
void confirm(Context& c, Kind kind, std::string_view word, const std::string_view* name) {
  if (c.session.role == Role::kPrimary) return;
  command::Reply reply = c.reply.pushing();
  reply.push(3);
  reply.bulk(word);
  name == nullptr ? reply.null() : reply.bulk(*name);
  reply.integer(static_cast<int64_t>(hub_of(c, kind).count_of(c.session.id)));
}

template <Kind K>
void subscribe_command(Context& c) {
  for (const std::string_view name : c.argv.subspan(1)) {
    pubsub::Hub& hub = hub_of(c, K);
    K == Kind::kPattern ? hub.subscribe_pattern(c.session.id, name) : hub.subscribe(c.session.id, name);
    confirm(c, K, subscribe_word(K), &name);
  }
}

template <Kind K>
void unsubscribe_command(Context& c) {
  pubsub::Hub& hub = hub_of(c, K);
  std::vector<std::string> mine;
  std::vector<std::string_view> names(c.argv.begin() + 1, c.argv.end());
  if (names.empty()) {
    mine = K == Kind::kPattern ? hub.patterns_of(c.session.id) : hub.channels_of(c.session.id);
    names.assign(mine.begin(), mine.end());
    if (names.empty()) return confirm(c, K, unsubscribe_word(K), nullptr);
  }
  for (const std::string_view name : names) {
    K == Kind::kPattern ? hub.unsubscribe_pattern(c.session.id, name) : hub.unsubscribe(c.session.id, name);
    confirm(c, K, unsubscribe_word(K), &name);
  }
}

void publish_command(Context& c) {
  const size_t receivers = c.services.publish(c.argv[1], c.argv[2]);
  c.replace_effect({"PUBLISH", c.argv[1], c.argv[2]});
  c.reply.integer(static_cast<int64_t>(receivers));
}

void spublish_command(Context& c) {
  const size_t receivers = c.services.publish_shard(c.argv[1], c.argv[2]);
  c.replace_effect({"SPUBLISH", c.argv[1], c.argv[2]});
  c.reply.integer(static_cast<int64_t>(receivers));
}

template <Kind K>
void pubsub_channels_command(Context& c) {
  if (c.argv.size() > 3) return reply_unknown_subcommand(c);
  const auto channels = hub_of(c, K).channels(c.argv.size() == 3 ? c.argv[2] : std::string_view());
  c.reply.array(channels.size());
  for (const std::string_view channel : channels) c.reply.bulk(channel);
}

template <Kind K>
void pubsub_numsub_command(Context& c) {
  c.reply.array((c.argv.size() - 2) * 2);
  for (const std::string_view channel : c.argv.subspan(2)) {
    c.reply.bulk(channel);
    c.reply.integer(static_cast<int64_t>(hub_of(c, K).subscribers(channel)));
  }
}

void pubsub_numpat_command(Context& c) { c.reply.integer(static_cast<int64_t>(c.state.hub.patterns())); }

void pubsub_help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "CHANNELS [<pattern>]",
      "    Return the currently active channels matching a <pattern> (default: '*').",
      "NUMPAT",
      "    Return number of subscriptions to patterns.",
      "NUMSUB [<channel> ...]",
      "    Return the number of subscribers for the specified channels, excluding",
      "    pattern subscriptions(default: no channels).",
      "SHARDCHANNELS [<pattern>]",
      "    Return the currently active shard level channels matching a <pattern> (default: '*').",
      "SHARDNUMSUB [<shardchannel> ...]",
      "    Return the number of subscribers for the specified shard level channel(s)",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"psubscribe", subscribe_command<Kind::kPattern>},
    {"publish", publish_command},
    {"pubsub|channels", pubsub_channels_command<Kind::kChannel>},
    {"pubsub|help", pubsub_help_command},
    {"pubsub|numpat", pubsub_numpat_command},
    {"pubsub|numsub", pubsub_numsub_command<Kind::kChannel>},
    {"pubsub|shardchannels", pubsub_channels_command<Kind::kShard>},
    {"pubsub|shardnumsub", pubsub_numsub_command<Kind::kShard>},
    {"punsubscribe", unsubscribe_command<Kind::kPattern>},
    {"spublish", spublish_command},
    {"ssubscribe", subscribe_command<Kind::kShard>},
    {"subscribe", subscribe_command<Kind::kChannel>},
    {"sunsubscribe", unsubscribe_command<Kind::kShard>},
    {"unsubscribe", unsubscribe_command<Kind::kChannel>},
};

}  // namespace

std::span<const Binding> pubsub_bindings() { return kBindings; }

}  // namespace holdfast::family
