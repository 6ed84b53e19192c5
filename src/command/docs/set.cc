// What COMMAND DOCS says of the set commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "sadd",
     .summary = "Adds members to a set.",
     .complexity = "O(1)",
     .arguments = "key:key@0 *member:string"},
    {.name = "scard", .summary = "Number of members.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "sdiff",
     .summary = "Members of the first set that no other has.",
     .complexity = "O(N)",
     .arguments = "*key:key@0"},
    {.name = "sdiffstore",
     .summary = "Stores the members of the first set that no other has.",
     .complexity = "O(N)",
     .arguments = "destination:key@0 *key:key@1"},
    {.name = "sinter", .summary = "Members that all sets have.", .complexity = "O(N*M)", .arguments = "*key:key@0"},
    {.name = "sintercard",
     .summary = "How many members all sets have.",
     .complexity = "O(N*M)",
     .arguments = "numkeys:integer *key:key@0 ?limit:integer/LIMIT"},
    {.name = "sinterstore",
     .summary = "Stores the members that all sets have.",
     .complexity = "O(N*M)",
     .arguments = "destination:key@0 *key:key@1"},
    {.name = "sismember",
     .summary = "Whether a set has a member.",
     .complexity = "O(1)",
     .arguments = "key:key@0 member:string"},
    {.name = "smembers", .summary = "All members.", .complexity = "O(N)", .arguments = "key:key@0"},
    {.name = "smismember",
     .summary = "Which of several members a set has.",
     .complexity = "O(N)",
     .arguments = "key:key@0 *member:string"},
    {.name = "smove",
     .summary = "Moves a member to another set.",
     .complexity = "O(1)",
     .arguments = "source:key@0 destination:key@1 member:string"},
    {.name = "spop",
     .summary = "Takes members chosen by chance.",
     .complexity = "O(1)",
     .arguments = "key:key@0 ?count:integer^3.2.0"},
    {.name = "srandmember",
     .summary = "Members chosen by chance.",
     .complexity = "O(1)",
     .arguments = "key:key@0 ?count:integer^2.6.0"},
    {.name = "srem",
     .summary = "Removes members, and the set with its last one.",
     .complexity = "O(N)",
     .arguments = "key:key@0 *member:string"},
    {.name = "sscan",
     .summary = "Walks over a set, some members at a time.",
     .complexity = "O(1)",
     .arguments = "key:key@0 cursor:integer ?pattern:pattern/MATCH ?count:integer/COUNT"},
    {.name = "sunion", .summary = "Members of any of the sets.", .complexity = "O(N)", .arguments = "*key:key@0"},
    {.name = "sunionstore",
     .summary = "Stores the members of any of the sets.",
     .complexity = "O(N)",
     .arguments = "destination:key@0 *key:key@1"},
};

}  // namespace

std::span<const Docs> set_docs() { return kRows; }

}  // namespace holdfast::command
