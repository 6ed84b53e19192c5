// What COMMAND DOCS says of the hash commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "hdel",
     .summary = "Deletes fields, and the hash with its last one.",
     .complexity = "O(N)",
     .arguments = "key:key@0 *field:string"},
    {.name = "hexists",
     .summary = "Whether a field exists.",
     .complexity = "O(1)",
     .arguments = "key:key@0 field:string"},
    {.name = "hget", .summary = "Value of a field.", .complexity = "O(1)", .arguments = "key:key@0 field:string"},
    {.name = "hgetall", .summary = "All fields with their values.", .complexity = "O(N)", .arguments = "key:key@0"},
    {.name = "hincrby",
     .summary = "Adds to the integer in a field.",
     .complexity = "O(1)",
     .arguments = "key:key@0 field:string increment:integer"},
    {.name = "hincrbyfloat",
     .summary = "Adds to the number in a field.",
     .complexity = "O(1)",
     .arguments = "key:key@0 field:string increment:double"},
    {.name = "hkeys", .summary = "All fields.", .complexity = "O(N)", .arguments = "key:key@0"},
    {.name = "hlen", .summary = "Number of fields.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "hmget",
     .summary = "Values of several fields.",
     .complexity = "O(N)",
     .arguments = "key:key@0 *field:string"},
    {.name = "hmset",
     .summary = "Sets several fields.",
     .complexity = "O(N)",
     .replaced_by = "`HSET` (several pairs)",
     .arguments = "key:key@0 *data:block{field:string value:string}"},
    {.name = "hrandfield",
     .summary = "Fields chosen by chance.",
     .complexity = "O(N)",
     .arguments = "key:key@0 ?options:block{count:integer ?withvalues:pure-token/WITHVALUES}"},
    {.name = "hscan",
     .summary = "Walks over a hash, some fields at a time.",
     .complexity = "O(1)",
     .arguments = "key:key@0 cursor:integer ?pattern:pattern/MATCH ?count:integer/COUNT"},
    {.name = "hset",
     .summary = "Sets fields and answers how many are new.",
     .complexity = "O(1)",
     .arguments = "key:key@0 *data:block{field:string value:string}"},
    {.name = "hsetnx",
     .summary = "Sets a field that does not exist.",
     .complexity = "O(1)",
     .arguments = "key:key@0 field:string value:string"},
    {.name = "hstrlen",
     .summary = "Length of a field's value.",
     .complexity = "O(1)",
     .arguments = "key:key@0 field:string"},
    {.name = "hvals", .summary = "All values.", .complexity = "O(N)", .arguments = "key:key@0"},
};

}  // namespace

std::span<const Docs> hash_docs() { return kRows; }

}  // namespace holdfast::command
