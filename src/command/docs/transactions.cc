// What COMMAND DOCS says of the transactions commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "discard", .summary = "Drops a transaction.", .complexity = "O(N)"},
    {.name = "exec", .summary = "Runs a transaction."},
    {.name = "multi", .summary = "Begins a transaction.", .complexity = "O(1)"},
    {.name = "unwatch", .summary = "Forgets the watched keys.", .complexity = "O(1)"},
    {.name = "watch",
     .summary = "Lets the next transaction fail if keys change before it.",
     .complexity = "O(1)",
     .arguments = "*key:key@0"},
};

}  // namespace

std::span<const Docs> transactions_docs() { return kRows; }

}  // namespace holdfast::command
