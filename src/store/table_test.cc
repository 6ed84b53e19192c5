#include "store/table.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/testing.h"
#include "store/varint.h"
#include "store/write_hook.h"

namespace holdfast::store {
namespace {

class TableTest : public ::testing::Test {
 protected:
  ~TableTest() override {
    table_.drain(SIZE_MAX, [&](void* item) { free_item(item); });
  }
  void free_item(void* item) { context_.heap.release(item, table_.key_of(item).size() + 1); }
  void add(const std::string& key) {
    auto* const item = static_cast<char*>(context_.heap.allocate(key.size() + 1));
    std::memcpy(put_varint(item, key.size()), key.data(), key.size());
    table_.insert(context_.key(key), item);
  }
  bool drop(const std::string& key) {
    void* const item = table_.erase(context_.key(key));
    if (item != nullptr) free_item(item);
    return item != nullptr;
  }
  bool has(const std::string& key) { return table_.find(context_.key(key)) != nullptr; }

  Context context_{test_seed()};
  Table table_{context_, 0};
};

TEST_F(TableTest, AgreesWithAModelWhileItGrowsAndShrinks) {
  Prng prng(1);
  std::set<std::string> model;
  for (int i = 0; i < 60'000; ++i) {
    const std::string key = "k" + std::to_string(prng.below(12'000));
    const bool grow_phase = (i / 20'000) % 2 == 0;
    if (prng.below(10) < (grow_phase ? 8U : 2U)) {
      if (!has(key)) add(key);
      model.insert(key);
    } else {
      ASSERT_EQ(drop(key), model.erase(key) == 1);
    }
    ASSERT_EQ(table_.size(), model.size());
    if (i % 5000 == 0) table_.check_invariants();
  }
  table_.check_invariants();
  EXPECT_GT(table_.segment_count(), 4U);
  for (int i = 0; i < 12'000; ++i) {
    const std::string key = "k" + std::to_string(i);
    ASSERT_EQ(has(key), model.contains(key));
  }
  std::set<std::string> seen;
  table_.for_each([&](void* item) { return seen.emplace(table_.key_of(item)).second; });
  EXPECT_EQ(seen, model);
}

TEST_F(TableTest, CrowdedBucketsOverflowAndGiveTheirOverflowBack) {
  // Keys with one home: equal low bits of the hash, found by search.
  std::vector<std::string> crowd;
  for (int i = 0; crowd.size() < 40; ++i) {
    const std::string key = "c" + std::to_string(i);
    if ((context_.key(key).hash & 0x3ff) == 5) crowd.push_back(key);
  }
  for (const std::string& key : crowd) add(key);
  table_.check_invariants();
  const size_t full = table_.memory();
  for (const std::string& key : crowd) ASSERT_TRUE(has(key));
  for (size_t i = 0; i < crowd.size(); ++i) {
    ASSERT_TRUE(drop(crowd[(i * 7) % crowd.size()]));
    table_.check_invariants();
  }
  EXPECT_EQ(table_.size(), 0U);
  EXPECT_LT(table_.memory(), full);
}

TEST_F(TableTest, ScanVisitsWhatIsPresentThroughoutAtEveryGrowth) {
  for (const int start : {0, 3, 100, 2000}) {
    for (const int growth : {0, 1, 10, 500}) {
      table_.drain(SIZE_MAX, [&](void* item) { free_item(item); });
      std::set<std::string> missing;
      for (int i = 0; i < start; ++i) {
        const std::string key = "stay" + std::to_string(start) + ":" + std::to_string(growth) + ":" + std::to_string(i);
        add(key);
        missing.insert(key);
      }
      uint64_t cursor = 0;
      int added = 0;
      int steps = 0;
      do {
        cursor = table_.scan(cursor, [&](void* item) { missing.erase(std::string(table_.key_of(item))); });
        for (int i = 0; i < growth && added < 6000; ++i) {
          add("new" + std::to_string(start) + ":" + std::to_string(growth) + ":" + std::to_string(added++));
        }
        ASSERT_LT(++steps, 200'000);
      } while (cursor != 0);
      EXPECT_TRUE(missing.empty()) << start << " " << growth << " " << missing.size();
    }
  }
}

TEST_F(TableTest, ScanVisitsWhatIsPresentThroughoutWhileTheTableShrinks) {
  std::set<std::string> missing;
  std::vector<std::string> leaving;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = std::to_string(i);
    add(key);
    if (i % 100 == 0) {
      missing.insert(key);
    } else {
      leaving.push_back(key);
    }
  }
  const size_t full = table_.memory();
  uint64_t cursor = 0;
  do {
    cursor = table_.scan(cursor, [&](void* item) { missing.erase(std::string(table_.key_of(item))); });
    for (int i = 0; i < 40 && !leaving.empty(); ++i) {
      ASSERT_TRUE(drop(leaving.back()));
      leaving.pop_back();
    }
  } while (cursor != 0);
  EXPECT_TRUE(missing.empty()) << missing.size();
  EXPECT_EQ(table_.size(), 200U);
  table_.check_invariants();
  EXPECT_LT(table_.memory(), full / 10);
  for (int i = 0; i < 20'000; i += 100) ASSERT_TRUE(drop(std::to_string(i)));
  EXPECT_LE(table_.memory(), 1000U);
  for (int i = 0; i < 5000; ++i) add("again" + std::to_string(i));
  table_.check_invariants();
}

TEST_F(TableTest, DueBoundsSurviveMerges) {
  for (int i = 0; i < 10'000; ++i) {
    add(std::to_string(i));
    table_.note_due(context_.key(std::to_string(i)), 100'000 - i);
  }
  for (int i = 1; i < 9'999; ++i) {
    ASSERT_TRUE(drop(std::to_string(i)));
    if (i % 500 == 0) table_.check_invariants();
  }
  EXPECT_LE(table_.next_due_ms(), 100'000 - 9'999);
  EXPECT_LE(table_.segment_count(), 2U);
  EXPECT_GE(table_.segment_count(), 1U);
}

TEST_F(TableTest, ScanOfAQuietTableVisitsEachItemOnce) {
  for (int i = 0; i < 5000; ++i) add(std::to_string(i));
  std::map<std::string, int> visits;
  uint64_t cursor = 0;
  do {
    cursor = table_.scan(cursor, [&](void* item) { ++visits[std::string(table_.key_of(item))]; });
  } while (cursor != 0);
  EXPECT_EQ(visits.size(), 5000U);
  for (const auto& [key, count] : visits) ASSERT_EQ(count, 1) << key;
}

TEST_F(TableTest, RandomReachesEveryItemAboutEvenly) {
  for (int i = 0; i < 300; ++i) add(std::to_string(i));
  Prng prng(3);
  std::map<std::string, int> chosen;
  for (int i = 0; i < 60'000; ++i) ++chosen[std::string(table_.key_of(table_.random(prng)))];
  EXPECT_EQ(chosen.size(), 300U);
  for (const auto& [key, count] : chosen) {
    EXPECT_GT(count, 100) << key;
    EXPECT_LT(count, 300) << key;
  }
}

TEST_F(TableTest, RandomFindsTheLastItemOfATableThatShrank) {
  for (int i = 0; i < 20'000; ++i) add(std::to_string(i));
  for (int i = 0; i < 19'999; ++i) drop(std::to_string(i));
  Prng prng(3);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(table_.key_of(table_.random(prng)), "19999");
}

TEST_F(TableTest, SegmentPositionsWalkEverySegmentOnce) {
  for (int i = 0; i < 20'000; ++i) add(std::to_string(i));
  std::set<const Segment*> seen;
  size_t items = 0;
  uint64_t position = 0;
  do {
    const Segment* const segment = table_.segment_at(position);
    ASSERT_TRUE(seen.insert(segment).second);
    items += segment->count;
    position = Table::position_after(*segment);
  } while (position != 0);
  EXPECT_EQ(seen.size(), table_.segment_count());
  EXPECT_EQ(items, table_.size());
}

TEST_F(TableTest, DueBoundsFollowSplits) {
  Prng prng(9);
  int64_t least = Segment::kNothingDue;
  EXPECT_EQ(table_.next_due_ms(), Segment::kNothingDue);
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = std::to_string(i);
    add(key);
    const auto due = static_cast<int64_t>(1000 + prng.below(1'000'000));
    table_.note_due(context_.key(key), due);
    least = std::min(least, due);
    ASSERT_EQ(table_.next_due_ms(), least);
  }
  table_.check_invariants();
  int64_t last = 0;
  while (Segment* const segment = table_.most_due()) {
    EXPECT_GE(segment->due_ms, last);
    last = segment->due_ms;
    table_.set_due(*segment, Segment::kNothingDue);
    table_.check_invariants();
  }
}

TEST_F(TableTest, MemoryOfTheTableStaysBelowSixteenBytesAnItem) {
  for (int i = 0; i < 200'000; ++i) {
    add(std::to_string(i));
    if (i > 100'000 && i % 10'000 == 0) {
      EXPECT_LT(static_cast<double>(table_.memory()) / static_cast<double>(table_.size()), 19.0);
    }
  }
}

struct RecordingHook final : WriteHook {
  void before_write(Table& table, Segment& segment, uint32_t bucket) override {
    ++calls;
    sizes.push_back(table.size());
    segment.mark_visited(bucket);
  }
  int calls = 0;
  std::vector<size_t> sizes;
};

TEST_F(TableTest, HookHearsOfEveryWriteBeforeItHappensAndMarksFollowGrowth) {
  RecordingHook hook;
  table_.set_hook(&hook);
  for (int i = 0; i < 3000; ++i) {
    add(std::to_string(i));
    ASSERT_EQ(hook.calls, i + 1);
    ASSERT_EQ(hook.sizes.back(), static_cast<size_t>(i));
  }
  // Every bucket with items was announced, through all doublings and splits.
  uint64_t position = 0;
  do {
    const Segment& segment = *table_.segment_at(position);
    for (uint32_t b = 0; b < segment.bucket_count(); ++b) {
      table_.for_each_in_bucket(segment, b, [&](void*) { ASSERT_TRUE(segment.is_visited(b)); });
    }
    position = Table::position_after(segment);
  } while (position != 0);
  const int before = hook.calls;
  EXPECT_FALSE(drop("absent"));
  EXPECT_EQ(hook.calls, before);
  EXPECT_TRUE(drop("5"));
  EXPECT_EQ(hook.calls, before + 1);
  table_.set_hook(nullptr);
}

TEST_F(TableTest, NoInsertAndNoEraseWorksOnMoreThanOneSegment) {
  // What a write may cost whatever the size: the buckets of one segment are made, filled anew or given back, once.
  constexpr size_t kSegmentBytes = 128 * sizeof(Bucket) + 256;
  constexpr int kKeys = 300'000;
  size_t largest_step = 0;
  for (int i = 0; i < kKeys; ++i) {
    const size_t segments = table_.segment_count();
    const size_t bytes = table_.memory();
    add(std::to_string(i));
    ASSERT_LE(table_.segment_count(), segments + 1);
    largest_step = std::max(largest_step, table_.memory() - std::min(bytes, table_.memory()));
  }
  EXPECT_LE(largest_step, kSegmentBytes);
  EXPECT_GT(table_.segment_count(), 256U);
  for (int i = 0; i < kKeys; ++i) {
    const size_t segments = table_.segment_count();
    ASSERT_TRUE(drop(std::to_string(i)));
    ASSERT_GE(table_.segment_count() + 1, segments);
  }
  table_.check_invariants();
}

TEST_F(TableTest, DrainsInStepsAndGivesSegmentsBackOnTheWay) {
  for (int i = 0; i < 100'000; ++i) add(std::to_string(i));
  const size_t full = table_.memory();
  constexpr size_t kStep = 2000;
  size_t steps = 0;
  size_t before = table_.size();
  while (!table_.drain(kStep, [&](void* item) { free_item(item); })) {
    ASSERT_LE(before - table_.size(), kStep + 1009);  // a segment more than asked for
    before = table_.size();
    if (++steps == 20) {
      EXPECT_LT(table_.memory(), full * 3 / 4);
    }
  }
  EXPECT_GT(steps, 30U);
  EXPECT_EQ(table_.size(), 0U);
  EXPECT_EQ(table_.segment_count(), 1U);
  table_.check_invariants();
  add("again");
  EXPECT_TRUE(has("again"));
  table_.check_invariants();
}

}  // namespace
}  // namespace holdfast::store
