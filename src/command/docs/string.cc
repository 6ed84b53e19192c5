// What COMMAND DOCS says of the string commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "append",
     .summary = "Appends to a string, or makes it.",
     .complexity = "O(1)",
     .arguments = "key:key@0 value:string"},
    {.name = "decr", .summary = "Takes one from an integer.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "decrby",
     .summary = "Takes from an integer.",
     .complexity = "O(1)",
     .arguments = "key:key@0 decrement:integer"},
    {.name = "get", .summary = "Value of a string.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "getdel", .summary = "Value of a string that is deleted.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "getex",
     .summary = "Value of a string whose lifetime is changed.",
     .complexity = "O(1)",
     .arguments = "key:key@0 ?expiration:oneof{seconds:integer/EX milliseconds:integer/PX "
                  "unix-time-seconds:unix-time/EXAT unix-time-milliseconds:unix-time/PXAT "
                  "persist:pure-token/PERSIST}"},
    {.name = "getrange",
     .summary = "Part of a string.",
     .complexity = "O(N)",
     .arguments = "key:key@0 start:integer end:integer"},
    {.name = "getset",
     .summary = "Sets a string and answers what it was.",
     .complexity = "O(1)",
     .replaced_by = "`SET` (`!GET`)",
     .arguments = "key:key@0 value:string"},
    {.name = "incr", .summary = "Adds one to an integer.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "incrby",
     .summary = "Adds to an integer.",
     .complexity = "O(1)",
     .arguments = "key:key@0 increment:integer"},
    {.name = "incrbyfloat",
     .summary = "Adds to a number.",
     .complexity = "O(1)",
     .arguments = "key:key@0 increment:double"},
    {.name = "lcs",
     .summary = "The longest common subsequence of two strings.",
     .complexity = "O(N*M)",
     .arguments = "key1:key@0 key2:key@0 ?len:pure-token/LEN ?idx:pure-token/IDX "
                  "?min-match-len:integer/MINMATCHLEN ?withmatchlen:pure-token/WITHMATCHLEN"},
    {.name = "mget", .summary = "Values of several strings.", .complexity = "O(N)", .arguments = "*key:key@0"},
    {.name = "mset",
     .summary = "Sets several strings.",
     .complexity = "O(N)",
     .arguments = "*data:block{key:key@0 value:string}"},
    {.name = "msetnx",
     .summary = "Sets several strings if none of the keys exists.",
     .complexity = "O(N)",
     .arguments = "*data:block{key:key@0 value:string}"},
    {.name = "psetex",
     .summary = "Sets a string that lives for so many milliseconds.",
     .complexity = "O(1)",
     .replaced_by = "`SET` (`PX`)",
     .arguments = "key:key@0 milliseconds:integer value:string"},
    {.name = "set",
     .summary = "Sets a string, whatever the key held.",
     .complexity = "O(1)",
     .arguments = "key:key@0 value:string ?condition:oneof^2.6.12{nx:pure-token/NX xx:pure-token/XX} "
                  "?get:pure-token/GET^6.2.0 ?expiration:oneof{seconds:integer/EX^2.6.12 "
                  "milliseconds:integer/PX^2.6.12 unix-time-seconds:unix-time/EXAT^6.2.0 "
                  "unix-time-milliseconds:unix-time/PXAT^6.2.0 keepttl:pure-token/KEEPTTL^6.0.0}"},
    {.name = "setex",
     .summary = "Sets a string that lives for so many seconds.",
     .complexity = "O(1)",
     .replaced_by = "`SET` (`EX`)",
     .arguments = "key:key@0 seconds:integer value:string"},
    {.name = "setnx",
     .summary = "Sets a string if the key does not exist.",
     .complexity = "O(1)",
     .replaced_by = "`SET` (`NX`)",
     .arguments = "key:key@0 value:string"},
    {.name = "setrange",
     .summary = "Overwrites part of a string.",
     .complexity = "O(1)",
     .arguments = "key:key@0 offset:integer value:string"},
    {.name = "strlen", .summary = "Length of a string.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "substr",
     .summary = "Part of a string, by the older name.",
     .complexity = "O(N)",
     .replaced_by = "`GETRANGE`",
     .arguments = "key:key@0 start:integer end:integer"},
};

}  // namespace

std::span<const Docs> string_docs() { return kRows; }

}  // namespace holdfast::command
