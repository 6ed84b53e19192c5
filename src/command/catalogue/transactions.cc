// Rows of the catalogue: the transactions group. Facts of Redis 7.2.6; see command/spec.h for their meaning.
#include "command/catalogue.h"

namespace holdfast::command {
namespace {

constexpr KeySpec kWatchKeys[] = {keys_at(kKeyRo, 1, -1)};
constexpr Spec kRows[] = {
    {.name = "discard",
     .group = Group::kTransactions,
     .arity = 1,
     .since = "2.0.0",
     .flags = kNoScript | kLoading | kStale | kFast | kAllowBusy,
     .categories = kCatTransaction},
    {.name = "exec",
     .group = Group::kTransactions,
     .arity = 1,
     .since = "1.2.0",
     .flags = kNoScript | kLoading | kStale | kSkipSlowlog,
     .categories = kCatTransaction},
    {.name = "multi",
     .group = Group::kTransactions,
     .arity = 1,
     .since = "1.2.0",
     .flags = kNoScript | kLoading | kStale | kFast | kAllowBusy,
     .categories = kCatTransaction},
    {.name = "unwatch",
     .group = Group::kTransactions,
     .arity = 1,
     .since = "2.2.0",
     .flags = kNoScript | kLoading | kStale | kFast | kAllowBusy,
     .categories = kCatTransaction},
    {.name = "watch",
     .group = Group::kTransactions,
     .arity = -2,
     .since = "2.2.0",
     .flags = kNoScript | kLoading | kStale | kFast | kAllowBusy,
     .categories = kCatTransaction,
     .keys = kWatchKeys},
};

}  // namespace

std::span<const Spec> transactions_rows() { return kRows; }

}  // namespace holdfast::command
