// What COMMAND DOCS says of the connection commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "auth",
     .summary = "Proves who the connection is.",
     .complexity = "O(N)",
     .arguments = "?username:string^6.0.0 password:string"},
    {.name = "client", .summary = "Container of commands about connections."},
    {.name = "client|caching",
     .summary = "Whether the next command's keys are tracked.",
     .complexity = "O(1)",
     .arguments = "mode:oneof{yes:pure-token/YES no:pure-token/NO}"},
    {.name = "client|getname", .summary = "Name of the connection.", .complexity = "O(1)"},
    {.name = "client|getredir", .summary = "Who is told of changes in place of this connection.", .complexity = "O(1)"},
    {.name = "client|help", .summary = "Lists the subcommands.", .complexity = "O(1)"},
    {.name = "client|id", .summary = "Number of the connection.", .complexity = "O(1)"},
    {.name = "client|info", .summary = "What CLIENT LIST says of this connection.", .complexity = "O(1)"},
    {.name = "client|kill",
     .summary = "Closes connections by address, kind or user.",
     .complexity = "O(N)",
     .arguments = "filter:oneof{old-format=ip:port:string!2.8.12 *new-format:oneof{?client-id:integer/ID^2.8.12 "
                  "?client-type:oneof/TYPE^2.8.12{normal:pure-token/normal master:pure-token/master^3.2.0 "
                  "slave:pure-token/slave replica:pure-token/replica^5.0.0 pubsub:pure-token/pubsub} "
                  "?username:string/USER ?addr=ip:port:string/ADDR ?laddr=ip:port:string/LADDR^6.2.0 "
                  "?skipme:oneof/SKIPME{yes:pure-token/YES no:pure-token/NO}}}"},
    {.name = "client|list",
     .summary = "All connections with what they do and cost.",
     .complexity = "O(N)",
     .arguments = "?client-type:oneof/TYPE^5.0.0{normal:pure-token/normal master:pure-token/master "
                  "replica:pure-token/replica pubsub:pure-token/pubsub} ?*client-id:integer/ID^6.2.0"},
    {.name = "client|no-evict",
     .summary = "Spares the connection when clients are evicted.",
     .complexity = "O(1)",
     .arguments = "enabled:oneof{on:pure-token/ON off:pure-token/OFF}"},
    {.name = "client|no-touch",
     .summary = "Reads of this connection leave access times as they are.",
     .complexity = "O(1)",
     .arguments = "enabled:oneof{on:pure-token/ON off:pure-token/OFF}"},
    {.name = "client|pause",
     .summary = "Holds commands of clients back for a time.",
     .complexity = "O(1)",
     .arguments = "timeout:integer ?mode:oneof^6.2.0{write:pure-token/WRITE all:pure-token/ALL}"},
    {.name = "client|reply",
     .summary = "Whether the server answers this connection.",
     .complexity = "O(1)",
     .arguments = "action:oneof{on:pure-token/ON off:pure-token/OFF skip:pure-token/SKIP}"},
    {.name = "client|setinfo",
     .summary = "Tells the server about the client library.",
     .complexity = "O(1)",
     .arguments = "attr:oneof{libname:string/lib-name libver:string/lib-ver}"},
    {.name = "client|setname",
     .summary = "Gives the connection a name.",
     .complexity = "O(1)",
     .arguments = "connection-name:string"},
    {.name = "client|tracking",
     .summary = "Switches the help for client-side caching on or off.",
     .complexity = "O(1)",
     .arguments = "status:oneof{on:pure-token/ON off:pure-token/OFF} ?client-id:integer/REDIRECT "
                  "?*+prefix:string/PREFIX ?BCAST:pure-token/BCAST ?OPTIN:pure-token/OPTIN "
                  "?OPTOUT:pure-token/OPTOUT ?NOLOOP:pure-token/NOLOOP"},
    {.name = "client|trackinginfo",
     .summary = "How client-side caching is set up for this connection.",
     .complexity = "O(1)"},
    {.name = "client|unblock",
     .summary = "Ends the waiting of another connection.",
     .complexity = "O(log N)",
     .arguments = "client-id:integer ?unblock-type:oneof{timeout:pure-token/TIMEOUT error:pure-token/ERROR}"},
    {.name = "client|unpause", .summary = "Ends CLIENT PAUSE.", .complexity = "O(N)"},
    {.name = "echo", .summary = "Answers its argument.", .complexity = "O(1)", .arguments = "message:string"},
    {.name = "hello",
     .summary = "Chooses the protocol, and may log in and name the connection.",
     .complexity = "O(1)",
     .arguments = "?arguments:block{protover:integer ?auth:block/AUTH{username:string password:string} "
                  "?clientname:string/SETNAME}"},
    {.name = "ping",
     .summary = "Answers that the server is alive.",
     .complexity = "O(1)",
     .arguments = "?message:string"},
    {.name = "quit",
     .summary = "Closes the connection.",
     .complexity = "O(1)",
     .replaced_by = "closing the connection"},
    {.name = "reset", .summary = "Puts the connection back to how it began.", .complexity = "O(1)"},
    {.name = "select",
     .summary = "Chooses the database of the connection.",
     .complexity = "O(1)",
     .arguments = "index:integer"},
};

}  // namespace

std::span<const Docs> connection_docs() { return kRows; }

}  // namespace holdfast::command
