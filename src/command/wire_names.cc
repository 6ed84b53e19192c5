#include "command/wire_names.h"

#include <algorithm>
#include <limits>

namespace holdfast::command {
namespace {

struct Name {
  uint32_t bit;
  std::string_view name;
};

constexpr Name kFlagNames[] = {
    {kWrite, "write"},
    {kReadonly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubsub, "pubsub"},
    {kNoScript, "noscript"},
    {kBlocking, "blocking"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipSlowlog, "skip_slowlog"},
    {kAsking, "asking"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kMayReplicate, "may_replicate"},
    {kNoMandatoryKeys, "no_mandatory_keys"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
};

constexpr Name kCategoryNames[] = {
    {kCatKeyspace, "keyspace"},
    {kCatRead, "read"},
    {kCatWrite, "write"},
    {kCatSet, "set"},
    {kCatSortedSet, "sortedset"},
    {kCatList, "list"},
    {kCatHash, "hash"},
    {kCatString, "string"},
    {kCatBitmap, "bitmap"},
    {kCatHyperloglog, "hyperloglog"},
    {kCatGeo, "geo"},
    {kCatStream, "stream"},
    {kCatPubsub, "pubsub"},
    {kCatAdmin, "admin"},
    {kCatFast, "fast"},
    {kCatSlow, "slow"},
    {kCatBlocking, "blocking"},
    {kCatDangerous, "dangerous"},
    {kCatConnection, "connection"},
    {kCatTransaction, "transaction"},
    {kCatScripting, "scripting"},
};

constexpr Name kKeyFlagNames[] = {
    {kKeyRo, "RO"},
    {kKeyRw, "RW"},
    {kKeyOw, "OW"},
    {kKeyRm, "RM"},
    {kKeyAccess, "access"},
    {kKeyUpdate, "update"},
    {kKeyInsert, "insert"},
    {kKeyDelete, "delete"},
    {kKeyNotKey, "not_key"},
    {kKeyIncomplete, "incomplete"},
    {kKeyVariable, "variable_flags"},
};

std::vector<std::string_view> names_of(std::span<const Name> table, uint32_t bits) {
  std::vector<std::string_view> out;
  for (const Name& row : table) {
    if ((bits & row.bit) != 0) out.push_back(row.name);
  }
  return out;
}

}  // namespace

std::vector<std::string_view> flag_names(uint32_t flags) { return names_of(kFlagNames, flags); }
std::vector<std::string_view> category_names(uint32_t categories) { return names_of(kCategoryNames, categories); }
std::vector<std::string_view> key_flag_names(uint16_t flags) { return names_of(kKeyFlagNames, flags); }

LegacyKeyRange legacy_key_range(const Spec& spec) {
  // The specs that are an index and a range are joined while they touch each other; anything else is left out.
  constexpr int kNone = std::numeric_limits<int>::max();
  int first = kNone;
  int last = 0;
  int step = 0;
  int previous_last = 0;
  for (const KeySpec& key : spec.keys) {
    if (key.begin != KeySpec::Begin::kIndex || key.find != KeySpec::Find::kRange) continue;
    if ((key.flags & kKeyNotKey) != 0) continue;
    if (key.step != 1 && spec.keys.size() > 1) continue;
    if (previous_last != 0 && previous_last != key.position - 1) continue;
    first = std::min(first, key.position);
    const int end = key.last >= 0 ? key.position + key.last : key.last;
    // A negative end is further than any positive one.
    last = last == 0 ? end : (last < 0 || end < 0 ? std::min(last, end) : std::max(last, end));
    previous_last = end;
    step = std::max(step, key.step);
  }
  if (first == kNone) return {};
  return {first, last, step};
}

}  // namespace holdfast::command
