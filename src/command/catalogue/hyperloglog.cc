// Rows of the catalogue: the hyperloglog group. Facts of Redis 7.2.6; see command/spec.h for their meaning.
#include "command/catalogue.h"

namespace holdfast::command {
namespace {

constexpr KeySpec kPfaddKeys[] = {{.flags = kKeyRw | kKeyInsert,
                                   .begin = KeySpec::Begin::kIndex,
                                   .position = 1,
                                   .find = KeySpec::Find::kRange,
                                   .last = 0,
                                   .step = 1,
                                   .limit = 0}};

constexpr KeySpec kPfcountKeys[] = {{.flags = kKeyRw | kKeyAccess,
                                     .begin = KeySpec::Begin::kIndex,
                                     .position = 1,
                                     .find = KeySpec::Find::kRange,
                                     .last = -1,
                                     .step = 1,
                                     .limit = 0}};

constexpr KeySpec kPfdebugKeys[] = {{.flags = kKeyRw | kKeyAccess,
                                     .begin = KeySpec::Begin::kIndex,
                                     .position = 2,
                                     .find = KeySpec::Find::kRange,
                                     .last = 0,
                                     .step = 1,
                                     .limit = 0}};

constexpr KeySpec kPfmergeKeys[] = {{.flags = kKeyRw | kKeyAccess | kKeyInsert,
                                     .begin = KeySpec::Begin::kIndex,
                                     .position = 1,
                                     .find = KeySpec::Find::kRange,
                                     .last = 0,
                                     .step = 1,
                                     .limit = 0},
                                    {.flags = kKeyRo | kKeyAccess,
                                     .begin = KeySpec::Begin::kIndex,
                                     .position = 2,
                                     .find = KeySpec::Find::kRange,
                                     .last = -1,
                                     .step = 1,
                                     .limit = 0}};

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
