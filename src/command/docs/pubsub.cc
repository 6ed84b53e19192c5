// What COMMAND DOCS says of the pubsub commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "psubscribe",
     .summary = "Listens to channels that fit patterns.",
     .complexity = "O(N)",
     .arguments = "*pattern:pattern"},
    {.name = "publish",
     .summary = "Sends a message to a channel.",
     .complexity = "O(N+M)",
     .arguments = "channel:string message:string"},
    {.name = "pubsub", .summary = "Container of commands about subscriptions."},
    {.name = "pubsub|channels",
     .summary = "Channels somebody listens to.",
     .complexity = "O(N)",
     .arguments = "?pattern:pattern"},
    {.name = "pubsub|help", .summary = "Lists the subcommands.", .complexity = "O(1)"},
    {.name = "pubsub|numpat", .summary = "Number of patterns subscribed to.", .complexity = "O(1)"},
    {.name = "pubsub|numsub",
     .summary = "Number of subscribers of channels.",
     .complexity = "O(N)",
     .arguments = "?*channel:string"},
    {.name = "pubsub|shardchannels",
     .summary = "Sharded channels somebody listens to.",
     .complexity = "O(N)",
     .arguments = "?pattern:pattern"},
    {.name = "pubsub|shardnumsub",
     .summary = "Number of subscribers of sharded channels.",
     .complexity = "O(N)",
     .arguments = "?*shardchannel:string"},
    {.name = "punsubscribe",
     .summary = "Ends listening to patterns.",
     .complexity = "O(N)",
     .arguments = "?*pattern:pattern"},
    {.name = "spublish",
     .summary = "Sends a message to a sharded channel.",
     .complexity = "O(N)",
     .arguments = "shardchannel:string message:string"},
    {.name = "ssubscribe",
     .summary = "Listens to sharded channels.",
     .complexity = "O(N)",
     .arguments = "*shardchannel:string"},
    {.name = "subscribe", .summary = "Listens to channels.", .complexity = "O(N)", .arguments = "*channel:string"},
    {.name = "sunsubscribe",
     .summary = "Ends listening to sharded channels.",
     .complexity = "O(N)",
     .arguments = "?*shardchannel:string"},
    {.name = "unsubscribe",
     .summary = "Ends listening to channels.",
     .complexity = "O(N)",
     .arguments = "?*channel:string"},
};

}  // namespace

std::span<const Docs> pubsub_docs() { return kRows; }

}  // namespace holdfast::command
