// Value kinds: what a key can hold and how OBJECT ENCODING names the form it is held in.
//
// The names are Redis' (OBJECT ENCODING, DEBUG OBJECT); the bytes behind them are ours.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::store {

/// Numbered as in the original's object types; also the order of TYPE names.
enum class Type : uint8_t { kString = 0, kList = 1, kSet = 2, kSortedSet = 3, kHash = 4, kStream = 5 };

/// TYPE's answer: string list set zset hash stream.
std::string_view type_name(Type type);

enum class Encoding : uint8_t {
  kInt,        // string: a 64-bit integer
  kEmbstr,     // string: inline, never edited, at most kEmbstrMax bytes
  kRaw,        // string: everything else
  kListpack,   // small list, hash, set, sorted set: one packed allocation
  kQuicklist,  // large list: packed nodes
  kHashtable,  // large hash or set
  kIntset,     // set of integers
  kSkiplist,   // COMPAT: the original's word for a large sorted set; ours is a counted B+ tree and a table
  kStream,
};
std::string_view encoding_name(Encoding encoding);

inline constexpr size_t kEmbstrMax = 44;

/// Room to print an integer-encoded value; pass one where a std::string_view may have to be made.
struct NumberBuffer {
  char bytes[24];
};
/// Decimal digits of `value` inside `buffer`.
std::string_view print_integer(int64_t value, NumberBuffer& buffer);

}  // namespace holdfast::store
