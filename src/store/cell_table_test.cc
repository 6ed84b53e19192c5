#include "store/cell_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "store/testing.h"

namespace holdfast::store {
namespace {

class CellTableTest : public ::testing::TestWithParam<bool> {
 protected:
  bool with_values() const { return GetParam(); }
  bool put(const std::string& key, const std::string& value) {
    return table_.put(context_.key(key), with_values() ? value : "");
  }
  std::map<std::string, std::string> content(const CellTable& table) const {
    std::map<std::string, std::string> out;
    table.for_each([&](std::string_view key, std::string_view value) {
      EXPECT_TRUE(out.emplace(key, value).second);
      return true;
    });
    return out;
  }

  Context context_{test_seed()};
  CellTable table_{context_, GetParam()};
};

std::string text(Prng& prng, size_t size_max) {
  std::string out(prng.below(size_max + 1), '\0');
  for (char& c : out) c = static_cast<char>(prng.below(256));
  return out;
}

TEST_P(CellTableTest, AgreesWithAModelWhileItGrowsAndShrinks) {
  Prng prng(7);
  std::map<std::string, std::string> model;
  for (int i = 0; i < 60'000; ++i) {
    const bool grows = (i / 20'000) % 2 == 0;
    std::string key = std::to_string(prng.below(6'000));
    if (prng.below(50) == 0) key += std::string(200, 'x');
    if (prng.below(10) < (grows ? 8U : 2U)) {
      // Around the largest record that lies in a cell, and far beyond it.
      const std::string value = with_values() ? text(prng, prng.below(20) == 0 ? 400 : 30) : "";
      ASSERT_EQ(put(key, value), !model.contains(key));
      model[key] = value;
    } else {
      ASSERT_EQ(table_.erase(context_.key(key)), model.erase(key) == 1);
    }
    ASSERT_EQ(table_.size(), model.size());
    if (i % 2'000 == 0) table_.check_invariants();
  }
  table_.check_invariants();
  EXPECT_EQ(content(table_), model);
  for (const auto& [key, value] : model) ASSERT_EQ(table_.find(context_.key(key)), value);
  EXPECT_EQ(table_.find(context_.key("absent")), std::nullopt);
}

TEST_P(CellTableTest, EveryInsertAndEraseInOneCellKeepsTheRest) {
  for (size_t size = 0; size <= 40; ++size) {
    std::map<std::string, std::string> model;
    for (int i = 0; i < 8; ++i) {
      const std::string key = std::to_string(i) + std::string(size, 'k');
      const std::string value = with_values() ? std::string((size * 7 + static_cast<size_t>(i)) % 133, 'v') : "";
      put(key, value);
      model[key] = value;
      table_.check_invariants();
      ASSERT_EQ(content(table_), model);
    }
    for (const int i : {3, 0, 7, 5, 1, 6, 2, 4}) {
      const std::string key = std::to_string(i) + std::string(size, 'k');
      ASSERT_TRUE(table_.erase(context_.key(key)));
      model.erase(key);
      table_.check_invariants();
      ASSERT_EQ(content(table_), model);
    }
  }
}

TEST_P(CellTableTest, ScanShowsEveryRecordThatStaysWhateverElseHappens) {
  Prng prng(11);
  for (int round = 0; round < 20; ++round) {
    std::set<std::string> stay;
    for (int i = 0; i < 500; ++i) stay.insert("stay" + std::to_string(i));
    for (const std::string& key : stay) put(key, "v");
    std::set<std::string> seen;
    uint64_t cursor = 0;
    const bool grows = round % 2 == 0;
    for (int i = 0; !grows && i < 5'000; ++i) put("other" + std::to_string(i), "");
    int step = 0;
    do {
      cursor = table_.scan(cursor, [&](std::string_view key, std::string_view) { seen.emplace(key); });
      for (int i = 0; i < 40; ++i, ++step) {
        const std::string other = "other" + std::to_string(step);
        grows ? static_cast<void>(put(other, "")) : static_cast<void>(table_.erase(context_.key(other)));
      }
      ASSERT_LT(step, 400'000);
    } while (cursor != 0 && step < 20'000);
    while (cursor != 0) {
      cursor = table_.scan(cursor, [&](std::string_view key, std::string_view) { seen.emplace(key); });
    }
    for (const std::string& key : stay) ASSERT_TRUE(seen.contains(key)) << key << " in round " << round;
    table_.drain(SIZE_MAX);
  }
}

TEST_P(CellTableTest, ARandomRecordIsAnyOneEquallyOften) {
  constexpr int kRecords = 300;  // in the middle of a round: cells of two sizes
  constexpr int kDraws = 300'000;
  for (int i = 0; i < kRecords; ++i) put("member" + std::to_string(i), "value");
  Prng prng(3);
  std::map<std::string, int> drawn;
  for (int i = 0; i < kDraws; ++i) {
    table_.random(prng, [&](std::string_view key, std::string_view) { ++drawn[std::string(key)]; });
  }
  double chi_square = 0;
  constexpr double kExpected = double{kDraws} / kRecords;
  for (const auto& [key, count] : drawn) chi_square += std::pow(count - kExpected, 2) / kExpected;
  EXPECT_EQ(drawn.size(), size_t{kRecords});
  EXPECT_LT(chi_square, 400);  // 299 degrees of freedom: beyond 400 once in ten thousand seeds
}

TEST_P(CellTableTest, ACloneIsEqualAndItsOwn) {
  Prng prng(5);
  for (int i = 0; i < 3'000; ++i) put(text(prng, 200), text(prng, 200));
  const auto before = content(table_);
  const auto copy = table_.clone();
  copy->check_invariants();
  EXPECT_EQ(content(*copy), before);
  EXPECT_EQ(copy->memory(), table_.memory());
  table_.drain(SIZE_MAX);
  EXPECT_EQ(content(*copy), before);
}

TEST_P(CellTableTest, DrainsInSlices) {
  for (int i = 0; i < 5'000; ++i) put("k" + std::to_string(i), std::string(static_cast<size_t>(i % 300), 'v'));
  size_t slices = 0;
  for (size_t left = table_.size(); !table_.drain(100); ++slices) {
    EXPECT_LT(table_.size(), left);
    EXPECT_GE(left - table_.size(), 100U);
    EXPECT_LT(left - table_.size(), 250U);
    left = table_.size();
  }
  EXPECT_GT(slices, 20U);
  EXPECT_EQ(table_.size(), 0U);
}

TEST_P(CellTableTest, SmallRecordsCostLittleMoreThanTheirBytes) {
  for (int fill = 1; fill <= 4; ++fill) {  // at several points of a round of splits
    const int records = 50'000 * fill;
    for (int i = 0; i < records; ++i) put("member:" + std::to_string(1'000'000 + i), "value:1234567");
    const size_t bytes = with_values() ? 27 + 1 : 14;  // a value has a size too
    EXPECT_LT(table_.memory(), static_cast<size_t>(records) * (bytes + 6)) << records;
  }
}

INSTANTIATE_TEST_SUITE_P(SetsAndHashes, CellTableTest, ::testing::Bool(),
                         [](const auto& p) { return p.param ? "WithValues" : "WithoutValues"; });

}  // namespace
}  // namespace holdfast::store
