// Commands on ranges of sorted sets: by rank, by score, by member bytes.
//
// Every range ends up as a half-open range of indexes from the lowest member; reversed ranges are walked from its end.
#include <cmath>
#include <cstdlib>
#include <optional>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/lookup.h"
#include "family/sorted_set.h"

namespace holdfast::family {
namespace {

using store::Key;
using store::SortedSet;

enum class RangeBy : uint8_t { kRank, kScore, kMember };

/// One end of a range by score or by member; `open` leaves the end itself out.
struct Bound {
  double score = 0;
  std::string_view member;
  int infinite = 0;  // by member: -1 below all, 1 above all
  bool open = false;
};

struct Interval {
  RangeBy by = RangeBy::kRank;
  int64_t first = 0;  // by rank; negative: from the end
  int64_t last = 0;
  Bound min;
  Bound max;
};

struct IndexRange {
  size_t first = 0;
  size_t end = 0;
  size_t size() const { return end - first; }
};

/// COMPAT: whatever strtod takes: leading spaces, hexadecimal, `infinity`; an empty text reads as 0, a NUL ends it.
bool read_score_bound(std::string_view text, Bound& bound) {
  bound.open = text.starts_with('(');
  const std::string copy(bound.open ? text.substr(1) : text);
  char* end = nullptr;
  bound.score = std::strtod(copy.c_str(), &end);
  return *end == '\0' && !std::isnan(bound.score);
}

bool read_member_bound(std::string_view text, Bound& bound) {
  bound.open = text.starts_with('(');
  if (text == "-" || text == "+") {
    bound.infinite = text == "-" ? -1 : 1;
    return true;
  }
  if (!bound.open && !text.starts_with('[')) return false;
  bound.member = text.substr(1);
  return true;
}

/// nullopt: the error is written.
std::optional<Interval> read_interval(Context& c, RangeBy by, std::string_view min, std::string_view max) {
  Interval interval;
  interval.by = by;
  switch (by) {
    case RangeBy::kRank: {
      const auto first = parse_int64(min);
      const auto last = parse_int64(max);
      if (first && last) {
        interval.first = *first;
        interval.last = *last;
        return interval;
      }
      c.reply.error(command::kNotAnInteger);
      return std::nullopt;
    }
    case RangeBy::kScore:
      if (read_score_bound(min, interval.min) && read_score_bound(max, interval.max)) return interval;
      c.reply.error("ERR min or max is not a float");
      return std::nullopt;
    case RangeBy::kMember:
      if (read_member_bound(min, interval.min) && read_member_bound(max, interval.max)) return interval;
      c.reply.error("ERR min or max not valid string range item");
      return std::nullopt;
  }
  return std::nullopt;
}

size_t members_below(const SortedSet& set, const Bound& bound, bool or_equal) {
  if (bound.infinite != 0) return bound.infinite < 0 ? 0 : set.size();
  return set.count_below_lex(bound.member, or_equal);
}

/// The indexes of `interval`; ranks count from the top if `reversed`.
IndexRange indexes_of(const SortedSet& set, const Interval& interval, bool reversed) {
  const size_t size = set.size();
  IndexRange range;
  switch (interval.by) {
    case RangeBy::kRank: {
      const auto count = static_cast<int64_t>(size);
      const int64_t first = interval.first < 0 ? std::max<int64_t>(interval.first + count, 0) : interval.first;
      const int64_t last = std::min(interval.last < 0 ? interval.last + count : interval.last, count - 1);
      if (first > last) return {};
      range.first = static_cast<size_t>(reversed ? count - 1 - last : first);
      range.end = static_cast<size_t>(reversed ? count - first : last + 1);
      return range;
    }
    case RangeBy::kScore:
      range.first = set.count_below(interval.min.score, interval.min.open);
      range.end = set.count_below(interval.max.score, !interval.max.open);
      break;
    case RangeBy::kMember:
      range.first = members_below(set, interval.min, interval.min.open);
      range.end = members_below(set, interval.max, !interval.max.open);
      break;
  }
  return range.first < range.end ? range : IndexRange{};
}

/// LIMIT: skips `offset` members from where the walk begins, keeps `limit` (negative: all).
/// COMPAT: a negative offset leaves nothing.
IndexRange limited(IndexRange range, int64_t offset, int64_t limit, bool reversed) {
  const size_t size = range.size();
  if (offset < 0 || static_cast<uint64_t>(offset) >= size) return {};
  const size_t skip = static_cast<size_t>(offset);
  const size_t keep = limit < 0 ? size - skip : std::min(size - skip, static_cast<size_t>(limit));
  if (reversed) return {range.end - skip - keep, range.end - skip};
  return {range.first + skip, range.first + skip + keep};
}

void visit_range(const SortedSet& set, IndexRange range, bool reversed, SortedSet::Visitor visit) {
  if (range.size() == 0) return;
  reversed ? set.for_each_reversed(range.first, range.end - 1, visit) : set.for_each(range.first, range.end - 1, visit);
}

// ZRANGE and its relatives.

struct RangeRequest {
  std::optional<RangeBy> by;
  std::optional<bool> reversed;
  int64_t offset = 0;
  std::optional<int64_t> limit;
  bool with_scores = false;
};

/// Options from argument `first` on; what a command's own name fixes is not an option there.
std::string read_range_options(Context& c, size_t first, bool storing, RangeRequest& request) {
  command::Args args = c.args(first);
  while (args.more()) {
    if (!storing && args.take("withscores")) {
      request.with_scores = true;
    } else if (args.left() >= 3 && args.take("limit")) {
      request.offset = args.integer();
      request.limit = args.integer();
    } else if (!request.reversed && args.take("rev")) {
      request.reversed = true;
    } else if (!request.by && args.take("bylex")) {
      request.by = RangeBy::kMember;
    } else if (!request.by && args.take("byscore")) {
      request.by = RangeBy::kScore;
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (args.failed()) return args.error();
  request.by = request.by.value_or(RangeBy::kRank);
  request.reversed = request.reversed.value_or(false);
  if (request.limit.value_or(-1) != -1 && request.by == RangeBy::kRank) {
    return "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
  }
  if (request.with_scores && request.by == RangeBy::kMember) {
    return "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
  }
  return {};
}

/// The arguments are key, min, max, options - behind a target's name if `storing`.
void range_generic(Context& c, bool storing, RangeRequest request) {
  const size_t at = storing ? 2 : 1;
  const std::string error = read_range_options(c, at + 3, storing, request);
  if (!error.empty()) return c.reply.error(error);
  const RangeBy by = *request.by;
  const bool reversed = *request.reversed;
  const bool swapped = reversed && by != RangeBy::kRank;
  const auto interval = read_interval(c, by, c.argv[swapped ? at + 2 : at + 1], c.argv[swapped ? at + 1 : at + 2]);
  if (!interval) return;
  bool wrong = false;
  const SortedSet* set = sorted_set_for_reading(c, c.key(c.argv[at]), wrong);
  if (wrong) return;
  IndexRange range;
  if (set != nullptr) range = indexes_of(*set, *interval, reversed);
  if (by != RangeBy::kRank) range = limited(range, request.offset, request.limit.value_or(-1), reversed);
  if (storing) {
    std::vector<ScoredMember> members;
    if (set != nullptr) {
      visit_range(*set, range, reversed, [&](std::string_view member, double score) {
        members.push_back({std::string(member), score});
        return true;
      });
    }
    return store_sorted_set(c, c.argv[1], members, "zrangestore");
  }
  MemberReply reply(c, range.size(), request.with_scores);
  if (set == nullptr) return;
  visit_range(*set, range, reversed, [&](std::string_view member, double score) {
    reply.add(member, score);
    return true;
  });
}

void zrange_command(Context& c) { range_generic(c, false, {}); }
void zrangestore_command(Context& c) { range_generic(c, true, {}); }
void zrevrange_command(Context& c) { range_generic(c, false, {.by = RangeBy::kRank, .reversed = true}); }
void zrangebyscore_command(Context& c) { range_generic(c, false, {.by = RangeBy::kScore, .reversed = false}); }
void zrevrangebyscore_command(Context& c) { range_generic(c, false, {.by = RangeBy::kScore, .reversed = true}); }
void zrangebylex_command(Context& c) { range_generic(c, false, {.by = RangeBy::kMember, .reversed = false}); }
void zrevrangebylex_command(Context& c) { range_generic(c, false, {.by = RangeBy::kMember, .reversed = true}); }

// Counting and removing.

void count_generic(Context& c, RangeBy by) {
  const auto interval = read_interval(c, by, c.argv[2], c.argv[3]);
  if (!interval) return;
  bool wrong = false;
  const SortedSet* set = sorted_set_for_reading(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  c.reply.integer(set == nullptr ? 0 : static_cast<int64_t>(indexes_of(*set, *interval, false).size()));
}
void zcount_command(Context& c) { count_generic(c, RangeBy::kScore); }
void zlexcount_command(Context& c) { count_generic(c, RangeBy::kMember); }

void remove_generic(Context& c, RangeBy by, std::string_view event) {
  const auto interval = read_interval(c, by, c.argv[2], c.argv[3]);
  if (!interval) return;
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  SortedSet* set = sorted_set_for_writing(c, key, wrong);
  if (wrong) return;
  size_t removed = 0;
  if (set != nullptr) {
    const IndexRange range = indexes_of(*set, *interval, false);
    if (range.size() > 0) removed = set->erase_range(range.first, range.end - 1, [](std::string_view, double) {});
  }
  if (removed > 0) {
    c.modified(key.bytes);
    c.notify(kNotifySortedSet, event, key.bytes);
    erase_if_empty(c, key);
    c.dirty += removed;
  }
  c.reply.integer(static_cast<int64_t>(removed));
}
void zremrangebyrank_command(Context& c) { remove_generic(c, RangeBy::kRank, "zremrangebyrank"); }
void zremrangebyscore_command(Context& c) { remove_generic(c, RangeBy::kScore, "zremrangebyscore"); }
void zremrangebylex_command(Context& c) { remove_generic(c, RangeBy::kMember, "zremrangebylex"); }

constexpr Binding kBindings[] = {
    {"zcount", zcount_command},
    {"zlexcount", zlexcount_command},
    {"zrange", zrange_command},
    {"zrangebylex", zrangebylex_command},
    {"zrangebyscore", zrangebyscore_command},
    {"zrangestore", zrangestore_command},
    {"zremrangebylex", zremrangebylex_command},
    {"zremrangebyrank", zremrangebyrank_command},
    {"zremrangebyscore", zremrangebyscore_command},
    {"zrevrange", zrevrange_command},
    {"zrevrangebylex", zrevrangebylex_command},
    {"zrevrangebyscore", zrevrangebyscore_command},
};

}  // namespace

std::span<const Binding> sorted_set_range_bindings() { return kBindings; }

}  // namespace holdfast::family
