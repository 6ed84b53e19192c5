#include "store/type/hash.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "store/body.h"
#include "store/testing.h"
#include "store/type/set.h"

namespace holdfast::store {
namespace {

template <typename Each>
std::map<std::string, std::string> collect(Each each) {
  std::map<std::string, std::string> out;
  each([&](std::string_view field, std::string_view value) {
    EXPECT_TRUE(out.emplace(field, value).second);
    return true;
  });
  return out;
}

TEST(Hash, AgreesWithAMapThroughItsForms) {
  for (const uint64_t universe : {40, 3000}) {
    Context context(test_seed());
    {
      Hash hash(context);
      std::map<std::string, std::string> model;
      Prng prng(universe);
      for (int i = 0; i < 20'000; ++i) {
        const std::string field = "f" + std::to_string(prng.below(universe));
        const std::string value = random_text(prng, 60);
        if (prng.below(3) > 0) {
          ASSERT_EQ(hash.set(field, value), !model.contains(field));
          model[field] = value;
        } else {
          ASSERT_EQ(hash.erase(field), model.erase(field) == 1);
        }
        const auto got = hash.get(field);
        ASSERT_EQ(got.has_value(), model.contains(field));
        if (got) {
          ASSERT_EQ(*got, model[field]);
        }
        ASSERT_EQ(hash.size(), model.size());
        if (i % 1000 == 0) hash.check_invariants();
      }
      EXPECT_EQ(collect([&](auto visit) { hash.for_each(visit); }), model);
      hash.check_invariants();
      Hash* const copy = hash.clone();
      EXPECT_EQ(collect([&](auto visit) { copy->for_each(visit); }), model);
      destroy_body(context, copy);
      std::set<std::string> scanned;
      uint64_t cursor = 0;
      do {
        cursor = hash.scan(cursor, [&](std::string_view field, std::string_view) { scanned.emplace(field); });
      } while (cursor != 0);
      EXPECT_EQ(scanned.size(), model.size());
      if (!model.empty()) {
        hash.random(
            prng, [&](std::string_view field, std::string_view value) { EXPECT_EQ(model[std::string(field)], value); });
      }
    }
    EXPECT_EQ(context.heap.used(), 0U);
  }
}

TEST(Hash, EncodingFollowsTheLimits) {
  Context context(test_seed());
  context.limits.hash_max_listpack_entries = 128;
  Hash many(context);
  for (int i = 0; i < 128; ++i) many.set(std::to_string(i), "v");
  EXPECT_EQ(many.encoding(), Encoding::kListpack);
  many.set("0", std::string(64, 'v'));
  EXPECT_EQ(many.encoding(), Encoding::kListpack);
  many.set("129th", "v");
  EXPECT_EQ(many.encoding(), Encoding::kHashtable);
  Hash wide(context);
  wide.set("f", std::string(65, 'v'));
  EXPECT_EQ(wide.encoding(), Encoding::kHashtable);
}

TEST(Hash, LeavesThePackedFormBeforeItsBlockCouldOverflow) {
  Context context(test_seed());
  context.limits.hash_max_listpack_value = UINT32_MAX;
  context.limits.hash_max_listpack_entries = UINT32_MAX;
  Hash hash(context);
  const std::string large(Packed::kBytesSafe / 2, 'x');
  hash.set("a", large);
  EXPECT_EQ(hash.encoding(), Encoding::kListpack);
  hash.set("b", large);
  EXPECT_EQ(hash.encoding(), Encoding::kHashtable);
  EXPECT_EQ(hash.get("a")->size(), large.size());
}

TEST(Set, AgreesWithASetThroughItsForms) {
  for (const uint64_t universe : {20, 200, 5000}) {
    for (const bool integers_only : {true, false}) {
      Context context(test_seed());
      {
        Set set(context);
        std::set<std::string> model;
        Prng prng(universe);
        for (int i = 0; i < 15'000; ++i) {
          const std::string member = integers_only ? std::to_string(static_cast<int64_t>(prng.below(universe)) - 10)
                                                   : random_text(prng, universe);
          if (prng.below(3) > 0) {
            ASSERT_EQ(set.add(member), model.insert(member).second);
          } else {
            ASSERT_EQ(set.erase(member), model.erase(member) == 1);
          }
          ASSERT_EQ(set.contains(member), model.contains(member));
          ASSERT_EQ(set.size(), model.size());
          if (i % 1000 == 0) set.check_invariants();
        }
        set.check_invariants();
        std::set<std::string> seen;
        set.for_each([&](std::string_view member) { return seen.emplace(member).second; });
        EXPECT_EQ(seen, model);
        Set* const copy = set.clone();
        EXPECT_EQ(copy->size(), model.size());
        EXPECT_EQ(copy->encoding(), set.encoding());
        destroy_body(context, copy);
        while (!set.empty()) {
          std::string member;
          set.random(prng, [&](std::string_view chosen) { member = chosen; });
          ASSERT_EQ(model.erase(member), 1U);
          ASSERT_TRUE(set.erase(member));
        }
      }
      EXPECT_EQ(context.heap.used(), 0U);
    }
  }
}

TEST(Set, EncodingFollowsTheLimits) {
  Context context(test_seed());
  Set ints(context);
  for (int i = 0; i < 512; ++i) ints.add(std::to_string(i));
  EXPECT_EQ(ints.encoding(), Encoding::kIntset);
  ints.add("512");
  EXPECT_EQ(ints.encoding(), Encoding::kHashtable);
  Set mixed(context);
  mixed.add("1");
  mixed.add("x");
  EXPECT_EQ(mixed.encoding(), Encoding::kListpack);
  mixed.add(std::string(65, 'x'));
  EXPECT_EQ(mixed.encoding(), Encoding::kHashtable);
  Set crowd(context);
  for (int i = 0; i < 129; ++i) crowd.add("m" + std::to_string(i));
  EXPECT_EQ(crowd.encoding(), Encoding::kHashtable);
}

}  // namespace
}  // namespace holdfast::store
