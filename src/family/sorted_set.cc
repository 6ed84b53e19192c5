// Commands on sorted sets: members and their scores.
#include "family/sorted_set.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <optional>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/lookup.h"
#include "family/scan.h"

namespace holdfast::family {

using store::Entry;
using store::Key;
using store::SortedSet;
using store::Type;

const SortedSet* sorted_set_for_reading(Context& c, const Key& key, bool& wrong) {
  const Entry* entry = lookup_read(c, key, Type::kSortedSet, wrong);
  return entry == nullptr ? nullptr : &entry->sorted_set();
}

SortedSet* sorted_set_for_writing(Context& c, const Key& key, bool& wrong) {
  if (lookup_write(c, key, Type::kSortedSet, wrong) == nullptr) return nullptr;
  return &c.db().find_for_write(key)->sorted_set();
}

MemberReply::MemberReply(Context& c, size_t count, bool with_scores) : reply_(c.reply), with_scores_(with_scores) {
  reply_.array(with_scores && reply_.version() == 2 ? count * 2 : count);
}

void MemberReply::add(std::string_view member, double score) {
  if (with_scores_ && reply_.version() > 2) reply_.array(2);
  reply_.bulk(member);
  if (with_scores_) reply_.number(score);
}

void store_sorted_set(Context& c, std::string_view target, std::span<const ScoredMember> members,
                      std::string_view event) {
  const Key key = c.key(target);
  if (members.empty()) {
    if (delete_key(c, key)) ++c.dirty;
    return c.reply.integer(0);
  }
  if (lookup_write(c, key) != nullptr) c.db().erase(key);
  SortedSet& set = c.db().create(key, Type::kSortedSet).sorted_set();
  for (const ScoredMember& one : members) set.add(one.member, one.score);
  c.modified(key.bytes);
  c.notify(kNotifySortedSet, event, key.bytes);
  ++c.dirty;
  c.reply.integer(static_cast<int64_t>(members.size()));
}

size_t pop_members(Context& c, const Key& key, SortedSet& set, Extreme end, size_t count, PopReply form) {
  const size_t size = set.size();
  count = std::min(count, size);
  const bool nested = form == PopReply::kNested || form == PopReply::kKeyAndPairs;
  if (form == PopReply::kKeyAndPairs) {
    c.reply.array(2);
    c.reply.bulk(key.bytes);
  }
  c.reply.array(form == PopReply::kKeyFlat ? count * 2 + 1 : nested ? count : count * 2);
  if (form == PopReply::kKeyFlat) c.reply.bulk(key.bytes);
  const auto reply = [&](std::string_view member, double score) {
    if (nested) c.reply.array(2);
    c.reply.bulk(member);
    c.reply.number(score);
    return true;
  };
  const size_t first = end == Extreme::kMin ? 0 : size - count;
  end == Extreme::kMin ? set.for_each(0, count - 1, reply) : set.for_each_reversed(first, size - 1, reply);
  set.erase_range(first, first + count - 1, [](std::string_view, double) {});
  c.dirty += count;
  c.notify(kNotifySortedSet, end == Extreme::kMin ? "zpopmin" : "zpopmax", key.bytes);
  c.modified(key.bytes);
  erase_if_empty(c, key);
  return count;
}

namespace {

// ZADD.

struct AddOptions {
  bool only_new = false;
  bool only_existing = false;
  bool greater = false;
  bool less = false;
  bool count_changed = false;
  bool increment = false;
};

/// Reads the option words; the index of the first score.
size_t read_add_options(Context& c, AddOptions& options) {
  size_t at = 2;
  for (; at < c.argv.size(); ++at) {
    const std::string_view word = c.argv[at];
    if (equal_ignoring_case(word, "nx")) {
      options.only_new = true;
    } else if (equal_ignoring_case(word, "xx")) {
      options.only_existing = true;
    } else if (equal_ignoring_case(word, "ch")) {
      options.count_changed = true;
    } else if (equal_ignoring_case(word, "incr")) {
      options.increment = true;
    } else if (equal_ignoring_case(word, "gt")) {
      options.greater = true;
    } else if (equal_ignoring_case(word, "lt")) {
      options.less = true;
    } else {
      break;
    }
  }
  return at;
}

std::string_view options_error(const AddOptions& options, size_t words) {
  if (words == 0 || words % 2 != 0) return command::kSyntaxError;
  if (options.only_new && options.only_existing) return "ERR XX and NX options at the same time are not compatible";
  if ((options.greater && (options.only_new || options.less)) || (options.less && options.only_new)) {
    return "ERR GT, LT, and/or NX options at the same time are not compatible";
  }
  if (options.increment && words > 2) return "ERR INCR option supports a single increment-element pair";
  return {};
}

enum class AddOutcome : uint8_t { kAdded, kUpdated, kSame, kRefused, kNotANumber };

/// One member under the options; `score` becomes the one it then has.
AddOutcome add_member(SortedSet& set, std::string_view member, double& score, const AddOptions& options) {
  const std::optional<double> old = set.score(member);
  if (!old) {
    if (options.only_existing) return AddOutcome::kRefused;
    set.add(member, score);
    return AddOutcome::kAdded;
  }
  if (options.only_new) return AddOutcome::kRefused;
  if (options.increment) {
    score += *old;
    if (std::isnan(score)) return AddOutcome::kNotANumber;
  }
  if ((options.less && score >= *old) || (options.greater && score <= *old)) return AddOutcome::kRefused;
  return set.add(member, score) == SortedSet::Outcome::kUpdated ? AddOutcome::kUpdated : AddOutcome::kSame;
}

/// ZADD and ZINCRBY. COMPAT: ZINCRBY reads option words too, so that `ZINCRBY k nx m` is a syntax error.
void add_generic(Context& c, AddOptions options) {
  const size_t first = read_add_options(c, options);
  const std::string_view error = options_error(options, c.argv.size() - first);
  if (!error.empty()) return c.reply.error(error);
  std::vector<double> scores;
  for (size_t i = first; i < c.argv.size(); i += 2) {
    const auto score = command::parse_double(c.argv[i]);
    if (!score) return c.reply.error(command::kNotAFloat);
    scores.push_back(*score);
  }
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  if (lookup_write(c, key, Type::kSortedSet, wrong) == nullptr && !wrong && options.only_existing) {
    return options.increment ? c.reply.null() : c.reply.integer(0);
  }
  if (wrong) return;
  SortedSet& set = find_or_create(c, key, Type::kSortedSet)->sorted_set();
  uint64_t added = 0;
  uint64_t updated = 0;
  AddOutcome last = AddOutcome::kRefused;
  for (size_t i = 0; i < scores.size(); ++i) {
    last = add_member(set, c.argv[first + i * 2 + 1], scores[i], options);
    if (last == AddOutcome::kNotANumber) return c.reply.error("ERR resulting score is not a number (NaN)");
    added += last == AddOutcome::kAdded ? 1 : 0;
    updated += last == AddOutcome::kUpdated ? 1 : 0;
  }
  c.dirty += added + updated;
  if (options.increment) {
    last == AddOutcome::kRefused ? c.reply.null() : c.reply.number(scores[0]);
  } else {
    c.reply.integer(static_cast<int64_t>(options.count_changed ? added + updated : added));
  }
  if (added + updated == 0) return;
  c.modified(key.bytes);
  c.notify(kNotifySortedSet, options.increment ? "zincr" : "zadd", key.bytes);
}
void zadd_command(Context& c) { add_generic(c, {}); }
void zincrby_command(Context& c) { add_generic(c, {.increment = true}); }

void zrem_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  SortedSet* set = sorted_set_for_writing(c, key, wrong);
  if (wrong) return;
  int64_t removed = 0;
  if (set != nullptr) {
    for (const std::string_view member : c.argv.subspan(2)) removed += set->erase(member) ? 1 : 0;
  }
  if (removed > 0) {
    c.notify(kNotifySortedSet, "zrem", key.bytes);
    erase_if_empty(c, key);
    c.modified(key.bytes);
    c.dirty += static_cast<uint64_t>(removed);
  }
  c.reply.integer(removed);
}

// Looking at members.

void zcard_command(Context& c) {
  bool wrong = false;
  const SortedSet* set = sorted_set_for_reading(c, c.key(c.argv[1]), wrong);
  if (!wrong) c.reply.integer(set == nullptr ? 0 : static_cast<int64_t>(set->size()));
}

void reply_score(Context& c, const SortedSet* set, std::string_view member) {
  const std::optional<double> score = set == nullptr ? std::nullopt : set->score(member);
  score ? c.reply.number(*score) : c.reply.null();
}

void zscore_command(Context& c) {
  bool wrong = false;
  const SortedSet* set = sorted_set_for_reading(c, c.key(c.argv[1]), wrong);
  if (!wrong) reply_score(c, set, c.argv[2]);
}

void zmscore_command(Context& c) {
  bool wrong = false;
  const SortedSet* set = sorted_set_for_reading(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  c.reply.array(c.argv.size() - 2);
  for (const std::string_view member : c.argv.subspan(2)) reply_score(c, set, member);
}

void rank_generic(Context& c, bool from_top) {
  if (c.argv.size() > 4) {
    return c.reply.error(fmt::format("ERR wrong number of arguments for '{}' command", c.spec.name));
  }
  const bool with_score = c.argv.size() == 4;
  if (with_score && !equal_ignoring_case(c.argv[3], "withscore")) return c.reply.error(command::kSyntaxError);
  bool wrong = false;
  const SortedSet* set = sorted_set_for_reading(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  const std::optional<size_t> rank = set == nullptr ? std::nullopt : set->rank(c.argv[2]);
  if (!rank) return with_score ? c.reply.null_array() : c.reply.null();
  if (with_score) c.reply.array(2);
  c.reply.integer(static_cast<int64_t>(from_top ? set->size() - 1 - *rank : *rank));
  if (with_score) c.reply.number(*set->score(c.argv[2]));
}
void zrank_command(Context& c) { rank_generic(c, false); }
void zrevrank_command(Context& c) { rank_generic(c, true); }

/// COMPAT: the original prints ZSCAN's scores of a large set as long doubles with 17 digits (0.10000000000000001),
/// those of a small one as everywhere else.
std::string scan_score(double score, bool small) {
  if (small || std::isinf(score)) return command::format_double(score);
  char digits[64];
  const int n = std::snprintf(digits, sizeof digits, "%.17Lg", static_cast<long double>(score));
  return {digits, static_cast<size_t>(n)};
}

void zscan_command(Context& c) {
  const auto options = read_scan_options(c, 2, false);
  if (!options) return;
  bool wrong = false;
  const SortedSet* set = sorted_set_for_reading(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  std::vector<ScoredMember> found;
  uint64_t cursor = options->cursor;
  int64_t visits = options->count;
  while (set != nullptr) {
    cursor = set->scan(cursor, [&](std::string_view member, double score) {
      --visits;
      if (options->matches(member)) found.push_back({std::string(member), score});
    });
    if (cursor == 0 || --visits <= 0) break;
  }
  const bool small = set == nullptr || set->encoding() == store::Encoding::kListpack;
  c.reply.array(2);
  c.reply.bulk(std::to_string(set == nullptr ? 0 : cursor));
  c.reply.array(found.size() * 2);
  for (const ScoredMember& one : found) {
    c.reply.bulk(one.member);
    c.reply.bulk(scan_score(one.score, small));
  }
}

}  // namespace

void add_members(Context& c) { zadd_command(c); }

namespace {

constexpr Binding kBindings[] = {
    {"zadd", zadd_command},         {"zcard", zcard_command}, {"zincrby", zincrby_command},
    {"zmscore", zmscore_command},   {"zrank", zrank_command}, {"zrem", zrem_command},
    {"zrevrank", zrevrank_command}, {"zscan", zscan_command}, {"zscore", zscore_command},
};

}  // namespace

std::span<const Binding> sorted_set_bindings() { return kBindings; }

}  // namespace holdfast::family
