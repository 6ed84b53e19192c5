// What COMMAND DOCS says of the stream commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "xack",
     .summary = "Says that a group's consumer is done with entries.",
     .complexity = "O(1)",
     .arguments = "key:key@0 group:string *ID:string"},
    {.name = "xadd",
     .summary = "Appends an entry to a stream.",
     .complexity = "O(1)",
     .arguments = "key:key@0 ?nomkstream:pure-token/NOMKSTREAM^6.2.0 "
                  "?trim:block{strategy:oneof{maxlen:pure-token/MAXLEN minid:pure-token/MINID^6.2.0} "
                  "?operator:oneof{equal:pure-token/= approximately:pure-token/~} threshold:string "
                  "?count:integer/LIMIT^6.2.0} id-selector:oneof{auto-id:pure-token/* id:string} "
                  "*data:block{field:string value:string}"},
    {.name = "xautoclaim",
     .summary = "Takes entries over that others did not finish, found by walking.",
     .complexity = "O(1)",
     .arguments = "key:key@0 group:string consumer:string min-idle-time:string start:string ?count:integer/COUNT "
                  "?justid:pure-token/JUSTID"},
    {.name = "xclaim",
     .summary = "Takes named entries over from other consumers.",
     .complexity = "O(log N)",
     .arguments = "key:key@0 group:string consumer:string min-idle-time:string *ID:string ?ms:integer/IDLE "
                  "?unix-time-milliseconds:unix-time/TIME ?count:integer/RETRYCOUNT ?force:pure-token/FORCE "
                  "?justid:pure-token/JUSTID ?lastid:string/LASTID"},
    {.name = "xdel", .summary = "Deletes entries.", .complexity = "O(1)", .arguments = "key:key@0 *ID:string"},
    {.name = "xgroup", .summary = "Container of commands about consumer groups."},
    {.name = "xgroup|create",
     .summary = "Makes a consumer group.",
     .complexity = "O(1)",
     .arguments = "key:key@0 group:string id-selector:oneof{id:string new-id:pure-token/$} "
                  "?mkstream:pure-token/MKSTREAM ?entries-read:integer/ENTRIESREAD"},
    {.name = "xgroup|createconsumer",
     .summary = "Makes a consumer of a group.",
     .complexity = "O(1)",
     .arguments = "key:key@0 group:string consumer:string"},
    {.name = "xgroup|delconsumer",
     .summary = "Deletes a consumer of a group.",
     .complexity = "O(1)",
     .arguments = "key:key@0 group:string consumer:string"},
    {.name = "xgroup|destroy",
     .summary = "Deletes a consumer group.",
     .complexity = "O(N)",
     .arguments = "key:key@0 group:string"},
    {.name = "xgroup|help", .summary = "Lists the subcommands.", .complexity = "O(1)"},
    {.name = "xgroup|setid",
     .summary = "Sets what a group has been given last.",
     .complexity = "O(1)",
     .arguments = "key:key@0 group:string id-selector:oneof{id:string new-id:pure-token/$} "
                  "?entriesread=entries-read:integer/ENTRIESREAD"},
    {.name = "xinfo", .summary = "Container of commands that look into streams."},
    {.name = "xinfo|consumers",
     .summary = "Consumers of a group.",
     .complexity = "O(1)",
     .arguments = "key:key@0 group:string"},
    {.name = "xinfo|groups", .summary = "Groups of a stream.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "xinfo|help", .summary = "Lists the subcommands.", .complexity = "O(1)"},
    {.name = "xinfo|stream",
     .summary = "Facts about a stream, or all there is.",
     .complexity = "O(1)",
     .arguments = "key:key@0 ?full-block:block{full:pure-token/FULL ?count:integer/COUNT}"},
    {.name = "xlen", .summary = "Number of entries.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "xpending",
     .summary = "Entries that were given out and not acknowledged.",
     .complexity = "O(N)",
     .arguments = "key:key@0 group:string ?filters:block{?min-idle-time:integer/IDLE^6.2.0 start:string "
                  "end:string count:integer ?consumer:string}"},
    {.name = "xrange",
     .summary = "Entries between two ids.",
     .complexity = "O(N)",
     .arguments = "key:key@0 start:string end:string ?count:integer/COUNT"},
    {.name = "xread",
     .summary = "Entries of streams behind given ids, and may wait for them.",
     .complexity = "O(1)",
     .arguments = "?count:integer/COUNT ?milliseconds:integer/BLOCK streams:block/STREAMS{*key:key@0 *ID:string}"},
    {.name = "xreadgroup",
     .summary = "Entries of streams for a consumer of a group, and may wait for them.",
     .complexity = "O(M)",
     .arguments = "group-block:block/GROUP{group:string consumer:string} ?count:integer/COUNT "
                  "?milliseconds:integer/BLOCK ?noack:pure-token/NOACK streams:block/STREAMS{*key:key@0 *ID:string}"},
    {.name = "xrevrange",
     .summary = "Entries between two ids, last first.",
     .complexity = "O(N)",
     .arguments = "key:key@0 end:string start:string ?count:integer/COUNT"},
    {.name = "xsetid",
     .summary = "Sets a stream's last id; for replication.",
     .complexity = "O(1)",
     .arguments = "key:key@0 last-id:string ?entries-added:integer/ENTRIESADDED^7.0.0 "
                  "?max-deleted-id:string/MAXDELETEDID^7.0.0"},
    {.name = "xtrim",
     .summary = "Deletes the oldest entries.",
     .complexity = "O(N)",
     .arguments = "key:key@0 trim:block{strategy:oneof{maxlen:pure-token/MAXLEN minid:pure-token/MINID^6.2.0} "
                  "?operator:oneof{equal:pure-token/= approximately:pure-token/~} threshold:string "
                  "?count:integer/LIMIT^6.2.0}"},
};

}  // namespace

std::span<const Docs> stream_docs() { return kRows; }

}  // namespace holdfast::command
