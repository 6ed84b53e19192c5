#include "store/key_walk.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "store/dataset.h"
#include "store/testing.h"

namespace holdfast::store {
namespace {

struct Seen final : KeyWalk::Reader {
  void see(const Entry& entry) override {
    NumberBuffer buffer;
    EXPECT_TRUE(keys.emplace(std::string(entry.key()), std::string(entry.string(buffer))).second) << entry.key();
  }
  std::map<std::string, std::string> keys;
};

class KeyWalkTest : public ::testing::Test {
 protected:
  /// Any change a client can make, at random.
  void change(Prng& prng) {
    Keyspace& db = data.db(0);
    const std::string one = "k" + std::to_string(prng.below(60'000));
    const std::string other = "k" + std::to_string(prng.below(60'000));
    switch (prng.below(6)) {
      case 0:
      case 1:
        db.set_string(data.key(one), "new");
        break;
      case 2:
        db.erase(data.key(one));
        break;
      case 3:
        if (one != other) db.rename(data.key(one), data.key(other));
        break;
      case 4:
        db.set_expiry(data.key(one), 5);
        break;
      default:
        if (db.contains(data.key(one))) db.edit_string(data.key(one), 7);
    }
  }
  std::map<std::string, std::string> fill(int count) {
    std::map<std::string, std::string> out;
    for (int i = 0; i < count; ++i) {
      const std::string key = "k" + std::to_string(i);
      data.db(0).set_string(data.key(key), "v" + std::to_string(i));
      out.emplace(key, "v" + std::to_string(i));
    }
    return out;
  }
  Dataset data{4, test_seed()};
};

TEST_F(KeyWalkTest, ShowsTheMomentItBeganAtWhateverChangesMeanwhile) {
  for (const uint64_t seed : {1U, 2U, 3U}) {
    Prng prng(seed);
    data.clear_all();
    while (!data.reclaim(100'000)) {
    }
    const auto expected = fill(30'000);
    Seen seen;
    KeyWalk walk(data.db(0).keys(), seen);
    size_t steps = 0;
    while (!walk.step(200)) {
      for (uint64_t i = prng.below(400); i > 0; --i) change(prng);
      ++steps;
    }
    EXPECT_GT(steps, 10U);
    EXPECT_EQ(seen.keys, expected) << seed;
    data.check_invariants();
  }
}

TEST_F(KeyWalkTest, OutlivesAFlushAndASwapAndKeepsTheTableSoLong) {
  const auto expected = fill(20'000);
  Seen seen;
  {
    KeyWalk walk(data.db(0).keys(), seen);
    EXPECT_FALSE(walk.step(5000));
    data.swap(0, 2);
    data.clear(2);
    data.db(0).set_string(data.key("k1"), "another");
    EXPECT_FALSE(data.reclaim(SIZE_MAX - 1) && data.pending() == 0);
    EXPECT_EQ(data.pending(), expected.size());
    while (!walk.step(5000)) {
    }
  }
  EXPECT_EQ(seen.keys, expected);
  EXPECT_TRUE(data.reclaim(SIZE_MAX));
  EXPECT_EQ(data.pending(), 0U);
}

TEST_F(KeyWalkTest, ALaterOneStartsAnew) {
  fill(5000);
  for (int round = 0; round < 3; ++round) {
    Seen seen;
    KeyWalk walk(data.db(0).keys(), seen);
    walk.step(1000);
    if (round == 1) continue;  // given up half way
    while (!walk.step(1000)) {
    }
    EXPECT_EQ(seen.keys.size(), 5000U);
  }
}

TEST_F(KeyWalkTest, AnEmptyDatabaseHasNothingToShow) {
  Seen seen;
  KeyWalk walk(data.db(1).keys(), seen);
  EXPECT_TRUE(walk.step(10));
  EXPECT_TRUE(seen.keys.empty());
}

}  // namespace
}  // namespace holdfast::store
