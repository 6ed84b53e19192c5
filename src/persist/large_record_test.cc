// Large collections in images: written in pieces, exactly as they were at the cut, whatever happens meanwhile.
#include "persist/large_record.h"

#include <gtest/gtest.h>

#include <array>
#include <charconv>

#include "persist/snapshot.h"
#include "persist/testing.h"

namespace holdfast::persist {
namespace {

using store::Dataset;
using store::Entry;
using store::Key;
using store::Keyspace;
using store::Type;
using testing::content_of;
using testing::Image;
using testing::image_of;
using testing::kDatabases;
using testing::load;
using testing::seed;

constexpr std::array kTypes = {Type::kList, Type::kSet, Type::kHash, Type::kSortedSet, Type::kStream};

std::string text_of(uint64_t number) { return "element:" + std::to_string(number); }

void add_one(Entry& entry, uint64_t number, Prng& prng) {
  const std::string text =
      prng.below(500) == 0 ? std::string(prng.below(5000), 'x') + text_of(number) : text_of(number);
  switch (entry.type()) {
    case Type::kList:
      return prng.below(2) != 0 ? entry.list().push_back(text) : entry.list().push_front(text);
    case Type::kSet:
      entry.set().add(text);
      return;
    case Type::kHash:
      entry.hash().set(text_of(number), text);
      return;
    case Type::kSortedSet:
      entry.sorted_set().add(text_of(number), static_cast<double>(prng.below(1000)));
      return;
    case Type::kStream: {
      const std::string_view words[] = {"field", text};
      entry.stream().append({entry.stream().marks().last_id.ms + 1, 0}, words);
      return;
    }
    case Type::kString:
      FAIL();
  }
}

void take_one(Entry& entry, uint64_t number, Prng& prng) {
  switch (entry.type()) {
    case Type::kList: {
      store::List& list = entry.list();
      if (list.empty()) return;
      const auto index = static_cast<int64_t>(prng.below(list.size()));
      switch (prng.below(40)) {
        case 0:
          list.trim(prng.below(100), list.size() - prng.below(100));
          return;
        case 1:
          list.remove(std::string(*list.at(index)), static_cast<int64_t>(prng.below(3)) - 1);
          return;
        case 2:
          list.insert(std::string(*list.at(index)), "inserted", prng.below(2) != 0);
          return;
        case 3:
          list.drop_front(prng.below(3000));
          return;
        case 4:
          list.drop_back(prng.below(3000));
          return;
        case 5:
          list.trim(list.size() / 3, list.size() / 2);
          return;
        default:
          prng.below(2) != 0 ? list.drop_front(1) : list.drop_back(1);
          list.set(index, prng.below(9) == 0 ? std::string(prng.below(9000), 'y') : "set");
          return;
      }
    }
    case Type::kSet:
      entry.set().erase(text_of(number));
      return;
    case Type::kHash:
      entry.hash().erase(text_of(number));
      return;
    case Type::kSortedSet:
      if (prng.below(50) == 0) {
        const size_t first = prng.below(entry.sorted_set().size() + 1);
        entry.sorted_set().erase_range(first, first + prng.below(1500), [](std::string_view, double) {});
      } else {
        entry.sorted_set().erase(text_of(number));
      }
      return;
    case Type::kStream: {
      store::Stream& stream = entry.stream();
      if (prng.below(20) == 0) {
        stream.trim({.by = store::Stream::Trim::By::kLength,
                     .whole_nodes = prng.below(2) != 0,
                     .length = stream.size() - std::min<uint64_t>(stream.size(), prng.below(800))});
      } else {
        const store::StreamId id{prng.below(stream.marks().last_id.ms + 1), 0};
        stream.erase({&id, 1});
      }
      return;
    }
    case Type::kString:
      FAIL();
  }
}

Key key_of(Keyspace& db, Type type, uint64_t copy = 0) {
  static std::array<std::string, 64> names;
  std::string& name = names[static_cast<size_t>(type) * 8 + copy];
  name = std::string(store::type_name(type)) + std::to_string(copy);
  return db.key(name);
}

std::unique_ptr<Dataset> large_data(size_t elements, Prng& prng) {
  auto data = std::make_unique<Dataset>(kDatabases, seed());
  for (size_t i = 0; i < 200; ++i) data->db(i % 2).set_string(data->key("small" + std::to_string(i)), "value");
  for (const Type type : kTypes) {
    for (uint64_t copy = 0; copy < 2; ++copy) {
      Keyspace& db = data->db(copy);
      Entry& entry = db.create(key_of(db, type, copy), type);
      for (uint64_t i = 0; i < elements; ++i) add_one(entry, i, prng);
      if (type == Type::kStream) entry.stream().create_group("group", {5, 0}, 3);
      if (prng.below(2) != 0) db.set_expiry(key_of(db, type, copy), 2'000'000);
      EXPECT_TRUE(LargeRecord::is_worth(*db.find(key_of(db, type, copy))));
    }
  }
  return data;
}

void change_keys(Dataset& data, Prng& prng, Keyspace& db, const Key& key) {
  Keyspace& other = data.db(prng.below(kDatabases));
  switch (prng.below(12)) {
    case 0:
      db.erase(key);
      break;
    case 1:
      db.set_string(key, "overwritten");
      break;
    case 2:
      db.rename(key, db.key("renamed" + std::to_string(prng.below(5))));
      break;
    case 3:
      if (&other != &db) db.move(key, other);
      break;
    case 4:
      if (&other != &db) db.copy(key, other, key);
      break;
    case 5:
      db.set_expiry(key, prng.below(2) != 0 ? store::kNoExpiry : 3'000'000);
      break;
    case 6:
      if (prng.below(3) == 0) data.clear(prng.below(kDatabases));
      break;
    case 7:
      if (prng.below(4) == 0) data.clear_all();
      break;
    default:
      data.swap(prng.below(kDatabases), prng.below(kDatabases));
  }
}

void change(Dataset& data, Prng& prng, uint64_t elements) {
  Keyspace& db = data.db(prng.below(2));
  const Key key = key_of(db, kTypes[prng.below(kTypes.size())], prng.below(2));
  if (prng.below(1500) == 0) return change_keys(data, prng, db, key);
  if (prng.below(20) == 0) {
    const std::string name = "small" + std::to_string(prng.below(200));
    db.set_string(db.key(name), "changed");
    return;
  }
  Entry* const entry = db.find_for_write(key);
  if (entry == nullptr || entry->type() == Type::kString) return;
  const uint64_t number = prng.below(elements * 3 / 2);
  prng.below(2) != 0 ? add_one(*entry, number, prng) : take_one(*entry, number, prng);
  db.erase_if_empty(key);
}

/// Runs commands of an append-only base.
void replay(std::string_view commands, Dataset& into) {
  size_t db = 0;
  size_t at = 0;
  while (at < commands.size()) {
    std::vector<std::string_view> words;
    const auto number_line = [&] {
      const size_t end = commands.find("\r\n", at);
      uint64_t number = 0;
      std::from_chars(commands.data() + at + 1, commands.data() + end, number);
      at = end + 2;
      return number;
    };
    const uint64_t count = number_line();
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t size = number_line();
      words.push_back(commands.substr(at, size));
      at += size + 2;
    }
    const std::string_view name = words[0];
    if (name == "SELECT") {
      db = words[1][0] - '0';
      continue;
    }
    Keyspace& keys = into.db(db);
    const Key key = keys.key(words[1]);
    const auto collection = [&](Type type) -> Entry& {
      Entry* const entry = keys.find_for_write(key);
      return entry != nullptr ? *entry : keys.create(key, type);
    };
    const auto id_of = [](std::string_view text) {
      store::StreamId id;
      const auto ms = std::from_chars(text.data(), text.data() + text.size(), id.ms);
      std::from_chars(ms.ptr + 1, text.data() + text.size(), id.sequence);
      return id;
    };
    if (name == "SET") keys.set_string(key, words[2]);
    if (name == "PEXPIREAT") keys.set_expiry(key, std::stoll(std::string(words[2])));
    if (name == "XADD") collection(Type::kStream).stream().append(id_of(words[2]), std::span(words).subspan(3));
    if (name == "XSETID") {
      store::Stream& stream = collection(Type::kStream).stream();
      auto marks = stream.marks();
      marks.last_id = id_of(words[2]);
      marks.entries_added = std::stoull(std::string(words[4]));
      marks.max_deleted_id = id_of(words[6]);
      stream.set_marks(marks);
    }
    if (name == "XGROUP") {
      keys.find_for_write(keys.key(words[2]))
          ->stream()
          .create_group(words[3], id_of(words[4]), std::stoll(std::string(words[6])));
    }
    for (size_t i = 2; i < words.size(); ++i) {
      if (name == "RPUSH") collection(Type::kList).list().push_back(words[i]);
      if (name == "SADD") {
        EXPECT_TRUE(collection(Type::kSet).set().add(words[i]));
      }
      if (name == "HMSET") {
        EXPECT_TRUE(collection(Type::kHash).hash().set(words[i], words[i + 1]));
      }
      if (name == "ZADD") collection(Type::kSortedSet).sorted_set().add(words[i + 1], std::stod(std::string(words[i])));
      if (name == "HMSET" || name == "ZADD") ++i;
    }
  }
}

/// Nodes are cut anew by whoever runs the commands.
Image without_node_counts(Image image) {
  for (auto& [name, content] : image) {
    if (name.find(":stream") == std::string::npos) continue;
    const size_t group = content.rfind("|group");
    const size_t end = group == std::string::npos ? content.rfind(" px ") : group;
    const size_t space = content.rfind(' ', end - 1);
    content.erase(space, end - space);
  }
  return image;
}

class LargeCollections : public ::testing::TestWithParam<bool> {};

TEST_P(LargeCollections, AreWrittenAsTheyWereAtTheCut) {
  constexpr size_t kElements = 9000;
  for (uint64_t round = 0; round < 12; ++round) {
    Prng prng(round + 50);
    const auto data = large_data(kElements, prng);
    // Not all at their first size: some grew, some shrank before the cut.
    for (size_t i = 0; i < 4000; ++i) change(*data, prng, kElements);
    const Image expected = image_of(*data);
    SaveOptions options;
    options.as_commands = GetParam();
    options.compress = round % 2 != 0;
    std::string image;
    {
      Snapshot snapshot(*data, {}, options);
      while (!snapshot.step(1 + prng.below(6000))) {
        const uint64_t changes = prng.below(round % 3 == 0 ? 20 : 300);
        for (uint64_t i = 0; i < changes; ++i) change(*data, prng, kElements);
        data->reclaim(prng.below(200));
        if (prng.below(3) == 0) image += snapshot.take();
      }
      image += snapshot.take();
      EXPECT_EQ(snapshot.pending(), 0U);
      EXPECT_EQ(snapshot.bytes_written(), image.size());
      EXPECT_EQ(snapshot.keys_written(), expected.size());
    }
    data->check_invariants();
    if (options.as_commands) {
      Dataset run(kDatabases, seed());
      replay(image, run);
      ASSERT_EQ(without_node_counts(image_of(run)), without_node_counts(expected)) << round;
    } else {
      const auto loaded = load(image);
      ASSERT_NE(loaded, nullptr) << round;
      ASSERT_EQ(image_of(*loaded), expected) << round;
    }
    data->clear_all();
    EXPECT_TRUE(data->reclaim(SIZE_MAX));
  }
}

INSTANTIATE_TEST_SUITE_P(RecordsAndCommands, LargeCollections, ::testing::Bool());

TEST(LargeCollections, NeitherAStepNorAWriteTakesLong) {
  constexpr size_t kSlice = 64 * 1024;
  constexpr size_t kPiece = 40 * 1024;
  constexpr size_t kElements = 150'000;
  Prng prng(7);
  const auto data = large_data(kElements, prng);
  Snapshot snapshot(*data, {}, {.compress = false});
  size_t before = snapshot.pending();
  while (!snapshot.step(kSlice)) {
    // One cell, leaf or node at most is written ahead, or two where cells join.
    EXPECT_LT(snapshot.pending(), before + kSlice + kPiece);
    for (uint64_t i = 0; i < 20; ++i) {
      const size_t quiet = snapshot.pending();
      change(*data, prng, kElements);
      EXPECT_LT(snapshot.pending(), quiet + 2 * kPiece);
    }
    before = snapshot.pending();
    if (prng.below(4) == 0) {
      snapshot.take();
      before = snapshot.pending();
    }
  }
}

TEST(LargeCollections, MayShrinkToNothing) {
  constexpr std::array kUnordered = {Type::kHash, Type::kSet, Type::kSortedSet};
  constexpr uint64_t kElements = 12'000;
  for (uint64_t round = 0; round < 12; ++round) {
    Prng prng(round);
    const auto data = large_data(kElements, prng);
    const auto take = [&](Type type, uint64_t copy, uint64_t number) {
      Keyspace& db = data->db(copy);
      Entry* const entry = db.find_for_write(key_of(db, type, copy));
      if (entry == nullptr) return;
      const std::string name = text_of(number);
      if (type == Type::kHash) entry->hash().erase(name);
      if (type == Type::kSet) entry->set().erase(name);
      if (type == Type::kSortedSet) entry->sorted_set().erase(name);
      db.erase_if_empty(key_of(db, type, copy));
    };
    // On the edge: with what goes from here on, cells and leaves join before most of them have been shown.
    const uint64_t gone = kElements * (60 + round) / 100;
    for (uint64_t i = 0; i < gone; ++i) {
      for (const Type type : kUnordered) take(type, i % 2, i), take(type, 1 - i % 2, i);
    }
    const Image expected = image_of(*data);
    Snapshot snapshot(*data, {});
    snapshot.step(20'000);
    for (uint64_t i = gone; i < kElements; ++i) {
      for (const Type type : kUnordered) take(type, 0, i), take(type, 1, i);
      if (prng.below(20) == 0) snapshot.step(1 + prng.below(3000));
    }
    data->check_invariants();
    EXPECT_TRUE(snapshot.step(SIZE_MAX));
    ASSERT_EQ(image_of(*load(snapshot.take())), expected) << round;
  }
}

TEST(LargeCollections, CanBeLeftHalfWritten) {
  Prng prng(3);
  const auto data = large_data(9000, prng);
  for (size_t round = 0; round < 6; ++round) {
    const Image expected = image_of(*data);
    {
      Snapshot snapshot(*data, {});
      for (size_t i = 0; i < 10 * round; ++i) {
        snapshot.step(3000);
        for (size_t j = 0; j < 50; ++j) change(*data, prng, 9000);
      }
    }
    const Image now = image_of(*data);
    Snapshot again(*data, {});
    for (size_t j = 0; j < 500; ++j) change(*data, prng, 9000);
    EXPECT_TRUE(again.step(SIZE_MAX));
    EXPECT_EQ(image_of(*load(again.take())), now);
  }
  data->clear_all();
  EXPECT_TRUE(data->reclaim(SIZE_MAX));
}

}  // namespace
}  // namespace holdfast::persist
