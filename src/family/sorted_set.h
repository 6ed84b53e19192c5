// Sorted sets: what the files of this family share - finding the key, replying members with scores, storing a result.
//
// Scores leave as RESP3 doubles or RESP2 bulk strings. Lists of pairs are flat in RESP2 and nested in RESP3.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "family/context.h"
#include "store/type/sorted_set.h"

namespace holdfast::family {

struct ScoredMember {
  std::string member;
  double score = 0;
};

/// Null: absent, or of another type (`wrong`, the error is written).
const store::SortedSet* sorted_set_for_reading(Context& c, const store::Key& key, bool& wrong);
store::SortedSet* sorted_set_for_writing(Context& c, const store::Key& key, bool& wrong);

/// A reply of `count` members, announced at once and then added one by one.
class MemberReply {
 public:
  MemberReply(Context& c, size_t count, bool with_scores);
  void add(std::string_view member, double score);

 private:
  command::Reply& reply_;
  bool with_scores_;
};

/// Overwrites `target` with `members` (distinct; none: deletes it), tells so and replies how many there are.
void store_sorted_set(Context& c, std::string_view target, std::span<const ScoredMember> members,
                      std::string_view event);

/// ZADD: words and reply are its own.
void add_members(Context& c);

enum class Extreme : uint8_t { kMin, kMax };
enum class PopReply : uint8_t {
  kFlat,         // [member, score, ...]
  kNested,       // [[member, score], ...]
  kKeyFlat,      // [key, member, score]
  kKeyAndPairs,  // [key, [[member, score], ...]]
};
/// Takes up to `count` > 0 members off one end of a present set; replies, notifies, erases an emptied key. How many.
size_t pop_members(Context& c, const store::Key& key, store::SortedSet& set, Extreme end, size_t count, PopReply form);

}  // namespace holdfast::family
