#include "store/type/list.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "store/body.h"
#include "store/testing.h"

namespace holdfast::store {
namespace {

using Model = std::deque<std::string>;

Model content(const List& list) {
  Model out;
  list.for_each([&](std::string_view element) {
    out.emplace_back(element);
    return true;
  });
  return out;
}

size_t model_remove(Model& model, const std::string& element, int64_t count) {
  size_t removed = 0;
  const auto limit = count == 0 ? model.size() : static_cast<size_t>(std::abs(count));
  if (count < 0) std::reverse(model.begin(), model.end());
  for (auto it = model.begin(); it != model.end() && removed < limit;) {
    if (*it == element) {
      it = model.erase(it);
      ++removed;
    } else {
      ++it;
    }
  }
  if (count < 0) std::reverse(model.begin(), model.end());
  return removed;
}

void step(List& list, Model& model, Prng& prng) {
  const std::string text = random_text(prng, 30);
  const auto size = static_cast<int64_t>(model.size());
  const int64_t index = static_cast<int64_t>(prng.below(model.size() + 2)) - (prng.below(2) != 0 ? size : 0);
  const int64_t place = index < 0 ? index + size : index;
  const bool inside = place >= 0 && place < size;
  switch (prng.below(12)) {
    case 0:
    case 1:
    case 2:
      list.push_back(text), model.push_back(text);
      break;
    case 3:
    case 4:
      list.push_front(text), model.push_front(text);
      break;
    case 5: {
      const size_t drop = std::min<size_t>(prng.below(3), model.size());
      list.drop_front(drop);
      model.erase(model.begin(), model.begin() + static_cast<ptrdiff_t>(drop));
      break;
    }
    case 6: {
      const size_t drop = std::min<size_t>(prng.below(3), model.size());
      list.drop_back(drop);
      model.erase(model.end() - static_cast<ptrdiff_t>(drop), model.end());
      break;
    }
    case 7:
      ASSERT_EQ(list.set(index, text), inside);
      if (inside) model[static_cast<size_t>(place)] = text;
      break;
    case 8: {
      const bool after = prng.below(2) != 0;
      const std::string pivot = random_text(prng, 30);
      auto it = std::find(model.begin(), model.end(), pivot);
      ASSERT_EQ(list.insert(pivot, text, after), it != model.end());
      if (it != model.end()) model.insert(after ? it + 1 : it, text);
      break;
    }
    case 9: {
      const int64_t count = static_cast<int64_t>(prng.below(7)) - 3;
      ASSERT_EQ(list.remove(text, count), model_remove(model, text, count));
      break;
    }
    case 10:
      if (prng.below(40) == 0 && inside) {
        const auto last = std::min<size_t>(model.size() - 1, static_cast<size_t>(place) + prng.below(200));
        list.trim(static_cast<size_t>(place), last);
        model.erase(model.begin() + static_cast<ptrdiff_t>(last) + 1, model.end());
        model.erase(model.begin(), model.begin() + place);
      }
      break;
    default:
      ASSERT_EQ(list.at(index).has_value(), inside);
      if (inside) {
        ASSERT_EQ(*list.at(index), model[static_cast<size_t>(place)]);
      }
  }
}

TEST(List, AgreesWithADeque) {
  for (const int limit : {-2, 1, 4, 128, -5}) {
    Context context(test_seed());
    context.limits.list_max_listpack_size = limit;
    {
      List list(context);
      Model model;
      Prng prng(static_cast<uint64_t>(limit + 100));
      for (int i = 0; i < 8000; ++i) {
        ASSERT_NO_FATAL_FAILURE(step(list, model, prng));
        ASSERT_EQ(list.size(), model.size());
        if (i % 50 == 0) {
          list.check_invariants();
          ASSERT_EQ(content(list), model);
          const size_t first = prng.below(model.size() + 1);
          const size_t last = prng.below(model.size() + 1);
          Model part;
          list.for_each(first, last, [&](std::string_view e) { return part.emplace_back(e), true; });
          Model reversed;
          list.for_each_reversed(first, last, [&](std::string_view e) { return reversed.emplace_front(e), true; });
          ASSERT_EQ(part, reversed);
          Model expected;
          for (size_t k = first; k <= last && k < model.size(); ++k) expected.push_back(model[k]);
          ASSERT_EQ(part, expected);
        }
      }
      List* const copy = list.clone();
      EXPECT_EQ(content(*copy), model);
      copy->check_invariants();
      destroy_body(context, copy);
    }
    EXPECT_EQ(context.heap.used(), 0U);
  }
}

TEST(List, FindsPositionsAsLposCounts) {
  Context context(test_seed());
  List list(context);
  for (const char* e : {"a", "b", "c", "1", "2", "3", "c", "c"}) list.push_back(e);
  const auto find = [&](int64_t rank, size_t count, size_t max_length) {
    std::vector<size_t> found;
    list.positions("c", rank, count, max_length, found);
    return found;
  };
  using V = std::vector<size_t>;
  EXPECT_EQ(find(1, 1, 0), V({2}));
  EXPECT_EQ(find(2, 1, 0), V({6}));
  EXPECT_EQ(find(-1, 1, 0), V({7}));
  EXPECT_EQ(find(1, 0, 0), V({2, 6, 7}));
  EXPECT_EQ(find(-1, 2, 0), V({7, 6}));
  EXPECT_EQ(find(1, 0, 7), V({2, 6}));
  EXPECT_EQ(find(4, 0, 0), V());
}

TEST(List, TurnsIntoNodesPastItsLimit) {
  Context context(test_seed());
  List list(context);
  list.push_back("x");
  EXPECT_EQ(list.encoding(), Encoding::kListpack);
  for (int i = 0; i < 100; ++i) list.push_back(std::string(200, 'y'));
  EXPECT_EQ(list.encoding(), Encoding::kQuicklist);
}

}  // namespace
}  // namespace holdfast::store
