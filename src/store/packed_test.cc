#include "store/packed.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "store/int_set.h"
#include "store/testing.h"

namespace holdfast::store {
namespace {

std::vector<std::string> content(const Packed& packed) {
  std::vector<std::string> out;
  for (auto at = packed.begin(); at != packed.end(); at = packed.next(at)) out.emplace_back(packed.get(at));
  return out;
}

TEST(Packed, AgreesWithAVector) {
  Heap heap;
  Prng prng(2);
  Packed packed;
  std::vector<std::string> model;
  for (int i = 0; i < 20'000; ++i) {
    const auto place = static_cast<uint32_t>(prng.below(model.size() + 1));
    const auto iter = model.begin() + place;
    const std::string text(prng.below(i % 100 == 0 ? 20'000 : 200), static_cast<char>('a' + i % 26));
    switch (prng.below(model.size() > 60 ? 5 : 3)) {
      case 0:
      case 1:
        packed.insert(heap, packed.seek(place), text);
        model.insert(iter, text);
        break;
      case 2:
        if (place == model.size()) break;
        packed.replace(heap, packed.seek(place), text);
        *iter = text;
        break;
      default: {
        const auto count = static_cast<uint32_t>(prng.below(std::min<size_t>(3, model.size() - place) + 1));
        packed.erase(heap, packed.seek(place), count);
        model.erase(iter, iter + count);
      }
    }
    ASSERT_EQ(packed.count(), model.size());
    if (i % 97 == 0) {
      ASSERT_EQ(content(packed), model);
      packed.check_invariants();
    }
  }
  const Packed::Offset middle = packed.seek(packed.count() / 2);
  Packed copy = packed.clone(heap);
  Packed rest = packed.split(heap, middle);
  auto joined = content(packed);
  for (const std::string& text : content(rest)) joined.push_back(text);
  EXPECT_EQ(joined, model);
  EXPECT_EQ(content(copy), model);
  packed.clear(heap);
  rest.clear(heap);
  copy.clear(heap);
  EXPECT_EQ(heap.used(), 0U);
}

TEST(IntSet, AgreesWithASetAcrossWidths) {
  Heap heap;
  Prng prng(2);
  for (const int bits : {8, 16, 17, 33, 64}) {
    IntSet ints;
    std::set<int64_t> model;
    for (int i = 0; i < 3000; ++i) {
      const auto value = static_cast<int64_t>(prng.next()) >> (64 - bits);
      if (prng.below(3) > 0) {
        ASSERT_EQ(ints.insert(heap, value), model.insert(value).second);
      } else {
        ASSERT_EQ(ints.erase(heap, value), model.erase(value) == 1);
      }
    }
    ints.check_invariants();
    ASSERT_EQ(ints.size(), model.size());
    uint32_t index = 0;
    for (const int64_t value : model) ASSERT_EQ(ints.at(index++), value);
    ints.clear(heap);
  }
  IntSet ints;
  for (const int64_t value : {INT64_MIN, INT64_MAX, int64_t{0}, int64_t{-1}}) EXPECT_TRUE(ints.insert(heap, value));
  EXPECT_EQ(ints.at(0), INT64_MIN);
  EXPECT_EQ(ints.at(3), INT64_MAX);
  ints.clear(heap);
}

}  // namespace
}  // namespace holdfast::store
