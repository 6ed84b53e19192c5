// Spec: one command as facts, without its handler. COMMAND INFO, ACL categories, the gate's rules and the proxy's
// routing all derive from these rows.
//
// Source: the command table of Redis 7.2.6 (COMMAND INFO / COMMAND DOCS of a running server).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace holdfast::command {

enum class Group : uint8_t {
  kGeneric,
  kString,
  kList,
  kSet,
  kSortedSet,
  kHash,
  kPubsub,
  kTransactions,
  kConnection,
  kServer,
  kScripting,
  kHyperloglog,
  kCluster,
  kSentinel,
  kGeo,
  kStream,
  kBitmap,
};

/// COMMAND INFO's flags; the bits are ours, the names the wire's.
enum Flag : uint32_t {
  kWrite = 1u << 0,
  kReadonly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kPubsub = 1u << 4,
  kNoScript = 1u << 5,
  kBlocking = 1u << 6,
  kLoading = 1u << 7,
  kStale = 1u << 8,
  kSkipMonitor = 1u << 9,
  kSkipSlowlog = 1u << 10,
  kAsking = 1u << 11,
  kFast = 1u << 12,
  kNoAuth = 1u << 13,
  kMayReplicate = 1u << 14,
  kSentinelToo = 1u << 15,   // available in a Sentinel
  kOnlySentinel = 1u << 16,  // available nowhere else
  kNoMandatoryKeys = 1u << 17,
  kProtected = 1u << 18,
  kAllowBusy = 1u << 19,
  kNoAsyncLoading = 1u << 20,
  kNoMulti = 1u << 21,
  kTouchesArbitraryKeys = 1u << 22,
  kMovableKeys = 1u << 23,  // the keys' places depend on the arguments
  kSysCmd = 1u << 24,
  kDeprecated = 1u << 25,
};

enum Category : uint32_t {
  kCatKeyspace = 1u << 0,
  kCatRead = 1u << 1,
  kCatWrite = 1u << 2,
  kCatSet = 1u << 3,
  kCatSortedSet = 1u << 4,
  kCatList = 1u << 5,
  kCatHash = 1u << 6,
  kCatString = 1u << 7,
  kCatBitmap = 1u << 8,
  kCatHyperloglog = 1u << 9,
  kCatGeo = 1u << 10,
  kCatStream = 1u << 11,
  kCatPubsub = 1u << 12,
  kCatAdmin = 1u << 13,
  kCatFast = 1u << 14,
  kCatSlow = 1u << 15,
  kCatBlocking = 1u << 16,
  kCatDangerous = 1u << 17,
  kCatConnection = 1u << 18,
  kCatTransaction = 1u << 19,
  kCatScripting = 1u << 20,
};

enum KeyFlag : uint16_t {
  kKeyRo = 1u << 0,
  kKeyRw = 1u << 1,
  kKeyOw = 1u << 2,
  kKeyRm = 1u << 3,
  kKeyAccess = 1u << 4,
  kKeyUpdate = 1u << 5,
  kKeyInsert = 1u << 6,
  kKeyDelete = 1u << 7,
  kKeyNotKey = 1u << 8,
  kKeyIncomplete = 1u << 9,
  kKeyVariable = 1u << 10,
};

/// Where a command's keys are: first a place to begin, then how many from there.
struct KeySpec {
  enum class Begin : uint8_t { kUnknown, kIndex, kKeyword };
  enum class Find : uint8_t { kUnknown, kRange, kKeyNum };

  uint16_t flags = 0;
  Begin begin = Begin::kUnknown;
  int position = 0;               // kIndex: argument number; kKeyword: where the search starts (negative: from the end)
  std::string_view keyword = {};  // kKeyword, upper case
  Find find = Find::kUnknown;
  int last = 0;   // kRange: last key relative to the begin, negative from the end; kKeyNum: where the count stands
  int step = 0;   // distance of two keys
  int limit = 0;  // kRange with last -1: divide the rest by this; kKeyNum: the first key, relative to the begin
};

/// Keys from argument `first` to `last` after it (0 = that one alone, negative = counted from the end), every `step`th.
constexpr KeySpec keys_at(unsigned flags, int first, int last = 0, int step = 1, int limit = 0) {
  return {static_cast<uint16_t>(flags), KeySpec::Begin::kIndex, first, {}, KeySpec::Find::kRange, last, step, limit};
}
/// The same behind `keyword`, looked for from argument `from` on.
constexpr KeySpec keys_after(unsigned flags, std::string_view keyword, int from, int last = 0, int step = 1,
                             int limit = 0) {
  return {
      static_cast<uint16_t>(flags), KeySpec::Begin::kKeyword, from, keyword, KeySpec::Find::kRange, last, step, limit};
}
/// As many keys as argument `first` + `count` says, the first of them at `first` + `key`.
constexpr KeySpec keys_counted(unsigned flags, int first, int count, int key, int step) {
  return {static_cast<uint16_t>(flags), KeySpec::Begin::kIndex, first, {}, KeySpec::Find::kKeyNum, count, step, key};
}

struct Spec {
  std::string_view name;         // lower case; a subcommand's own word
  std::string_view parent = {};  // of a subcommand
  Group group = Group::kGeneric;
  int arity = 0;  // with the command's own words; negative: at least
  std::string_view since = {};
  uint32_t flags = 0;
  uint32_t categories = 0;  // explicit ones; see categories_of()
  std::span<const KeySpec> keys = {};
  std::string_view deprecated_since = {};
  std::string_view tips = {};  // space separated, as COMMAND INFO lists them

  bool is(uint32_t mask) const { return (flags & mask) != 0; }
  bool accepts(size_t argc) const {
    const auto count = static_cast<int64_t>(argc);
    return arity >= 0 ? count == arity : count >= -arity;
  }
};

/// The explicit categories plus those implied by flags (write, readonly, admin, pubsub, fast or slow, blocking).
uint32_t categories_of(const Spec& spec);

}  // namespace holdfast::command
