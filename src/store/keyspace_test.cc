#include "store/keyspace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "store/dataset.h"
#include "store/testing.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"
#include "store/write_hook.h"

namespace holdfast::store {
namespace {

std::string text_of(const Entry* entry) {
  NumberBuffer buffer;
  return entry == nullptr ? "(nil)" : std::string(entry->string(buffer));
}

class KeyspaceTest : public ::testing::Test {
 protected:
  Key key(std::string_view bytes) { return data_.key(bytes); }
  std::string get(std::string_view name) { return text_of(db_.find(key(name))); }

  Dataset data_{4, test_seed()};
  Keyspace& db_ = data_.db(0);
};

TEST_F(KeyspaceTest, AgreesWithAModelUnderRandomTraffic) {
  struct Value {
    std::string text;
    int64_t expires = kNoExpiry;
  };
  std::map<std::string, Value> model;
  Prng prng(11);
  const auto random_key = [&] { return "key:" + std::to_string(prng.below(2000)); };
  for (int i = 0; i < 80'000; ++i) {
    const std::string name = random_key();
    const auto it = model.find(name);
    const auto ms = static_cast<int64_t>(prng.below(1'000'000));
    switch (prng.below(9)) {
      case 0:
      case 1: {
        const std::string text = prng.below(20) == 0 ? std::string(prng.below(3000), 'b') : random_text(prng, 1000);
        const int64_t expires = prng.below(2) != 0 ? ms : kNoExpiry;
        db_.set_string(key(name), text, expires);
        model[name] = {text, expires};
        break;
      }
      case 2: {
        const std::string text = random_text(prng, 500);
        db_.set_string_keep_expiry(key(name), text);
        model[name].text = text;
        break;
      }
      case 3: {
        const size_t size = 1 + prng.below(prng.below(10) == 0 ? 2000 : 60);
        const std::span<char> bytes = db_.edit_string(key(name), size);
        ASSERT_EQ(bytes.size(), size);
        bytes[size - 1] = '!';
        Value& value = model[name];
        value.text.resize(size, '\0');
        value.text[size - 1] = '!';
        break;
      }
      case 4:
        ASSERT_EQ(db_.erase(key(name)), model.erase(name) == 1);
        break;
      case 5: {
        const int64_t expires = prng.below(3) == 0 ? kNoExpiry : ms;
        ASSERT_EQ(db_.set_expiry(key(name), expires) != nullptr, it != model.end());
        if (it != model.end()) it->second.expires = expires;
        break;
      }
      case 6: {
        const std::string to = random_key();
        ASSERT_EQ(db_.rename(key(name), key(to)), it != model.end());
        if (it != model.end() && to != name) {
          model[to] = it->second;
          model.erase(name);
        }
        break;
      }
      case 7: {
        const std::string to = random_key();
        ASSERT_EQ(db_.copy(key(name), db_, key(to)), it != model.end());
        if (it != model.end()) model[to] = Value(it->second);
        break;
      }
      default:
        db_.set_integer_keep_expiry(key(name), ms - 500), model[name].text = std::to_string(ms - 500);
    }
    const Entry* const entry = db_.find(key(name));
    const auto now = model.find(name);
    ASSERT_EQ(entry != nullptr, now != model.end());
    if (entry != nullptr) {
      ASSERT_EQ(text_of(entry), now->second.text);
      ASSERT_EQ(entry->expires_at_ms(), now->second.expires);
      ASSERT_EQ(entry->key(), name);
      ASSERT_EQ(entry->string_size(), now->second.text.size());
    }
    ASSERT_EQ(db_.size(), model.size());
  }
  data_.check_invariants();
  const auto expiring =
      std::count_if(model.begin(), model.end(), [](auto& m) { return m.second.expires != kNoExpiry; });
  EXPECT_EQ(db_.expiring(), static_cast<size_t>(expiring));
  data_.clear_all();
  EXPECT_TRUE(data_.reclaim(SIZE_MAX));
  EXPECT_EQ(db_.size(), 0U);
}

TEST_F(KeyspaceTest, EncodingsOfStringsAreTheOriginals) {
  const auto encoding = [&] { return encoding_name(db_.find(key("k"))->encoding()); };
  db_.set_string(key("k"), "12345");
  EXPECT_EQ(encoding(), "int");
  EXPECT_EQ(db_.find(key("k"))->integer(), 12345);
  for (const char* text : {"012", "+1", " 1", "1.0", "9223372036854775808", ""}) {
    db_.set_string(key("k"), text);
    EXPECT_EQ(encoding(), "embstr") << text;
    EXPECT_EQ(db_.find(key("k"))->integer(), std::nullopt);
  }
  db_.set_text_keep_expiry(key("k"), "5");
  EXPECT_EQ(encoding(), "embstr");
  EXPECT_EQ(db_.find(key("k"))->to_integer(), 5);
  db_.set_string(key("k"), std::string(44, 'x'));
  EXPECT_EQ(encoding(), "embstr");
  db_.set_string(key("k"), std::string(45, 'x'));
  EXPECT_EQ(encoding(), "raw");
  db_.set_string(key("k"), "-9223372036854775808");
  EXPECT_EQ(encoding(), "int");
  const std::span<char> bytes = db_.edit_string(key("k"), 21);
  bytes[20] = '1';
  EXPECT_EQ(encoding(), "raw");
  EXPECT_EQ(get("k"), "-92233720368547758081");
  EXPECT_EQ(db_.find(key("k"))->to_integer(), std::nullopt);
}

TEST_F(KeyspaceTest, AccessClockSurvivesAllWritesButAPlainOverwrite) {
  db_.set_string(key("k"), "v");
  db_.find(key("k"))->set_access(0xabcdef);
  db_.set_string_keep_expiry(key("k"), std::string(100, 'v'));
  EXPECT_EQ(db_.find(key("k"))->access(), 0xabcdefU);
  db_.set_expiry(key("k"), 77);
  db_.set_expiry(key("k"), kNoExpiry);
  db_.rename(key("k"), key("other"));
  EXPECT_EQ(db_.find(key("other"))->access(), 0xabcdefU);
  db_.context().fresh_access = 5;
  db_.set_string(key("other"), "new");  // COMPAT: SET makes a new value, and its clock starts anew (not with LFU)
  EXPECT_EQ(db_.find(key("other"))->access(), 5U);
  db_.context().overwriting_keeps_access = true;
  db_.find(key("other"))->set_access(9);
  db_.set_string(key("other"), "newer");
  EXPECT_EQ(db_.find(key("other"))->access(), 9U);
}

TEST_F(KeyspaceTest, CollectDueFindsExactlyTheExpiredKeysUntilTheyAreErased) {
  Prng prng(4);
  std::multimap<int64_t, std::string> model;
  for (int i = 0; i < 5000; ++i) {
    const std::string name = std::to_string(i);
    const auto ms = static_cast<int64_t>(prng.below(100'000));
    if (i % 3 == 0) {
      db_.set_string(key(name), "stays");
      continue;
    }
    db_.set_string(key(name), "v", ms);
    model.emplace(ms, name);
  }
  for (int64_t now = 0; now <= 100'001; now += 5000) {
    EXPECT_LE(db_.next_due_ms(), model.empty() ? INT64_MAX : model.begin()->first);
    std::vector<std::string> keys;
    while (true) {
      const size_t before = keys.size();
      const size_t found = db_.collect_due(now, 100, keys);
      ASSERT_EQ(keys.size() - before, found);
      ASSERT_LE(found, 100U);
      if (found == 0) break;
      for (size_t i = before; i < keys.size(); ++i) ASSERT_TRUE(db_.erase(key(keys[i])));
    }
    std::sort(keys.begin(), keys.end());
    std::vector<std::string> expected;
    while (!model.empty() && model.begin()->first < now) {
      expected.push_back(model.begin()->second);
      model.erase(model.begin());
    }
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(keys, expected);
    data_.check_invariants();
  }
  EXPECT_EQ(db_.expiring(), 0U);
  EXPECT_EQ(db_.next_due_ms(), INT64_MAX);
}

TEST_F(KeyspaceTest, TimesBeforeTheEpochAreTheEpoch) {
  db_.set_string(key("k"), "v", -5);
  EXPECT_EQ(db_.find(key("k"))->expires_at_ms(), 0);
  db_.set_expiry(key("k"), INT64_MIN);
  EXPECT_EQ(db_.find(key("k"))->expires_at_ms(), 0);
  EXPECT_TRUE(db_.find(key("k"))->is_expired(1));
}

TEST_F(KeyspaceTest, CollectDueTellsAgainWhatWasNotErased) {
  db_.set_string(key("k"), "v", 10);
  std::vector<std::string> keys;
  EXPECT_EQ(db_.collect_due(10, 10, keys), 0U) << "alive in the millisecond it expires at";
  EXPECT_EQ(db_.collect_due(11, 10, keys), 1U);
  EXPECT_EQ(db_.collect_due(11, 10, keys), 1U);
  db_.set_expiry(key("k"), INT64_MAX);
  EXPECT_EQ(db_.collect_due(11, 10, keys), 0U);
  EXPECT_EQ(db_.find(key("k"))->expires_at_ms(), INT64_MAX);
}

TEST_F(KeyspaceTest, CollectionsLiveAndMoveWithTheirKeys) {
  Entry& hash = db_.create(key("h"), Type::kHash);
  hash.hash().set("f", "v");
  db_.create(key("l"), Type::kList).list().push_back("e");
  db_.create(key("s"), Type::kSet).set().add("m");
  db_.create(key("z"), Type::kSortedSet).sorted_set().add("m", 1.5);
  db_.set_expiry(key("h"), 5);
  EXPECT_EQ(db_.find(key("h"))->hash().get("f"), "v");
  EXPECT_TRUE(db_.rename(key("h"), key("h2")));
  EXPECT_TRUE(db_.move(key("h2"), data_.db(1)));
  EXPECT_FALSE(db_.contains(key("h2")));
  EXPECT_EQ(data_.db(1).find(key("h2"))->hash().get("f"), "v");
  EXPECT_EQ(data_.db(1).find(key("h2"))->expires_at_ms(), 5);
  EXPECT_EQ(data_.db(1).expiring(), 1U);
  EXPECT_EQ(db_.expiring(), 0U);
  for (const char* name : {"l", "s", "z"}) {
    EXPECT_TRUE(db_.copy(key(name), data_.db(2), key(std::string(name) + "copy")));
    EXPECT_EQ(data_.db(2).find(key(std::string(name) + "copy"))->length(), 1U);
  }
  EXPECT_EQ(type_name(db_.find(key("z"))->type()), "zset");
  EXPECT_FALSE(db_.erase_if_empty(key("l")));
  db_.find_for_write(key("l"))->list().drop_back(1);
  EXPECT_TRUE(db_.erase_if_empty(key("l")));
  EXPECT_FALSE(db_.contains(key("l")));
  db_.set_string(key("s"), "overwritten");
  EXPECT_EQ(get("s"), "overwritten");
  data_.swap(0, 2);
  EXPECT_TRUE(db_.contains(key("scopy")));
  data_.check_invariants();
}

TEST_F(KeyspaceTest, ClearIsImmediateAndMemoryComesBackInSlices) {
  const size_t empty = data_.used_memory();
  for (int i = 0; i < 30'000; ++i) db_.set_string(key(std::to_string(i)), std::string(50, 'v'));
  db_.create(key("h"), Type::kHash).hash().set("f", "v");
  data_.clear(0);
  EXPECT_EQ(db_.size(), 0U);
  EXPECT_EQ(data_.pending(), 30'001U);
  db_.set_string(key("new"), "v");
  EXPECT_FALSE(data_.reclaim(1000));
  EXPECT_LT(data_.pending(), 30'001U);
  EXPECT_GT(data_.pending(), 20'000U);
  while (!data_.reclaim(1000)) {
  }
  EXPECT_EQ(get("new"), "v");
  db_.erase(key("new"));
  EXPECT_EQ(data_.used_memory(), empty);
}

TEST_F(KeyspaceTest, SixteenByteValuesUnderTenByteKeysCostAtMostFiftyBytes) {
  const size_t before = data_.used_memory();
  constexpr int kKeys = 200'000;
  for (int i = 0; i < kKeys; ++i) db_.set_string(key("k" + std::to_string(100'000'000 + i)), "abcdefghijklmnop");
  const auto per_key = [&] { return static_cast<double>(data_.used_memory() - before) / kKeys; };
  const double plain = per_key();
  EXPECT_LE(plain, 50.0);
  for (int i = 0; i < kKeys; ++i) db_.set_expiry(key("k" + std::to_string(100'000'000 + i)), 1'700'000'000'000);
  EXPECT_LE(per_key(), plain + 8.1);
  RecordProperty("bytes_per_key", std::to_string(plain));
}

/// Records whether the hook ran, and what it saw of the key: the state before the write.
struct Witness final : WriteHook {
  explicit Witness(Keyspace& watched) : db(watched) {}
  void before_write(Table& table, Segment&, uint32_t) override {
    EXPECT_EQ(&table, &db.keys().table);
    ++calls;
    const Entry* const entry = db.find(db.key("k"));
    saw.push_back(entry == nullptr ? "(nil)" : entry->type() == Type::kString ? text_of(entry) : "(collection)");
    saw_expiry.push_back(entry == nullptr ? kNoExpiry : entry->expires_at_ms());
  }
  Keyspace& db;
  int calls = 0;
  std::vector<std::string> saw;
  std::vector<int64_t> saw_expiry;
};

TEST_F(KeyspaceTest, EveryMutatingCallRunsTheHookBeforeItChangesAnything) {
  using Call = void (*)(Keyspace&, const Key&, const Key&);
  struct Case {
    const char* name;
    Call call;
  };
  static constexpr Case kCases[] = {
      {"set_string", [](Keyspace& db, const Key& k, const Key&) { db.set_string(k, "new", 9); }},
      {"set_keep", [](Keyspace& db, const Key& k, const Key&) { db.set_string_keep_expiry(k, "new"); }},
      {"set_text", [](Keyspace& db, const Key& k, const Key&) { db.set_text_keep_expiry(k, "new"); }},
      {"set_integer", [](Keyspace& db, const Key& k, const Key&) { db.set_integer_keep_expiry(k, 1); }},
      {"edit", [](Keyspace& db, const Key& k, const Key&) { db.edit_string(k, 1)[0] = 'n'; }},
      {"edit_grow", [](Keyspace& db, const Key& k, const Key&) { db.edit_string(k, 1000)[0] = 'n'; }},
      {"erase", [](Keyspace& db, const Key& k, const Key&) { db.erase(k); }},
      {"set_expiry", [](Keyspace& db, const Key& k, const Key&) { db.set_expiry(k, 1); }},
      {"clear_expiry", [](Keyspace& db, const Key& k, const Key&) { db.set_expiry(k, kNoExpiry); }},
      {"rename", [](Keyspace& db, const Key& k, const Key& other) { db.rename(k, other); }},
      {"rename_over", [](Keyspace& db, const Key& k, const Key& other) { db.rename(other, k); }},
      {"copy_over", [](Keyspace& db, const Key& k, const Key& other) { db.copy(other, db, k); }},
      {"find_for_write", [](Keyspace& db, const Key& k, const Key&) { db.find_for_write(k); }},
  };
  for (const Case& one : kCases) {
    db_.set_string(key("k"), "old", 5);
    db_.set_string(key("other"), "other");
    Witness witness(db_);
    db_.keys().table.set_hook(&witness);
    one.call(db_, key("k"), key("other"));
    db_.keys().table.set_hook(nullptr);
    ASSERT_GE(witness.calls, 1) << one.name;
    EXPECT_EQ(witness.saw.front(), "old") << one.name;
    EXPECT_EQ(witness.saw_expiry.front(), 5) << one.name;
  }
}

TEST_F(KeyspaceTest, InsertsAndMovesRunTheHookOnBothSides) {
  Witness witness(db_);
  db_.keys().table.set_hook(&witness);
  db_.set_string(key("k"), "v");
  EXPECT_EQ(witness.saw.front(), "(nil)");
  db_.erase(key("k"));
  db_.create(key("k"), Type::kHash);
  EXPECT_EQ(witness.saw.back(), "(nil)");
  const int calls = witness.calls;
  db_.erase_if_empty(key("k"));
  EXPECT_GT(witness.calls, calls);
  EXPECT_EQ(witness.saw.back(), "(collection)");
  data_.db(1).set_string(key("k"), "v");
  data_.db(1).move(key("k"), db_);
  EXPECT_EQ(witness.saw.back(), "(nil)");
  db_.move(key("k"), data_.db(1));
  EXPECT_EQ(witness.saw.back(), "v");
  db_.keys().table.set_hook(nullptr);
}

}  // namespace
}  // namespace holdfast::store
