#include "store/type/sorted_set.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/body.h"
#include "store/testing.h"

namespace holdfast::store {
namespace {

using Pair = std::pair<double, std::string>;

struct Model {
  std::set<Pair> order;
  std::map<std::string, double> scores;
  void put(const std::string& member, double score) {
    if (const auto it = scores.find(member); it != scores.end()) order.erase({it->second, member});
    scores[member] = score;
    order.insert({score, member});
  }
  bool erase(const std::string& member) {
    const auto it = scores.find(member);
    if (it == scores.end()) return false;
    order.erase({it->second, member});
    scores.erase(it);
    return true;
  }
};

void compare(const SortedSet& zset, const Model& model, Prng& prng) {
  zset.check_invariants();
  const std::vector<Pair> order(model.order.begin(), model.order.end());
  std::vector<Pair> seen;
  zset.for_each([&](std::string_view member, double score) { return seen.emplace_back(score, member), true; });
  ASSERT_EQ(seen, order);
  const size_t first = prng.below(order.size() + 2);
  const size_t last = prng.below(order.size() + 2);
  std::vector<Pair> part;
  for (size_t i = first; i <= last && i < order.size(); ++i) part.push_back(order[i]);
  seen.clear();
  zset.for_each(first, last,
                [&](std::string_view member, double score) { return seen.emplace_back(score, member), true; });
  ASSERT_EQ(seen, part);
  seen.clear();
  zset.for_each_reversed(first, last,
                         [&](std::string_view member, double score) { return seen.emplace_back(score, member), true; });
  std::reverse(seen.begin(), seen.end());
  ASSERT_EQ(seen, part);
  for (size_t i = 0; i < order.size(); i += 1 + order.size() / 50) {
    ASSERT_EQ(zset.rank(order[i].second), i);
    const auto below = [&](bool or_equal) {
      return static_cast<size_t>(std::count_if(order.begin(), order.end(), [&](const Pair& p) {
        return or_equal ? p.first <= order[i].first : p.first < order[i].first;
      }));
    };
    ASSERT_EQ(zset.count_below(order[i].first, false), below(false));
    ASSERT_EQ(zset.count_below(order[i].first, true), below(true));
  }
}

TEST(SortedSet, AgreesWithAModelThroughItsForms) {
  for (const uint64_t universe : {50, 600, 20'000}) {
    Context context(test_seed());
    {
      SortedSet zset(context);
      Model model;
      Prng prng(universe);
      for (int i = 0; i < 40'000; ++i) {
        const std::string member = random_text(prng, universe);
        const bool growing = (i / 15'000) % 2 == 0;
        if (prng.below(10) < (growing ? 7U : 3U)) {
          const double score = prng.below(50) == 0 ? -INFINITY : static_cast<double>(prng.below(100)) / 4;
          const auto known = model.scores.find(member);
          const auto expected = known == model.scores.end() ? SortedSet::Outcome::kAdded
                                : known->second == score    ? SortedSet::Outcome::kUnchanged
                                                            : SortedSet::Outcome::kUpdated;
          ASSERT_EQ(zset.add(member, score), expected);
          model.put(member, score);
        } else {
          ASSERT_EQ(zset.erase(member), model.erase(member));
        }
        ASSERT_EQ(zset.size(), model.scores.size());
        if (i % 2000 == 0) {
          ASSERT_NO_FATAL_FAILURE(compare(zset, model, prng));
        }
      }
      ASSERT_NO_FATAL_FAILURE(compare(zset, model, prng));
      SortedSet* const copy = zset.clone();
      ASSERT_NO_FATAL_FAILURE(compare(*copy, model, prng));
      destroy_body(context, copy);
      while (!zset.empty()) {
        const size_t first = prng.below(zset.size());
        const size_t count =
            zset.erase_range(first, first + prng.below(200), [&](std::string_view member, double score) {
              ASSERT_EQ(model.scores[std::string(member)], score);
              ASSERT_TRUE(model.erase(std::string(member)));
            });
        ASSERT_GT(count, 0U);
        ASSERT_EQ(zset.size(), model.scores.size());
        zset.check_invariants();
      }
    }
    EXPECT_EQ(context.heap.used(), 0U);
  }
}

TEST(SortedSet, CountsByLexAmongEqualScores) {
  for (const int members : {26, 1000}) {
    Context context(test_seed());
    SortedSet zset(context);
    std::vector<std::string> names;
    for (int i = 0; i < members; ++i) names.push_back("m" + std::to_string(1000 + i));
    for (const std::string& name : names) zset.add(name, 0);
    EXPECT_EQ(zset.count_below_lex("m1010", false), 10U);
    EXPECT_EQ(zset.count_below_lex("m1010", true), 11U);
    EXPECT_EQ(zset.count_below_lex("", false), 0U);
    EXPECT_EQ(zset.count_below_lex("z", true), names.size());
  }
}

TEST(SortedSet, AscendingLoadsFillTheirLeaves) {
  Context context(test_seed());
  SortedSet zset(context);
  for (int i = 0; i < 50'000; ++i) zset.add("member:" + std::to_string(i), i);
  zset.check_invariants();
  EXPECT_LT(static_cast<double>(zset.memory()) / 50'000, 70.0);
  EXPECT_EQ(zset.rank("member:31415"), 31415U);
}

}  // namespace
}  // namespace holdfast::store
