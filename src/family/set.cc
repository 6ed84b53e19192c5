// Commands on sets.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/text.h"
#include "family/bindings.h"
#include "family/lookup.h"
#include "family/scan.h"
#include "store/type/set.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::Key;
using store::Set;
using store::Type;

const Set* set_for_reading(Context& c, std::string_view name, bool& wrong) {
  const Entry* entry = lookup_read(c, c.key(name), Type::kSet, wrong);
  return entry == nullptr ? nullptr : &entry->set();
}

Set* set_for_writing(Context& c, const Key& key, bool& wrong) {
  return lookup_write(c, key, Type::kSet, wrong) == nullptr ? nullptr : &c.db().find_for_write(key)->set();
}

void changed(Context& c, const Key& key, std::string_view event) {
  c.modified(key.bytes);
  c.notify(kNotifySet, event, key.bytes);
}

void sadd_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  Entry* entry = find_or_create(c, key, Type::kSet);
  if (entry == nullptr) return;
  int64_t added = 0;
  for (const std::string_view member : c.argv.subspan(2)) added += entry->set().add(member) ? 1 : 0;
  if (added > 0) changed(c, key, "sadd");
  c.dirty += static_cast<uint64_t>(added);
  c.reply.integer(added);
}

void srem_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  Set* set = set_for_writing(c, key, wrong);
  if (wrong) return;
  int64_t removed = 0;
  if (set != nullptr) {
    for (const std::string_view member : c.argv.subspan(2)) removed += set->erase(member) ? 1 : 0;
  }
  if (removed > 0) {
    changed(c, key, "srem");
    erase_if_empty(c, key);
    c.dirty += static_cast<uint64_t>(removed);
  }
  c.reply.integer(removed);
}

void sismember_command(Context& c) {
  bool wrong = false;
  const Set* set = set_for_reading(c, c.argv[1], wrong);
  if (!wrong) c.reply.integer(set != nullptr && set->contains(c.argv[2]) ? 1 : 0);
}

void smismember_command(Context& c) {
  bool wrong = false;
  const Set* set = set_for_reading(c, c.argv[1], wrong);
  if (wrong) return;
  c.reply.array(c.argv.size() - 2);
  for (const std::string_view member : c.argv.subspan(2)) {
    c.reply.integer(set != nullptr && set->contains(member) ? 1 : 0);
  }
}

void scard_command(Context& c) {
  bool wrong = false;
  const Set* set = set_for_reading(c, c.argv[1], wrong);
  if (!wrong) c.reply.integer(set == nullptr ? 0 : static_cast<int64_t>(set->size()));
}

void smembers_command(Context& c) {
  bool wrong = false;
  const Set* set = set_for_reading(c, c.argv[1], wrong);
  if (wrong) return;
  c.reply.set(set == nullptr ? 0 : set->size());
  if (set == nullptr) return;
  set->for_each([&](std::string_view member) {
    c.reply.bulk(member);
    return true;
  });
}

void smove_command(Context& c) {
  const Key source = c.key(c.argv[1]);
  const Key target = c.key(c.argv[2]);
  const std::string_view member = c.argv[3];
  bool wrong = false;
  Set* from = set_for_writing(c, source, wrong);
  if (wrong) return;
  if (from == nullptr) return c.reply.integer(0);
  lookup_write(c, target, Type::kSet, wrong);
  if (wrong) return;
  if (source.bytes == target.bytes) return c.reply.integer(from->contains(member) ? 1 : 0);
  if (!from->erase(member)) return c.reply.integer(0);
  changed(c, source, "srem");
  erase_if_empty(c, source);
  c.modified(target.bytes);
  ++c.dirty;
  if (find_or_create(c, target, Type::kSet)->set().add(member)) {
    ++c.dirty;
    c.notify(kNotifySet, "sadd", target.bytes);
  }
  c.reply.integer(1);
}

// Random members.

/// `count` distinct members; all of them if there are no more.
std::vector<std::string> distinct_members(Context& c, const Set& set, size_t count) {
  std::vector<std::string> members;
  if (count * 3 > set.size()) {
    set.for_each([&](std::string_view member) {
      members.emplace_back(member);
      return true;
    });
    count = std::min(count, members.size());
    for (size_t i = 0; i < count; ++i) std::swap(members[i], members[i + c.state.prng.below(members.size() - i)]);
    members.resize(count);
    return members;
  }
  std::set<std::string, std::less<>> seen;
  while (members.size() < count) {
    set.random(c.state.prng, [&](std::string_view member) {
      if (seen.emplace(member).second) members.emplace_back(member);
    });
  }
  return members;
}

