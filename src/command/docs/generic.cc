// What COMMAND DOCS says of the generic commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "copy",
     .summary = "Copies a value to another key.",
     .complexity = "O(N)",
     .arguments = "source:key@0 destination:key@1 ?destination-db:integer/DB ?replace:pure-token/REPLACE"},
    {.name = "del", .summary = "Deletes keys.", .complexity = "O(N)", .arguments = "*key:key@0"},
    {.name = "dump", .summary = "A value as bytes for RESTORE.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "exists", .summary = "How many of the keys exist.", .complexity = "O(N)", .arguments = "*key:key@0"},
    {.name = "expire",
     .summary = "Lets a key live for so many seconds.",
     .complexity = "O(1)",
     .arguments = "key:key@0 seconds:integer ?condition:oneof^7.0.0{nx:pure-token/NX xx:pure-token/XX "
                  "gt:pure-token/GT lt:pure-token/LT}"},
    {.name = "expireat",
     .summary = "Lets a key live up to a time in seconds.",
     .complexity = "O(1)",
     .arguments = "key:key@0 unix-time-seconds:unix-time ?condition:oneof^7.0.0{nx:pure-token/NX "
                  "xx:pure-token/XX gt:pure-token/GT lt:pure-token/LT}"},
    {.name = "expiretime",
     .summary = "When a key ends, in seconds of UNIX time.",
     .complexity = "O(1)",
     .arguments = "key:key@0"},
    {.name = "keys",
     .summary = "All names of keys that fit a pattern.",
     .complexity = "O(N)",
     .arguments = "pattern:pattern"},
    {.name = "migrate",
     .summary = "Moves keys to another server.",
     .complexity = "O(N)",
     .arguments = "host:string port:integer key-selector:oneof{key:key@0 empty-string:pure-token/\"\"} "
                  "destination-db:integer timeout:integer ?copy:pure-token/COPY^3.0.0 "
                  "?replace:pure-token/REPLACE^3.0.0 ?authentication:oneof{auth=password:string/AUTH^4.0.7 "
                  "auth2:block/AUTH2^6.0.0{username:string password:string}} ?*keys=key:key@1/KEYS^3.0.6"},
    {.name = "move",
     .summary = "Moves a key to another database.",
     .complexity = "O(1)",
     .arguments = "key:key@0 db:integer"},
    {.name = "object", .summary = "Container of commands about how values are kept."},
    {.name = "object|encoding", .summary = "How a value is kept.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "object|freq",
     .summary = "How often a key is used, on a logarithmic scale.",
     .complexity = "O(1)",
     .arguments = "key:key@0"},
    {.name = "object|help", .summary = "Lists the subcommands.", .complexity = "O(1)"},
    {.name = "object|idletime",
     .summary = "Seconds since a key was last used.",
     .complexity = "O(1)",
     .arguments = "key:key@0"},
    {.name = "object|refcount", .summary = "References to a value.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "persist", .summary = "Lets a key live without end.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "pexpire",
     .summary = "Lets a key live for so many milliseconds.",
     .complexity = "O(1)",
     .arguments = "key:key@0 milliseconds:integer ?condition:oneof^7.0.0{nx:pure-token/NX xx:pure-token/XX "
                  "gt:pure-token/GT lt:pure-token/LT}"},
    {.name = "pexpireat",
     .summary = "Lets a key live up to a time in milliseconds.",
     .complexity = "O(1)",
     .arguments = "key:key@0 unix-time-milliseconds:unix-time ?condition:oneof^7.0.0{nx:pure-token/NX "
                  "xx:pure-token/XX gt:pure-token/GT lt:pure-token/LT}"},
    {.name = "pexpiretime",
     .summary = "When a key ends, in milliseconds of UNIX time.",
     .complexity = "O(1)",
     .arguments = "key:key@0"},
    {.name = "pttl", .summary = "Milliseconds a key has left.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "randomkey", .summary = "The name of any one key.", .complexity = "O(1)"},
    {.name = "rename",
     .summary = "Gives a key another name, in place of what has it.",
     .complexity = "O(1)",
     .arguments = "key:key@0 newkey:key@1"},
    {.name = "renamenx",
     .summary = "Gives a key another name if nothing has it.",
     .complexity = "O(1)",
     .arguments = "key:key@0 newkey:key@1"},
    {.name = "restore",
     .summary = "Makes a key of the bytes DUMP answered.",
     .complexity = "O(1)",
     .arguments = "key:key@0 ttl:integer serialized-value:string ?replace:pure-token/REPLACE^3.0.0 "
                  "?absttl:pure-token/ABSTTL^5.0.0 ?seconds:integer/IDLETIME^5.0.0 ?frequency:integer/FREQ^5.0.0"},
    {.name = "scan",
     .summary = "Walks over the names of keys, some at a time.",
     .complexity = "O(1)",
     .arguments = "cursor:integer ?pattern:pattern/MATCH ?count:integer/COUNT ?type:string/TYPE^6.0.0"},
    {.name = "sort",
     .summary = "Sorts a list, set or sorted set, and may store the result.",
     .complexity = "O(N+M*log(M))",
     .arguments = "key:key@0 ?by-pattern=pattern:pattern@1/BY ?limit:block/LIMIT{offset:integer count:integer} "
                  "?*+get-pattern=pattern:pattern@1/GET ?order:oneof{asc:pure-token/ASC desc:pure-token/DESC} "
                  "?sorting:pure-token/ALPHA ?destination:key@2/STORE"},
    {.name = "sort_ro",
     .summary = "Sorts a list, set or sorted set.",
     .complexity = "O(N+M*log(M))",
     .arguments = "key:key@0 ?by-pattern=pattern:pattern@1/BY ?limit:block/LIMIT{offset:integer count:integer} "
                  "?*+get-pattern=pattern:pattern@1/GET ?order:oneof{asc:pure-token/ASC desc:pure-token/DESC} "
                  "?sorting:pure-token/ALPHA"},
    {.name = "touch",
     .summary = "Counts keys that exist and marks them as used.",
     .complexity = "O(N)",
     .arguments = "*key:key@0"},
    {.name = "ttl", .summary = "Seconds a key has left.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "type", .summary = "Kind of a value.", .complexity = "O(1)", .arguments = "key:key@0"},
    {.name = "unlink",
     .summary = "Deletes keys and frees their memory later.",
     .complexity = "O(1)",
     .arguments = "*key:key@0"},
    {.name = "wait",
     .summary = "Waits until replicas have this connection's writes.",
     .complexity = "O(1)",
     .arguments = "numreplicas:integer timeout:integer"},
    {.name = "waitaof",
     .summary = "Waits until this connection's writes are on disk here and on replicas.",
     .complexity = "O(1)",
     .arguments = "numlocal:integer numreplicas:integer timeout:integer"},
};

}  // namespace

std::span<const Docs> generic_docs() { return kRows; }

}  // namespace holdfast::command
