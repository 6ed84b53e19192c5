// Unions, intersections and differences of sorted sets; plain sets take part with score 1.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/lookup.h"
#include "family/sorted_set.h"
#include "store/type/set.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::SortedSet;
using store::Type;

enum class Operation : uint8_t { kUnion, kIntersection, kDifference };
enum class Aggregate : uint8_t { kSum, kMin, kMax };

/// One operand: a sorted set, a set, or nothing.
struct Source {
  const Entry* entry = nullptr;
  double weight = 1;

  size_t size() const { return entry == nullptr ? 0 : entry->length(); }
  std::optional<double> score(std::string_view member) const {
    if (entry == nullptr) return std::nullopt;
    if (entry->type() == Type::kSortedSet) return entry->sorted_set().score(member);
    return entry->set().contains(member) ? std::optional<double>(1.0) : std::nullopt;
  }
  void for_each(SortedSet::Visitor visit) const {
    if (entry == nullptr) return;
    if (entry->type() == Type::kSortedSet) return entry->sorted_set().for_each(visit);
    entry->set().for_each([&](std::string_view member) { return visit(member, 1.0); });
  }
};

enum class Answer : uint8_t { kMembers, kStored, kCount };

struct Request {
  Operation operation = Operation::kUnion;
  Answer answer = Answer::kMembers;
  std::vector<Source> sources;
  Aggregate aggregate = Aggregate::kSum;
  bool with_scores = false;
  size_t limit = 0;  // kCount: 0 = all
};

/// COMPAT: inf - inf and 0 * inf count as 0.
double number_or_zero(double value) { return std::isnan(value) ? 0 : value; }

double aggregated(Aggregate aggregate, double a, double b) {
  switch (aggregate) {
    case Aggregate::kSum:
      return number_or_zero(a + b);
    case Aggregate::kMin:
      return b < a ? b : a;
    case Aggregate::kMax:
      return b > a ? b : a;
  }
  return a;
}

void read_aggregate(command::Args& args, Aggregate& aggregate) {
  if (args.take("sum")) {
    aggregate = Aggregate::kSum;
  } else if (args.take("min")) {
    aggregate = Aggregate::kMin;
  } else if (args.take("max")) {
    aggregate = Aggregate::kMax;
  } else {
    args.fail(command::kSyntaxError);
  }
}

void read_options(command::Args& args, Request& request) {
  const bool weighs = request.operation != Operation::kDifference && request.answer != Answer::kCount;
  while (args.more()) {
    if (weighs && args.left() >= request.sources.size() + 1 && args.take("weights")) {
      for (Source& source : request.sources) {
        const auto weight = command::parse_double(args.next());
        if (!weight) return args.fail("ERR weight value is not a float");
        source.weight = *weight;
      }
    } else if (weighs && args.left() >= 2 && args.take("aggregate")) {
      read_aggregate(args, request.aggregate);
    } else if (request.answer == Answer::kMembers && args.take("withscores")) {
      request.with_scores = true;
    } else if (request.answer == Answer::kCount && args.left() >= 2 && args.take("limit")) {
      request.limit =
          static_cast<size_t>(args.integer(0, std::numeric_limits<int64_t>::max(), "ERR LIMIT can't be negative"));
    } else {
      args.fail(command::kSyntaxError);
    }
  }
}

/// Reads `numkeys key ... options` from argument `at` on; nullopt: the error is written.
std::optional<Request> read_request(Context& c, size_t at, Operation operation, Answer answer) {
  Request request;
  request.operation = operation;
  request.answer = answer;
  const auto keys = parse_int64(c.argv[at]);
  std::string error;
  if (!keys) {
    error = command::kNotAnInteger;
  } else if (*keys < 1) {
    error = fmt::format("ERR at least 1 input key is needed for '{}' command", c.spec.name);
  } else if (static_cast<uint64_t>(*keys) > c.argv.size() - (at + 1)) {
    error = command::kSyntaxError;
  }
  if (error.empty()) {
    for (const std::string_view name : c.argv.subspan(at + 1, static_cast<size_t>(*keys))) {
      const Entry* entry = lookup_read(c, c.key(name));
      if (entry != nullptr && entry->type() != Type::kSortedSet && entry->type() != Type::kSet) {
        c.reply.error(command::kWrongType);
        return std::nullopt;
      }
      request.sources.push_back({entry});
    }
    command::Args args = c.args(at + 1 + static_cast<size_t>(*keys));
    read_options(args, request);
    error = args.error();
  }
  if (error.empty()) return request;
  c.reply.error(error);
  return std::nullopt;
}

