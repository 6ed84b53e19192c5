// What COMMAND DOCS says of the hyperloglog commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "pfadd",
     .summary = "Adds elements to a HyperLogLog.",
     .complexity = "O(1)",
     .arguments = "key:key@0 ?*element:string"},
    {.name = "pfcount",
     .summary = "About how many different elements HyperLogLogs have seen.",
     .complexity = "O(1)",
     .arguments = "*key:key@0"},
    {.name = "pfdebug", .summary = "Looks inside a HyperLogLog.", .arguments = "subcommand:string key:key@0"},
    {.name = "pfmerge",
     .summary = "Joins HyperLogLogs into one.",
     .complexity = "O(N)",
     .arguments = "destkey:key@0 ?*sourcekey:key@1"},
    {.name = "pfselftest", .summary = "Tests HyperLogLogs of this build."},
};

}  // namespace

std::span<const Docs> hyperloglog_docs() { return kRows; }

}  // namespace holdfast::command
