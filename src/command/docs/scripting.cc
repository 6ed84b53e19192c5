// What COMMAND DOCS says of the scripting commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "eval",
     .summary = "Runs a Lua script.",
     .arguments = "script:string numkeys:integer ?*key:key@0 ?*arg:string"},
    {.name = "eval_ro",
     .summary = "Runs a Lua script that only reads.",
     .arguments = "script:string numkeys:integer ?*key:key@0 ?*arg:string"},
    {.name = "evalsha",
     .summary = "Runs a script the server knows by its SHA1.",
     .arguments = "sha1:string numkeys:integer ?*key:key@0 ?*arg:string"},
    {.name = "evalsha_ro",
     .summary = "Runs a script the server knows by its SHA1 and that only reads.",
     .arguments = "sha1:string numkeys:integer ?*key:key@0 ?*arg:string"},
    {.name = "fcall",
     .summary = "Calls a function of a library.",
     .arguments = "function:string numkeys:integer ?*key:key@0 ?*arg:string"},
    {.name = "fcall_ro",
     .summary = "Calls a function that only reads.",
     .arguments = "function:string numkeys:integer ?*key:key@0 ?*arg:string"},
    {.name = "function", .summary = "Container of commands about libraries of functions."},
    {.name = "function|delete",
     .summary = "Deletes a library.",
     .complexity = "O(1)",
     .arguments = "library-name:string"},
    {.name = "function|dump", .summary = "All libraries as bytes for FUNCTION RESTORE.", .complexity = "O(N)"},
    {.name = "function|flush",
     .summary = "Deletes all libraries.",
     .complexity = "O(N)",
     .arguments = "?flush-type:oneof{async:pure-token/ASYNC sync:pure-token/SYNC}"},
    {.name = "function|help", .summary = "Lists the subcommands.", .complexity = "O(1)"},
    {.name = "function|kill", .summary = "Ends the function that runs.", .complexity = "O(1)"},
    {.name = "function|list",
     .summary = "Libraries with their functions.",
     .complexity = "O(N)",
     .arguments = "?library-name-pattern:string/LIBRARYNAME ?withcode:pure-token/WITHCODE"},
    {.name = "function|load",
     .summary = "Makes a library.",
     .complexity = "O(1)",
     .arguments = "?replace:pure-token/REPLACE function-code:string"},
    {.name = "function|restore",
     .summary = "Makes libraries of the bytes FUNCTION DUMP answered.",
     .complexity = "O(N)",
     .arguments = "serialized-value:string ?policy:oneof{flush:pure-token/FLUSH append:pure-token/APPEND "
                  "replace:pure-token/REPLACE}"},
    {.name = "function|stats", .summary = "The function that runs, and counts by engine.", .complexity = "O(1)"},
    {.name = "script", .summary = "Container of commands about scripts."},
    {.name = "script|debug",
     .summary = "Switches the debugger for scripts.",
     .complexity = "O(1)",
     .arguments = "mode:oneof{yes:pure-token/YES sync:pure-token/SYNC no:pure-token/NO}"},
    {.name = "script|exists",
     .summary = "Which scripts the server knows.",
     .complexity = "O(N)",
     .arguments = "*sha1:string"},
    {.name = "script|flush",
     .summary = "Forgets all scripts.",
     .complexity = "O(N)",
     .arguments = "?flush-type:oneof^6.2.0{async:pure-token/ASYNC sync:pure-token/SYNC}"},
    {.name = "script|help", .summary = "Lists the subcommands.", .complexity = "O(1)"},
    {.name = "script|kill", .summary = "Ends the script that runs.", .complexity = "O(1)"},
    {.name = "script|load",
     .summary = "Makes a script known without running it.",
     .complexity = "O(N)",
     .arguments = "script:string"},
};

}  // namespace

std::span<const Docs> scripting_docs() { return kRows; }

}  // namespace holdfast::command
