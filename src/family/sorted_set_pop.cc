// Taking members off the ends of sorted sets, and drawing them at random.
#include <fmt/format.h>

#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/blocking.h"
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

/// What follows ZMPOP: numkeys, keys, MIN or MAX, COUNT.
struct SetPop {
  std::span<const std::string_view> keys;
  Extreme end = Extreme::kMin;
  size_t count = 1;
};

/// From argument `at` on; nullopt: the error is written.
std::optional<SetPop> read_set_pop(Context& c, size_t at) {
  command::Args args = c.args(at);
  const int64_t keys = args.integer(1, kMax, "ERR numkeys should be greater than 0");
  if (!args.failed() && static_cast<uint64_t>(keys) > c.argv.size() - at - 2) args.fail(command::kSyntaxError);
  SetPop pop;
  if (!args.failed()) {
    pop.keys = c.argv.subspan(at + 1, static_cast<size_t>(keys));
    args = c.args(at + 1 + static_cast<size_t>(keys));
    if (args.take("max")) {
      pop.end = Extreme::kMax;
    } else if (!args.take("min")) {
      args.fail(command::kSyntaxError);
    }
  }
  bool counted = false;
  while (args.more()) {
    if (!counted && args.left() >= 2 && args.take("count")) {
      pop.count = static_cast<size_t>(args.integer(1, kMax, "ERR count should be greater than 0"));
      counted = true;
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (!args.failed()) return pop;
  c.reply.error(args.error());
  return std::nullopt;
}

enum class Popped : uint8_t { kYes, kNothing, kError };

/// Pops from the first sorted set that is there. Nothing: nothing is replied.
Popped pop_first_set(Context& c, const SetPop& pop, PopReply form) {
  for (const std::string_view name : pop.keys) {
    const Key key = c.key(name);
    bool wrong = false;
    SortedSet* set = sorted_set_for_writing(c, key, wrong);
    if (wrong) return Popped::kError;
    if (set == nullptr) continue;
    const size_t count = pop_members(c, key, *set, pop.end, pop.count, form);
    const std::string_view effect = pop.end == Extreme::kMax ? "ZPOPMAX" : "ZPOPMIN";
    if (form == PopReply::kKeyFlat) {
      c.replace_effect({effect, name});
    } else {
      c.replace_effect({effect, name, std::to_string(count)});
    }
    return Popped::kYes;
  }
  return Popped::kNothing;
}

void zmpop_command(Context& c) {
  const auto pop = read_set_pop(c, 1);
  if (pop && pop_first_set(c, *pop, PopReply::kKeyAndPairs) == Popped::kNothing) c.reply.null_array();
}

// Waiting for one.

void pop_or_wait(Context& c, const SetPop& pop, PopReply form, std::string_view timeout_text) {
  const auto timeout = read_timeout(c, timeout_text);
  if (!timeout || pop_first_set(c, pop, form) != Popped::kNothing) return;
  if (!wait_for_keys(c, store::Type::kSortedSet, pop.keys, *timeout)) c.reply.null_array();
}

void bzmpop_command(Context& c) {
  const auto pop = read_set_pop(c, 2);
  if (pop) pop_or_wait(c, *pop, PopReply::kKeyAndPairs, c.argv[1]);
}
void bzpopmin_command(Context& c) {
  pop_or_wait(c, {c.argv.subspan(1, c.argv.size() - 2), Extreme::kMin}, PopReply::kKeyFlat, c.argv.back());
}
void bzpopmax_command(Context& c) {
  pop_or_wait(c, {c.argv.subspan(1, c.argv.size() - 2), Extreme::kMax}, PopReply::kKeyFlat, c.argv.back());
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
    {"bzmpop", bzmpop_command},           {"bzpopmax", bzpopmax_command},
    {"bzpopmin", bzpopmin_command},       {"zmpop", zmpop_command},
    {"zpopmax", zpopmax_command},         {"zpopmin", zpopmin_command},
    {"zrandmember", zrandmember_command},
};

}  // namespace

std::span<const Binding> sorted_set_pop_bindings() { return kBindings; }

}  // namespace holdfast::family
