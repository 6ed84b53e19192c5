// Taking members off the ends of sorted sets, and drawing them at random.
#include <fmt/format.h>

#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/lookup.h"
#include "family/sorted_set.h"

namespace holdfast::family {
namespace {

using store::Key;
using store::SortedSet;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

void pop_generic(Context& c, Extreme end) {
  if (c.argv.size() > 3) return c.reply.error(command::kSyntaxError);
  const bool counted = c.argv.size() == 3;
  int64_t count = 1;
  if (counted) {
    const auto value = parse_int64(c.argv[2]);
    if (!value || *value < 0) return c.reply.error("ERR value is out of range, must be positive");
    count = *value;
  }
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  SortedSet* set = sorted_set_for_writing(c, key, wrong);
  if (wrong) return;
  if (set == nullptr || count == 0) return c.reply.array(0);
  const bool nested = counted && c.reply.version() > 2;
  pop_members(c, key, *set, end, static_cast<size_t>(count), nested ? PopReply::kNested : PopReply::kFlat);
}
void zpopmin_command(Context& c) { pop_generic(c, Extreme::kMin); }
void zpopmax_command(Context& c) { pop_generic(c, Extreme::kMax); }

void zmpop_command(Context& c) {
  command::Args args = c.args();
  const int64_t keys = args.integer(1, kMax, "ERR numkeys should be greater than 0");
  if (args.failed()) return c.reply.error(args.error());
  if (static_cast<uint64_t>(keys) > c.argv.size() - 3) return c.reply.error(command::kSyntaxError);
  args = c.args(2 + static_cast<size_t>(keys));
  const bool max = args.take("max");
  if (!max && !args.take("min")) return c.reply.error(command::kSyntaxError);
  std::optional<int64_t> count;
  while (args.more()) {
    if (!count && args.left() >= 2 && args.take("count")) {
      count = args.integer(1, kMax, "ERR count should be greater than 0");
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (args.failed()) return c.reply.error(args.error());
  for (const std::string_view name : c.argv.subspan(2, static_cast<size_t>(keys))) {
    const Key key = c.key(name);
    bool wrong = false;
    SortedSet* set = sorted_set_for_writing(c, key, wrong);
    if (wrong) return;
    if (set == nullptr) continue;
    const size_t popped = pop_members(c, key, *set, max ? Extreme::kMax : Extreme::kMin,
                                      static_cast<size_t>(count.value_or(1)), PopReply::kKeyAndPairs);
    return c.replace_effect({max ? "ZPOPMAX" : "ZPOPMIN", name, std::to_string(popped)});
  }
  c.reply.null_array();
}

// ZRANDMEMBER.

/// `count` distinct indexes below `size`, in random order.
std::vector<size_t> distinct_indexes(Context& c, size_t size, size_t count) {
  std::vector<size_t> indexes;
  if (count * 3 > size) {
    indexes.resize(size);
    for (size_t i = 0; i < size; ++i) indexes[i] = i;
    for (size_t i = 0; i < count; ++i) std::swap(indexes[i], indexes[i + c.state.prng.below(size - i)]);
    indexes.resize(count);
    return indexes;
  }
  std::set<size_t> seen;
  while (indexes.size() < count) {
    const size_t index = c.state.prng.below(size);
    if (seen.insert(index).second) indexes.push_back(index);
  }
  return indexes;
}

void random_members(Context& c, int64_t count, bool with_scores) {
  bool wrong = false;
  const SortedSet* set = sorted_set_for_reading(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  if (set == nullptr || count == 0) return c.reply.array(0);
  if (count < 0) {
    const auto repeats = static_cast<size_t>(-count);
    MemberReply reply(c, repeats, with_scores);
    for (size_t i = 0; i < repeats; ++i) {
      set->random(c.state.prng, [&](std::string_view member, double score) { reply.add(member, score); });
    }
    return;
  }
  const size_t wanted = std::min(static_cast<size_t>(count), set->size());
  MemberReply reply(c, wanted, with_scores);
  const auto add = [&](std::string_view member, double score) {
    reply.add(member, score);
    return true;
  };
  if (wanted == set->size()) return set->for_each(add);
  for (const size_t index : distinct_indexes(c, set->size(), wanted)) set->for_each(index, index, add);
}

void zrandmember_command(Context& c) {
  if (c.argv.size() == 2) {
    bool wrong = false;
    const SortedSet* set = sorted_set_for_reading(c, c.key(c.argv[1]), wrong);
    if (wrong) return;
    if (set == nullptr) return c.reply.null();
    return set->random(c.state.prng, [&](std::string_view member, double) { c.reply.bulk(member); });
  }
  const auto count = parse_int64(c.argv[2]);
  if (!count) return c.reply.error(command::kNotAnInteger);
  if (*count < -kMax) {
    return c.reply.error(fmt::format("ERR value is out of range, value must between {} and {}", -kMax, kMax));
  }
  const bool with_scores = c.argv.size() == 4;
  if (c.argv.size() > 4 || (with_scores && !equal_ignoring_case(c.argv[3], "withscores"))) {
    return c.reply.error(command::kSyntaxError);
  }
  if (with_scores && (*count < -kMax / 2 || *count > kMax / 2)) return c.reply.error("ERR value is out of range");
  random_members(c, *count, with_scores);
}

constexpr Binding kBindings[] = {
    {"zmpop", zmpop_command},
    {"zpopmax", zpopmax_command},
    {"zpopmin", zpopmin_command},
    {"zrandmember", zrandmember_command},
};

}  // namespace

std::span<const Binding> sorted_set_pop_bindings() { return kBindings; }

}  // namespace holdfast::family
