// Rows of the catalogue: the bitmap group. Facts of Redis 7.2.6; see command/spec.h for their meaning.
#include "command/catalogue.h"

namespace holdfast::command {
namespace {

constexpr KeySpec kBitcountKeys[] = {keys_at(kKeyRo | kKeyAccess, 1)};
constexpr KeySpec kBitfieldKeys[] = {keys_at(kKeyRw | kKeyUpdate | kKeyAccess | kKeyVariable, 1)};
constexpr KeySpec kBitopKeys[] = {keys_at(kKeyOw | kKeyUpdate, 2), keys_at(kKeyRo | kKeyAccess, 3, -1)};
constexpr KeySpec kSetbitKeys[] = {keys_at(kKeyRw | kKeyAccess | kKeyUpdate, 1)};
constexpr Spec kRows[] = {
    {.name = "bitcount",
     .group = Group::kBitmap,
     .arity = -2,
     .since = "2.6.0",
     .flags = kReadonly,
     .categories = kCatBitmap,
     .keys = kBitcountKeys},
    {.name = "bitfield",
     .group = Group::kBitmap,
     .arity = -2,
     .since = "3.2.0",
     .flags = kWrite | kDenyOom | kMovableKeys,
     .categories = kCatBitmap,
     .keys = kBitfieldKeys},
    {.name = "bitfield_ro",
     .group = Group::kBitmap,
     .arity = -2,
     .since = "6.0.0",
     .flags = kReadonly | kFast,
     .categories = kCatBitmap,
     .keys = kBitcountKeys},
    {.name = "bitop",
     .group = Group::kBitmap,
     .arity = -4,
     .since = "2.6.0",
     .flags = kWrite | kDenyOom,
     .categories = kCatBitmap,
     .keys = kBitopKeys},
    {.name = "bitpos",
     .group = Group::kBitmap,
     .arity = -3,
     .since = "2.8.7",
     .flags = kReadonly,
     .categories = kCatBitmap,
     .keys = kBitcountKeys},
    {.name = "getbit",
     .group = Group::kBitmap,
     .arity = 3,
     .since = "2.2.0",
     .flags = kReadonly | kFast,
     .categories = kCatBitmap,
     .keys = kBitcountKeys},
    {.name = "setbit",
     .group = Group::kBitmap,
     .arity = 4,
     .since = "2.2.0",
     .flags = kWrite | kDenyOom,
     .categories = kCatBitmap,
     .keys = kSetbitKeys},
};

}  // namespace

std::span<const Spec> bitmap_rows() { return kRows; }

}  // namespace holdfast::command