void spop_one(Context& c) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  Set* set = set_for_writing(c, key, wrong);
  if (wrong) return;
  if (set == nullptr) return c.reply.null();
  const std::string member = distinct_members(c, *set, 1)[0];
  set->erase(member);
  c.reply.bulk(member);
  changed(c, key, "spop");
  c.replace_effect({"SREM", c.argv[1], member});
  erase_if_empty(c, key);
  ++c.dirty;
}

void spop_command(Context& c) {
  if (c.argv.size() == 2) return spop_one(c);
  if (c.argv.size() > 3) return c.reply.error(command::kSyntaxError);
  const auto count = parse_int64(c.argv[2]);
  if (!count || *count < 0) return c.reply.error("ERR value is out of range, must be positive");
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  Set* set = set_for_writing(c, key, wrong);
  if (wrong) return;
  if (set == nullptr || *count == 0) return c.reply.set(0);
  const size_t size = set->size();
  const std::vector<std::string> members = distinct_members(c, *set, static_cast<size_t>(*count));
  c.reply.set(members.size());
  std::vector<std::string> effect = {"SREM", std::string(c.argv[1])};
  for (const std::string& member : members) {
    c.reply.bulk(member);
    set->erase(member);
    effect.push_back(member);
  }
  changed(c, key, "spop");
  c.dirty += members.size();
  if (members.size() == size) effect = {"DEL", std::string(c.argv[1])};
  c.replace_effect(std::move(effect));
  erase_if_empty(c, key);
}

void srandmember_command(Context& c) {
  bool wrong = false;
  if (c.argv.size() == 2) {
    const Set* set = set_for_reading(c, c.argv[1], wrong);
    if (wrong) return;
    if (set == nullptr) return c.reply.null();
    return set->random(c.state.prng, [&](std::string_view member) { c.reply.bulk(member); });
  }
  if (c.argv.size() > 3) return c.reply.error(command::kSyntaxError);
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const auto count = parse_int64(c.argv[2]);
  if (!count) return c.reply.error(command::kNotAnInteger);
  if (*count < -kMax)
    return c.reply.error(fmt::format("ERR value is out of range, value must between {} and {}", -kMax, kMax));
  const Set* set = set_for_reading(c, c.argv[1], wrong);
  if (wrong) return;
  if (set == nullptr || *count == 0) return c.reply.array(0);
  if (*count > 0) {
    const std::vector<std::string> members =
        distinct_members(c, *set, std::min(static_cast<size_t>(*count), set->size()));
    c.reply.array(members.size());
    for (const std::string& member : members) c.reply.bulk(member);
    return;
  }
  const auto repeats = static_cast<size_t>(-*count);
  c.reply.array(repeats);
  for (size_t i = 0; i < repeats; ++i) {
    set->random(c.state.prng, [&](std::string_view member) { c.reply.bulk(member); });
  }
}

// Algebra.

enum class Operation : uint8_t { kUnion, kIntersection, kDifference };

/// The result of an operation over `names`; nullopt: one key holds another type and the error is written.
std::optional<std::vector<std::string>> combine(Context& c, std::span<const std::string_view> names,
                                                Operation operation, size_t limit) {
  std::vector<const Set*> sets;
  for (const std::string_view name : names) {
    bool wrong = false;
    sets.push_back(set_for_reading(c, name, wrong));
    if (wrong) return std::nullopt;
  }
  std::vector<std::string> result;
  if (operation == Operation::kUnion) {
    std::set<std::string, std::less<>> seen;
    for (const Set* set : sets) {
      if (set == nullptr) continue;
      set->for_each([&](std::string_view member) {
        if (seen.find(member) == seen.end()) {
          seen.emplace(member);
          result.emplace_back(member);
        }
        return true;
      });
    }
    return result;
  }
  const bool intersect = operation == Operation::kIntersection;
  if (intersect) {
    if (std::find(sets.begin(), sets.end(), nullptr) != sets.end()) return result;
    std::stable_sort(sets.begin(), sets.end(), [](const Set* a, const Set* b) { return a->size() < b->size(); });
  }
  if (sets[0] == nullptr) return result;
  sets[0]->for_each([&](std::string_view member) {
    const bool keep = std::all_of(sets.begin() + 1, sets.end(), [&](const Set* other) {
      return (other != nullptr && other->contains(member)) == intersect;
    });
    if (keep) result.emplace_back(member);
    return limit == 0 || result.size() < limit;
  });
  return result;
}

