// Rows of the catalogue: the hyperloglog group. Facts of Redis 7.2.6; see command/spec.h for their meaning.
#include "command/catalogue.h"

namespace holdfast::command {
namespace {

constexpr KeySpec kPfaddKeys[] = {keys_at(kKeyRw | kKeyInsert, 1)};
constexpr KeySpec kPfcountKeys[] = {keys_at(kKeyRw | kKeyAccess, 1, -1)};
constexpr KeySpec kPfdebugKeys[] = {keys_at(kKeyRw | kKeyAccess, 2)};
constexpr KeySpec kPfmergeKeys[] = {keys_at(kKeyRw | kKeyAccess | kKeyInsert, 1), keys_at(kKeyRo | kKeyAccess, 2, -1)};
constexpr Spec kRows[] = {
    {.name = "pfadd",
     .group = Group::kHyperloglog,
     .arity = -2,
     .since = "2.8.9",
     .flags = kWrite | kDenyOom | kFast,
     .categories = kCatHyperloglog,
     .keys = kPfaddKeys},
    {.name = "pfcount",
     .group = Group::kHyperloglog,
     .arity = -2,
     .since = "2.8.9",
     .flags = kReadonly | kMayReplicate,
     .categories = kCatHyperloglog,
     .keys = kPfcountKeys},
    {.name = "pfdebug",
     .group = Group::kHyperloglog,
     .arity = 3,
     .since = "2.8.9",
     .flags = kWrite | kDenyOom | kAdmin | kSysCmd,
     .categories = kCatHyperloglog,
     .keys = kPfdebugKeys},
    {.name = "pfmerge",
     .group = Group::kHyperloglog,
     .arity = -2,
     .since = "2.8.9",
     .flags = kWrite | kDenyOom,
     .categories = kCatHyperloglog,
     .keys = kPfmergeKeys},
    {.name = "pfselftest",
     .group = Group::kHyperloglog,
     .arity = 1,
     .since = "2.8.9",
     .flags = kAdmin | kSysCmd,
     .categories = kCatHyperloglog},
};

}  // namespace

std::span<const Spec> hyperloglog_rows() { return kRows; }

}  // namespace holdfast::command
