#include "store/compaction.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "store/entry.h"
#include "store/testing.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"
#include "store/type/stream.h"

namespace holdfast::store {
namespace {

std::string text_of(const Entry& entry) {
  std::string out;
  const auto add = [&](std::string_view bytes) {
    out += bytes;
    out += ' ';
    return true;
  };
  switch (entry.type()) {
    case Type::kString: {
      NumberBuffer buffer;
      add(entry.string(buffer));
      break;
    }
    case Type::kList:
      entry.list().for_each(add);
      break;
    case Type::kSet:
      entry.set().for_each(add);
      break;
    case Type::kHash:
      entry.hash().for_each([&](std::string_view field, std::string_view value) { return add(field), add(value); });
      break;
    case Type::kSortedSet:
      entry.sorted_set().for_each(
          [&](std::string_view member, double score) { return add(member), add(std::to_string(score)); });
      break;
    case Type::kStream:
      out = std::to_string(entry.stream().size());
      break;
  }
  return out + std::to_string(entry.expires_at_ms()) + " " + std::to_string(entry.access());
}

class CompactionTest : public ::testing::Test {
 protected:
  void put(const std::string& name, Prng& prng, size_t size) {
    const Key key = data.key(name);
    Keyspace& db = data.db(prng.below(2));
    if (db.contains(key)) return;
    const uint64_t kind = prng.below(40);
    const std::string value(size, static_cast<char>('a' + prng.below(26)));
    const uint64_t elements = 1 + prng.below(kind % 2 == 0 ? 10 : 300);
    if (kind == 1 || kind == 2) {
      List& list = db.create(key, Type::kList).list();
      for (uint64_t i = 0; i < elements; ++i) list.push_back(value);
    } else if (kind == 3 || kind == 4) {
      Hash& hash = db.create(key, Type::kHash).hash();
      for (uint64_t i = 0; i < elements; ++i) hash.set("f" + std::to_string(i), value);
    } else if (kind == 5 || kind == 6) {
      Set& set = db.create(key, Type::kSet).set();
      for (uint64_t i = 0; i < elements; ++i) set.add(value + std::to_string(i));
    } else if (kind == 7) {
      Set& set = db.create(key, Type::kSet).set();
      for (uint64_t i = 0; i < elements; ++i) set.add(std::to_string(i * size));
    } else if (kind == 8 || kind == 9) {
      SortedSet& set = db.create(key, Type::kSortedSet).sorted_set();
      for (uint64_t i = 0; i < elements; ++i) set.add(value + std::to_string(i), static_cast<double>(prng.below(50)));
    } else if (kind == 10 && streams) {
      Stream& stream = db.create(key, Type::kStream).stream();
      const std::string_view words[] = {"f", value};
      for (uint64_t i = 0; i < elements; ++i) stream.append({i + 1, 1}, words);
    } else {
      db.set_string(key,
                    kind == 11  ? std::to_string(size)
                    : kind < 15 ? value + value + value
                                : value,
                    kind % 2 == 0 ? kNoExpiry : 1'000'000 + static_cast<int64_t>(prng.below(1000)));
    }
  }
  std::map<std::string, std::string> contents() {
    std::map<std::string, std::string> out;
    for (size_t db = 0; db < 2; ++db) {
      data.db(db).for_each([&](const Entry& entry) {
        return out.emplace(std::to_string(db) + std::string(entry.key()), text_of(entry)).second;
      });
    }
    return out;
  }
  void drop_half(Prng& prng) {
    for (size_t db = 0; db < 2; ++db) {
      std::vector<std::string> names;
      data.db(db).for_each([&](const Entry& entry) {
        if (prng.below(2) == 0) names.emplace_back(entry.key());
        return true;
      });
      for (const std::string& name : names) data.db(db).erase(data.key(name));
    }
  }
  void compact(size_t effort) {
    Compaction walk(data);
    while (!walk.step(effort)) {
    }
  }
  Dataset data{2, test_seed()};
  bool streams = true;
};

TEST_F(CompactionTest, ChangesNothingAndGivesHolesBack) {
  Prng prng(11);
  streams = false;  // their bodies and indexes stay, and hold pages
  for (int i = 0; i < 60'000; ++i) put("first" + std::to_string(i), prng, 10 + prng.below(20));
  drop_half(prng);
  for (int i = 0; i < 9'000; ++i) put("second" + std::to_string(i), prng, 40 + prng.below(60));
  const auto before = contents();
  const size_t used = data.used_memory();
  const Heap& heap = data.context().heap;
  const size_t holes = heap.free_bytes();
  compact(50);
  EXPECT_EQ(contents(), before);
  EXPECT_EQ(data.used_memory(), used);
  // A page per size is left. Under AddressSanitizer there are no pages at all.
  constexpr size_t kOnePageEach = Heap::kSmallMax / 8 * Heap::kPageBytes;
  EXPECT_LE(heap.free_bytes(), holes / 4 + kOnePageEach);
  data.check_invariants();
  for (size_t db = 0; db < 2; ++db) {
    data.db(db).for_each([&](const Entry& entry) {
      if (entry.type() == Type::kSortedSet) entry.sorted_set().check_invariants();
      if (entry.type() == Type::kHash) entry.hash().check_invariants();
      if (entry.type() == Type::kSet) entry.set().check_invariants();
      if (entry.type() == Type::kList) entry.list().check_invariants();
      return true;
    });
  }
  // Everything can still be freed: sizes and places agree.
  data.clear_all();
  while (!data.reclaim(1000)) {
  }
}

TEST_F(CompactionTest, ChurnedStringsEndUpDense) {
  Prng prng(12);
  for (int i = 0; i < 200'000; ++i) data.db(0).set_string(data.key("a" + std::to_string(i)), std::string(20, 'x'));
  drop_half(prng);
  for (int i = 0; i < 60'000; ++i) data.db(0).set_string(data.key("b" + std::to_string(i)), std::string(50, 'y'));
  const Heap& heap = data.context().heap;
  compact(500);
  EXPECT_LE(heap.page_memory(), heap.used() * 112 / 100 + Heap::kSpareMax * Heap::kPageBytes);
  data.check_invariants();
}

TEST_F(CompactionTest, AnythingMayHappenBetweenSteps) {
  Prng prng(13);
  for (int i = 0; i < 10'000; ++i) put("k" + std::to_string(i), prng, 10 + prng.below(30));
  for (int i = 0; i < 20'000; ++i) {  // two collections that take many steps
    if (i == 0) data.db(0).create(data.key("hash"), Type::kHash), data.db(0).create(data.key("zset"), Type::kSortedSet);
    data.db(0).find_for_write(data.key("hash"))->hash().set("field" + std::to_string(i), std::string(20, 'v'));
    data.db(0).find_for_write(data.key("zset"))->sorted_set().add("member" + std::to_string(i), i % 100);
  }
  drop_half(prng);
  for (int i = 0; i < 20'000; i += 2) {
    Entry* const hash = data.db(0).find_for_write(data.key("hash"));
    Entry* const zset = data.db(0).find_for_write(data.key("zset"));
    if (hash != nullptr) hash->hash().erase("field" + std::to_string(i));
    if (zset != nullptr) zset->sorted_set().erase("member" + std::to_string(i));
  }
  Compaction walk(data);
  for (int step = 0; !walk.step(30); ++step) {
    put("n" + std::to_string(step), prng, 10 + prng.below(80));
    data.db(prng.below(2)).erase(data.key("k" + std::to_string(prng.below(10'000))));
    if (step == 300) data.swap(0, 1);
    if (step == 600) data.clear(0);
    if (step % 50 == 0) data.reclaim(500);
    if (step % 100 == 0) data.check_invariants();
    ASSERT_LT(step, 100'000);
  }
  data.check_invariants();
}

}  // namespace
}  // namespace holdfast::store
