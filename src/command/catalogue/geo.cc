// Rows of the catalogue: the geo group. Facts of Redis 7.2.6; see command/spec.h for their meaning.
#include "command/catalogue.h"

namespace holdfast::command {
namespace {

constexpr KeySpec kGeoaddKeys[] = {keys_at(kKeyRw | kKeyUpdate, 1)};
constexpr KeySpec kGeodistKeys[] = {keys_at(kKeyRo | kKeyAccess, 1)};
constexpr KeySpec kGeoradiusKeys[] = {keys_at(kKeyRo | kKeyAccess, 1), keys_after(kKeyOw | kKeyUpdate, "STORE", 6),
                                      keys_after(kKeyOw | kKeyUpdate, "STOREDIST", 6)};
constexpr KeySpec kGeoradiusbymemberKeys[] = {keys_at(kKeyRo | kKeyAccess, 1),
                                              keys_after(kKeyOw | kKeyUpdate, "STORE", 5),
                                              keys_after(kKeyOw | kKeyUpdate, "STOREDIST", 5)};
constexpr KeySpec kGeosearchstoreKeys[] = {keys_at(kKeyOw | kKeyUpdate, 1), keys_at(kKeyRo | kKeyAccess, 2)};
constexpr Spec kRows[] = {
    {.name = "geoadd",
     .group = Group::kGeo,
     .arity = -5,
     .since = "3.2.0",
     .flags = kWrite | kDenyOom,
     .categories = kCatGeo,
     .keys = kGeoaddKeys},
    {.name = "geodist",
     .group = Group::kGeo,
     .arity = -4,
     .since = "3.2.0",
     .flags = kReadonly,
     .categories = kCatGeo,
     .keys = kGeodistKeys},
    {.name = "geohash",
     .group = Group::kGeo,
     .arity = -2,
     .since = "3.2.0",
     .flags = kReadonly,
     .categories = kCatGeo,
     .keys = kGeodistKeys},
    {.name = "geopos",
     .group = Group::kGeo,
     .arity = -2,
     .since = "3.2.0",
     .flags = kReadonly,
     .categories = kCatGeo,
     .keys = kGeodistKeys},
    {.name = "georadius",
     .group = Group::kGeo,
     .arity = -6,
     .since = "3.2.0",
     .flags = kWrite | kDenyOom | kMovableKeys | kDeprecated,
     .categories = kCatGeo,
     .keys = kGeoradiusKeys,
     .deprecated_since = "6.2.0"},
    {.name = "georadius_ro",
     .group = Group::kGeo,
     .arity = -6,
     .since = "3.2.10",
     .flags = kReadonly | kDeprecated,
     .categories = kCatGeo,
     .keys = kGeodistKeys,
     .deprecated_since = "6.2.0"},
    {.name = "georadiusbymember",
     .group = Group::kGeo,
     .arity = -5,
     .since = "3.2.0",
     .flags = kWrite | kDenyOom | kMovableKeys | kDeprecated,
     .categories = kCatGeo,
     .keys = kGeoradiusbymemberKeys,
     .deprecated_since = "6.2.0"},
    {.name = "georadiusbymember_ro",
     .group = Group::kGeo,
     .arity = -5,
     .since = "3.2.10",
     .flags = kReadonly | kDeprecated,
     .categories = kCatGeo,
     .keys = kGeodistKeys,
     .deprecated_since = "6.2.0"},
    {.name = "geosearch",
     .group = Group::kGeo,
     .arity = -7,
     .since = "6.2.0",
     .flags = kReadonly,
     .categories = kCatGeo,
     .keys = kGeodistKeys},
    {.name = "geosearchstore",
     .group = Group::kGeo,
     .arity = -8,
     .since = "6.2.0",
     .flags = kWrite | kDenyOom,
     .categories = kCatGeo,
     .keys = kGeosearchstoreKeys},
};

}  // namespace

std::span<const Spec> geo_rows() { return kRows; }

}  // namespace holdfast::command