std::vector<ScoredMember> unite(const Request& request) {
  std::map<std::string, double, std::less<>> scores;
  for (const Source& source : request.sources) {
    source.for_each([&](std::string_view member, double own) {
      const double score = number_or_zero(source.weight * own);
      const auto at = scores.find(member);
      if (at == scores.end()) {
        scores.emplace(member, score);
      } else {
        at->second = aggregated(request.aggregate, at->second, score);
      }
      return true;
    });
  }
  std::vector<ScoredMember> result;
  result.reserve(scores.size());
  for (const auto& [member, score] : scores) result.push_back({member, score});
  return result;
}

std::vector<ScoredMember> intersect(const Request& request) {
  std::vector<ScoredMember> result;
  const std::vector<Source>& sources = request.sources;
  sources[0].for_each([&](std::string_view member, double own) {
    double score = number_or_zero(sources[0].weight * own);
    for (size_t i = 1; i < sources.size(); ++i) {
      const auto other = sources[i].score(member);
      if (!other) return true;
      score = aggregated(request.aggregate, score, *other * sources[i].weight);
    }
    result.push_back({std::string(member), score});
    return request.limit == 0 || result.size() < request.limit;
  });
  return result;
}

std::vector<ScoredMember> subtract(const Request& request) {
  std::vector<ScoredMember> result;
  request.sources[0].for_each([&](std::string_view member, double score) {
    const bool elsewhere = std::any_of(request.sources.begin() + 1, request.sources.end(),
                                       [&](const Source& other) { return other.score(member).has_value(); });
    if (!elsewhere) result.push_back({std::string(member), score});
    return true;
  });
  return result;
}

/// In the order of a sorted set.
std::vector<ScoredMember> combine(Request& request) {
  if (request.operation != Operation::kDifference) {
    // COMPAT: from the smallest on, which decides how sums of doubles round.
    std::stable_sort(request.sources.begin(), request.sources.end(),
                     [](const Source& a, const Source& b) { return a.size() < b.size(); });
  }
  std::vector<ScoredMember> result;
  switch (request.operation) {
    case Operation::kUnion:
      result = unite(request);
      break;
    case Operation::kIntersection:
      result = intersect(request);
      break;
    case Operation::kDifference:
      result = subtract(request);
      break;
  }
  std::sort(result.begin(), result.end(), [](const ScoredMember& a, const ScoredMember& b) {
    return a.score != b.score ? a.score < b.score : a.member < b.member;
  });
  return result;
}

void reply_combined(Context& c, Operation operation) {
  auto request = read_request(c, 1, operation, Answer::kMembers);
  if (!request) return;
  const std::vector<ScoredMember> result = combine(*request);
  MemberReply reply(c, result.size(), request->with_scores);
  for (const ScoredMember& one : result) reply.add(one.member, one.score);
}
void zunion_command(Context& c) { reply_combined(c, Operation::kUnion); }
void zinter_command(Context& c) { reply_combined(c, Operation::kIntersection); }
void zdiff_command(Context& c) { reply_combined(c, Operation::kDifference); }

void store_combined(Context& c, Operation operation, std::string_view event) {
  auto request = read_request(c, 2, operation, Answer::kStored);
  if (request) store_sorted_set(c, c.argv[1], combine(*request), event);
}
void zunionstore_command(Context& c) { store_combined(c, Operation::kUnion, "zunionstore"); }
void zinterstore_command(Context& c) { store_combined(c, Operation::kIntersection, "zinterstore"); }
void zdiffstore_command(Context& c) { store_combined(c, Operation::kDifference, "zdiffstore"); }

void zintercard_command(Context& c) {
  auto request = read_request(c, 1, Operation::kIntersection, Answer::kCount);
  if (request) c.reply.integer(static_cast<int64_t>(combine(*request).size()));
}

constexpr Binding kBindings[] = {
    {"zdiff", zdiff_command},
    {"zdiffstore", zdiffstore_command},
    {"zinter", zinter_command},
    {"zintercard", zintercard_command},
    {"zinterstore", zinterstore_command},
    {"zunion", zunion_command},
    {"zunionstore", zunionstore_command},
};

}  // namespace

std::span<const Binding> sorted_set_algebra_bindings() { return kBindings; }

}  // namespace holdfast::family