void reply_combined(Context& c, Operation operation) {
  const auto result = combine(c, c.argv.subspan(1), operation, 0);
  if (!result) return;
  c.reply.set(result->size());
  for (const std::string& member : *result) c.reply.bulk(member);
}
void sinter_command(Context& c) { reply_combined(c, Operation::kIntersection); }
void sunion_command(Context& c) { reply_combined(c, Operation::kUnion); }
void sdiff_command(Context& c) { reply_combined(c, Operation::kDifference); }

void store_combined(Context& c, Operation operation, std::string_view event) {
  const auto result = combine(c, c.argv.subspan(2), operation, 0);
  if (!result) return;
  const Key target = c.key(c.argv[1]);
  const bool existed = lookup_write(c, target) != nullptr;
  if (existed) c.db().erase(target);
  if (result->empty()) {
    if (existed) {
      c.modified(target.bytes);
      c.notify(kNotifyGeneric, "del", target.bytes);
      ++c.dirty;
    }
    return c.reply.integer(0);
  }
  Set& set = c.db().create(target, Type::kSet).set();
  for (const std::string& member : *result) set.add(member);
  changed(c, target, event);
  ++c.dirty;
  c.reply.integer(static_cast<int64_t>(result->size()));
}
void sinterstore_command(Context& c) { store_combined(c, Operation::kIntersection, "sinterstore"); }
void sunionstore_command(Context& c) { store_combined(c, Operation::kUnion, "sunionstore"); }
void sdiffstore_command(Context& c) { store_combined(c, Operation::kDifference, "sdiffstore"); }

void sintercard_command(Context& c) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  command::Args args = c.args();
  const int64_t keys = args.integer(1, kMax, "ERR numkeys should be greater than 0");
  if (args.failed()) return c.reply.error(args.error());
  if (static_cast<uint64_t>(keys) > c.argv.size() - 2) {
    return c.reply.error("ERR Number of keys can't be greater than number of args");
  }
  args = c.args(2 + static_cast<size_t>(keys));
  int64_t limit = 0;
  while (args.more()) {
    if (args.left() >= 2 && args.take("limit")) {
      limit = args.integer(0, kMax, "ERR LIMIT can't be negative");
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (args.failed()) return c.reply.error(args.error());
  const auto result =
      combine(c, c.argv.subspan(2, static_cast<size_t>(keys)), Operation::kIntersection, static_cast<size_t>(limit));
  if (result) c.reply.integer(static_cast<int64_t>(result->size()));
}

void sscan_command(Context& c) {
  const auto options = read_scan_options(c, 2, false);
  if (!options) return;
  bool wrong = false;
  const Set* set = set_for_reading(c, c.argv[1], wrong);
  if (wrong) return;
  std::vector<std::string> members;
  uint64_t cursor = options->cursor;
  int64_t visits = options->count;
  while (set != nullptr) {
    cursor = set->scan(cursor, [&](std::string_view member) {
      --visits;
      if (options->matches(member)) members.emplace_back(member);
    });
    if (cursor == 0 || --visits <= 0) break;
  }
  c.reply.array(2);
  c.reply.bulk(std::to_string(set == nullptr ? 0 : cursor));
  c.reply.array(members.size());
  for (const std::string& member : members) c.reply.bulk(member);
}

constexpr Binding kBindings[] = {
    {"sadd", sadd_command},
    {"scard", scard_command},
    {"sdiff", sdiff_command},
    {"sdiffstore", sdiffstore_command},
    {"sinter", sinter_command},
    {"sintercard", sintercard_command},
    {"sinterstore", sinterstore_command},
    {"sismember", sismember_command},
    {"smembers", smembers_command},
    {"smismember", smismember_command},
    {"smove", smove_command},
    {"spop", spop_command},
    {"srandmember", srandmember_command},
    {"srem", srem_command},
    {"sscan", sscan_command},
    {"sunion", sunion_command},
    {"sunionstore", sunionstore_command},
};

}  // namespace

std::span<const Binding> set_bindings() { return kBindings; }

}  // namespace holdfast::family
