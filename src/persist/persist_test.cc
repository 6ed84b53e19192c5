#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "codec/crc64.h"
#include "codec/rdb/write.h"
#include "persist/dump.h"
#include "persist/rdb_load.h"
#include "persist/rdb_save.h"
#include "persist/snapshot.h"
#include "persist/testing.h"
#include "store/dataset.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"
#include "store/type/stream.h"

namespace holdfast::persist {
namespace {

using store::Dataset;
using store::Entry;
using store::Type;
using testing::content_of;
using testing::Image;
using testing::image_of;
using testing::kDatabases;
using testing::load;
using testing::seed;

void churn_stream(store::Stream& stream, Prng& prng, const std::string& text) {
  const store::StreamId last = stream.marks().last_id;
  const store::StreamId old{prng.below(last.ms + 1), 0};
  const std::string name = "group" + std::to_string(prng.below(2));
  store::ConsumerGroup* const group = stream.group(name);
  switch (prng.below(8)) {
    case 0:
      stream.erase({&old, 1});
      break;
    case 1:
      if (group == nullptr) stream.create_group(name, old, static_cast<int64_t>(prng.below(3)) - 1);
      break;
    case 2:
    case 3: {
      if (group == nullptr) break;
      const std::string consumer = "consumer" + std::to_string(prng.below(3));
      if (group->consumer(consumer) == nullptr) group->create_consumer(consumer, 1'000'000);
      auto& pending = group->assign(old, *group->consumer(consumer));
      pending.delivered_ms = static_cast<int64_t>(prng.below(1'000'000));
      pending.deliveries = prng.below(100);
      group->consumer(consumer)->active_ms = static_cast<int64_t>(prng.below(1'000'000));
      break;
    }
    default: {
      const std::string_view words[] = {"field", text, text, "value"};
      stream.append({last.ms + 1 + prng.below(2), 0}, std::span(words).first(prng.below(4) == 0 ? 4 : 2));
    }
  }
}

/// One random change of one random key, of every kind the store can make.
void churn(Dataset& data, Prng& prng, uint64_t universe) {
  const size_t index = prng.below(data.databases());
  store::Keyspace& db = data.db(index);
  const std::string name = "key:" + std::to_string(prng.below(universe));
  const store::Key key = db.key(name);
  const std::string text = prng.below(30) == 0 ? std::string(prng.below(3000), 'x')
                                               : std::to_string(prng.below(100'000)) + (prng.below(2) != 0 ? "t" : "");
  const auto collection = [&](Type type) -> Entry& {
    Entry* const entry = db.find_for_write(key);
    if (entry != nullptr && entry->type() == type) return *entry;
    db.erase(key);
    return db.create(key, type);
  };
  switch (prng.below(18)) {
    case 15:
    case 16:
      churn_stream(collection(Type::kStream).stream(), prng, text);
      break;
    case 0:
    case 1:
      db.set_string(key, text);
      break;
    case 2:
      db.set_string(key, text, static_cast<int64_t>(1'000'000 + prng.below(1000)));
      break;
    case 3:
      db.edit_string(db.contains(key) && db.find(key)->type() != Type::kString ? db.key("string") : key,
                     1 + prng.below(600))[0] = 'e';
      break;
    case 4:
    case 5:
      collection(Type::kHash).hash().set("f" + std::to_string(prng.below(300)), text);
      break;
    case 6:
      collection(Type::kList).list().push_back(text);
      break;
    case 7:
      collection(Type::kList).list().push_front(text);
      break;
    case 8:
      collection(Type::kSet).set().add(text);
      break;
    case 9:
    case 10:
      collection(Type::kSortedSet).sorted_set().add(text, static_cast<double>(prng.below(50)));
      break;
    case 11:
    case 12:
      db.erase(key);
      break;
    case 13:
      db.set_expiry(key, prng.below(2) != 0 ? store::kNoExpiry : 2'000'000);
      break;
    case 14:
      db.rename(key, db.key("key:" + std::to_string(prng.below(universe))));
      break;
    default: {
      store::Keyspace& other = data.db((index + 1) % data.databases());
      if (prng.below(2) != 0) {
        db.move(key, other);
      } else {
        db.copy(key, other, key);
      }
    }
  }
}

std::unique_ptr<Dataset> random_data(uint64_t random_seed, int changes, uint64_t universe) {
  auto data = std::make_unique<Dataset>(kDatabases, seed());
  Prng prng(random_seed);
  for (int i = 0; i < changes; ++i) churn(*data, prng, universe);
  return data;
}

TEST(RdbSaveLoad, RoundTripsEveryTypeInAnyChunking) {
  const auto data = random_data(1, 20'000, 400);
  const Image image = image_of(*data);
  ASSERT_GT(image.size(), 500U);
  for (const bool compress : {false, true}) {
    SaveOptions options;
    options.compress = compress;
    const std::string file = save(*data, {}, options);
    EXPECT_TRUE(file.starts_with("REDIS0010"));
    for (const size_t chunk : {size_t{1}, size_t{1000}, SIZE_MAX}) {
      const auto loaded = load(file, chunk);
      ASSERT_NE(loaded, nullptr);
      EXPECT_EQ(image_of(*loaded), image);
      loaded->check_invariants();
    }
  }
}

TEST(RdbSaveLoad, NewestVersionKeepsActiveTimes) {
  Dataset data(kDatabases, seed());
  store::Stream& stream = data.db(0).create(data.key("s"), Type::kStream).stream();
  stream.create_group("g", {}, 0)->create_consumer("c", 5000).active_ms = 4000;
  SaveOptions options;
  for (const bool newest : {false, true}) {
    options.newest = newest;
    const std::string file = save(data, {}, options);
    EXPECT_TRUE(file.starts_with(newest ? "REDIS0011" : "REDIS0010"));
    const auto loaded = load(file);
    ASSERT_NE(loaded, nullptr);
    store::Stream& back = loaded->db(0).find_for_write(loaded->key("s"))->stream();
    EXPECT_EQ(back.size(), 0U);
    EXPECT_EQ(back.group("g")->consumer("c")->active_ms, newest ? 4000 : 5000);
  }
}

TEST(RdbSaveLoad, CarriesWhatTheFileSaysAboutItself) {
  Dataset data(kDatabases, seed());
  SaveInfo info;
  info.ctime_seconds = 1000;
  info.used_memory = 3 << 20;
  info.replication = {2, std::string(40, 'a'), 12345};
  info.aof_base = true;
  info.functions = {"#!lua name=one\n", "#!lua name=two\n"};
  LoadOptions options;
  options.now_ms = 1'060'000;
  RdbLoader loader(std::make_unique<Dataset>(kDatabases, seed()), options);
  ASSERT_EQ(loader.feed(save(data, info) + "rest"), RdbLoader::Status::kDone);
  EXPECT_EQ(loader.info().redis_version, "7.2.6");
  EXPECT_EQ(loader.info().ctime_seconds, 1000);
  EXPECT_EQ(loader.info().repl_stream_db, 2);
  EXPECT_EQ(loader.info().repl_id, std::string(40, 'a'));
  EXPECT_EQ(loader.info().repl_offset, 12345);
  EXPECT_TRUE(loader.info().aof_base);
  EXPECT_EQ(loader.functions(), info.functions);
  EXPECT_EQ(loader.rest(), "rest");
  EXPECT_EQ(loader.take_log(), std::vector<std::string>({"Loading RDB produced by version 7.2.6", "RDB age 60 seconds",
                                                         "RDB memory usage when created 3.00 Mb", "RDB is base AOF",
                                                         "Done loading RDB, keys loaded: 0, keys expired: 0."}));
}

TEST(RdbSaveLoad, ExpiredKeysStayOutOnlyForAPrimary) {
  Dataset data(kDatabases, seed());
  data.db(0).set_string(data.key("old"), "v", 99);
  data.db(0).set_string(data.key("edge"), "v", 100);
  data.db(0).create(data.key("h"), Type::kHash).hash().set("f", "v");
  data.db(0).set_expiry(data.key("h"), 50);
  const std::string file = save(data, {});
  LoadOptions options;
  options.now_ms = 100;
  EXPECT_EQ(load(file, 7, options)->size(), 1U);
  options.skip_expired = false;
  EXPECT_EQ(load(file, 7, options)->size(), 3U);
}

TEST(RdbSaveLoad, KeepsAccessBits) {
  Dataset data(kDatabases, seed());
  data.db(0).set_string(data.key("k"), "v").set_access(500);
  SaveOptions save_options;
  save_options.access = SaveOptions::Access::kLru;
  save_options.access_now = 600;
  LoadOptions options;
  options.access_now = 1000;
  EXPECT_EQ(load(save(data, {}, save_options), 7, options)->db(0).find(data.key("k"))->access(), 900U);
  save_options.access = SaveOptions::Access::kLfu;
  options.lfu = true;
  EXPECT_EQ(load(save(data, {}, save_options), 7, options)->db(0).find(data.key("k"))->access(),
            1000U << 8 | (500 & 0xff));
}

TEST(RdbLoad, RefusesDuplicatesTooManyDatabasesAndCuts) {
  const auto error = [](const std::string& body, bool allow = false) {
    std::string file;
    codec::rdb::put_magic(file, 10);
    file += body;
    put_trailer(file, codec::crc64(0, file), true);
    LoadOptions options;
    options.allow_duplicates = allow;
    RdbLoader loader(std::make_unique<Dataset>(kDatabases, seed()), options);
    loader.feed(file);
    loader.finish();
    return loader.error();
  };
  const std::string twice("\x00\x01k\x01v\x00\x01k\x01w", 10);
  EXPECT_EQ(error(twice), "RDB has duplicated key 'k' in DB 0");
  EXPECT_EQ(error(twice, true), "");
  EXPECT_EQ(error(std::string("\x02\x01k\x02\x01m\x01m", 8)), "Duplicate set members detected");
  EXPECT_EQ(error(std::string("\x04\x01k\x02\x01m\x01x\x01m\x01y", 12)), "Duplicate hash fields detected");
  EXPECT_EQ(error("\xfe\x04"),
            "FATAL: Data file was created with a Redis server configured to handle more than 4 databases. Exiting");
  EXPECT_EQ(error(std::string("\x02\x01k\x00", 4)), "") << "an empty set is dropped";
  RdbLoader loader(std::make_unique<Dataset>(kDatabases, seed()), {});
  loader.feed("REDIS0010");
  EXPECT_EQ(loader.finish(), RdbLoader::Status::kError);
  EXPECT_EQ(loader.error(), "Short read or OOM loading DB. Unrecoverable error, aborting now.");
}

TEST(RdbLoad, NoticesADamagedVersionThatHidesTheChecksum) {
  Dataset data(kDatabases, seed());
  data.db(0).set_string(data.key("k"), "v");
  std::string file = save(data, {});
  file.replace(5, 4, "0003");
  RdbLoader loader(std::make_unique<Dataset>(kDatabases, seed()), {});
  loader.feed(file);
  EXPECT_EQ(loader.finish(), RdbLoader::Status::kError);
  EXPECT_EQ(loader.error(), "Unexpected data after the end of an RDB file of version 3");
}

TEST(RdbLoad, AnyCutAndAnyFlippedByteIsAnError) {
  const auto data = random_data(5, 1500, 60);
  const std::string file = save(*data, {});
  ASSERT_GT(file.size(), 3000U);
  const auto outcome = [](const std::string& bytes, bool verify) {
    LoadOptions options;
    options.limits.verify_checksum = verify;
    RdbLoader loader(std::make_unique<Dataset>(kDatabases, seed()), options);
    loader.feed(bytes);
    const auto status = loader.finish();
    if (status == RdbLoader::Status::kDone) loader.take()->check_invariants();
    EXPECT_NE(loader.error().empty(), status == RdbLoader::Status::kError);
    return status;
  };
  for (size_t cut = 0; cut < file.size(); cut += 1 + cut / 300) {
    ASSERT_EQ(outcome(file.substr(0, cut), true), RdbLoader::Status::kError) << cut;
  }
  Prng prng(6);
  for (size_t i = 0; i < file.size(); i += 1 + prng.below(i / 100 + 1)) {
    std::string broken = file;
    broken[i] = static_cast<char>(broken[i] ^ (1 + prng.below(255)));
    ASSERT_EQ(outcome(broken, true), RdbLoader::Status::kError) << i;
    outcome(broken, false);  // without the checksum: whatever it says, no crash and a sound dataset
  }
}

TEST(Snapshot, IsTheStateAtTheCutUnderRandomTraffic) {
  for (uint64_t round = 0; round < 30; ++round) {
    auto data = random_data(round, 8000, round % 2 == 0 ? 300 : 6000);
    Prng prng(round + 1000);
    const Image expected = image_of(*data);
    SaveOptions options;
    options.compress = round % 3 == 0;
    std::string file;
    {
      Snapshot snapshot(*data, {}, options);
      while (!snapshot.step(1 + prng.below(4000))) {
        const uint64_t changes = prng.below(60);
        for (uint64_t i = 0; i < changes; ++i) churn(*data, prng, 6000);
        switch (prng.below(60)) {
          case 0:
            data->clear(prng.below(kDatabases));
            break;
          case 1:
            data->clear_all();
            break;
          case 2:
          case 3:
            data->swap(prng.below(kDatabases), prng.below(kDatabases));
            break;
          default:
            break;
        }
        data->reclaim(prng.below(200));
        if (prng.below(3) == 0) file += snapshot.take();
      }
      file += snapshot.take();
      EXPECT_EQ(snapshot.bytes_written(), file.size());
      EXPECT_EQ(snapshot.keys_written(), expected.size());
    }
    const auto loaded = load(file);
    ASSERT_NE(loaded, nullptr) << round;
    ASSERT_EQ(image_of(*loaded), expected) << round;
    data->check_invariants();
    data->clear_all();
    EXPECT_TRUE(data->reclaim(SIZE_MAX));
  }
}

TEST(Snapshot, OnlyHookIsEnoughToSaveEverything) {
  auto data = random_data(3, 4000, 2000);
  const Image expected = image_of(*data);
  Snapshot snapshot(*data, {});
  std::vector<std::pair<size_t, std::string>> names;
  for (const auto& [name, content] : expected) names.emplace_back(std::stoul(name), name.substr(2));
  for (const auto& [db, name] : names) data->db(db).erase(data->key(name));
  EXPECT_EQ(data->size(), 0U);
  EXPECT_EQ(snapshot.keys_written(), expected.size());
  EXPECT_TRUE(snapshot.step(SIZE_MAX));
  EXPECT_EQ(image_of(*load(snapshot.take())), expected);
}

TEST(Snapshot, CanBeAbandonedAndTakenAgain) {
  auto data = random_data(3, 4000, 2000);
  Prng prng(9);
  {
    Snapshot snapshot(*data, {});
    snapshot.step(1000);
    for (int i = 0; i < 100; ++i) churn(*data, prng, 2000);
    data->clear(0);
  }
  const Image expected = image_of(*data);
  Snapshot again(*data, {});
  for (int i = 0; i < 100; ++i) churn(*data, prng, 2000);
  EXPECT_TRUE(again.step(SIZE_MAX));
  EXPECT_EQ(image_of(*load(again.take())), expected);
  EXPECT_TRUE(data->reclaim(SIZE_MAX));
}

TEST(Dump, RestoresWhatItDumpedAndNothingElse) {
  const auto data = random_data(8, 6000, 200);
  Dataset other(kDatabases, seed());
  const store::Key key = other.key("restored");
  data->db(0).for_each([&](const Entry& entry) {
    const std::string payload = dump(entry);
    EXPECT_TRUE(restore(payload, other.db(0), key, entry.expires_at_ms()).has_value());
    EXPECT_EQ(content_of(*other.db(0).find(key)), content_of(entry));
    other.db(0).erase(key);
    return true;
  });
  data->db(1).set_string(data->key("v"), "some text");
  const std::string payload = dump(*data->db(1).find(data->key("v")));
  for (size_t i = 0; i < payload.size(); ++i) {
    std::string broken = payload;
    broken[i] ^= 4;
    EXPECT_EQ(restore(broken, other.db(0), key, -1).error(), RestoreError::kVersionOrChecksum);
    EXPECT_EQ(restore(payload.substr(0, i), other.db(0), key, -1).error(), RestoreError::kVersionOrChecksum);
  }
  std::string trailing = std::string("\x00\x01vx\x0a\x00", 6);
  codec::rdb::put_uint64(trailing, codec::crc64(0, trailing));
  EXPECT_EQ(restore(trailing, other.db(0), key, -1).error(), RestoreError::kBadData);
  EXPECT_FALSE(other.db(0).contains(key));
}

}  // namespace
}  // namespace holdfast::persist
