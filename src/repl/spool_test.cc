#include "repl/spool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/prng.h"

namespace holdfast::repl {
namespace {

/// The owner's part: a disk that answers later, or not.
struct World {
  explicit World(const Spool::Limits& limits) : spool(limits, 1) {}

  void append(size_t bytes) {
    std::string text;
    for (size_t i = 0; i < bytes; ++i) text += static_cast<char>('a' + prng.below(26));
    spool.append(text);
    all += text;
  }
  void ask() {
    if (auto out = spool.next_to_store(++number)) {
      EXPECT_EQ(out->bytes, part(out->chunk.begin, out->chunk.end));
      EXPECT_EQ(spool.storing(), number);
      files[number] = out->bytes;
    }
  }
  std::string part(int64_t begin, int64_t end) const {
    return all.substr(static_cast<size_t>(begin - 1), static_cast<size_t>(end - begin));
  }
  void release(int64_t position) {
    for (const Spool::Chunk& chunk : spool.release(position)) EXPECT_EQ(files.erase(chunk.number), 1u);
  }
  /// One step of a reader at `position`: from memory or from a file.
  std::string read(int64_t position) const {
    if (position >= spool.memory_begin()) return std::string(spool.piece(position));
    const Spool::Chunk& chunk = spool.chunk_at(position);
    return files.at(chunk.number).substr(static_cast<size_t>(position - chunk.begin));
  }

  Prng prng{11};
  Spool spool;
  std::string all;
  uint64_t number = 0;
  std::map<uint64_t, std::string> files;
};

TEST(Spool, EveryReaderGetsEveryByteWhereverItIs) {
  for (const size_t keep : {size_t{0}, size_t{100'000}}) {
    World world({.keep = keep, .memory_max = 300'000, .chunk = 150'000});
    std::vector<int64_t> readers = {1, 1, 1};
    for (int step = 0; step < 3000; ++step) {
      world.append(world.prng.below(6000));
      world.ask();
      if (world.spool.storing() != 0 && world.prng.below(3) == 0) {
        if (world.prng.below(10) == 0) {
          world.files.erase(world.spool.storing());
          world.spool.not_stored();
          world.spool.retry();
        } else {
          world.spool.stored();
        }
      }
      for (size_t i = 0; i < readers.size(); ++i) {
        if (world.prng.below(1 + i * 3) != 0 || (i == 2 && step < 1500)) continue;  // each at its own speed
        const std::string bytes = world.read(readers[i]);
        ASSERT_EQ(bytes, world.part(readers[i], readers[i] + static_cast<int64_t>(bytes.size())));
        readers[i] += static_cast<int64_t>(bytes.size());
      }
      world.release(*std::min_element(readers.begin(), readers.end()));
      world.spool.check_invariants();
      ASSERT_LE(world.spool.memory(), 300'000u + 150'000u + 2 * 65'536u + 12 * 6000u);
      ASSERT_TRUE(world.spool.covers(std::max<int64_t>(world.spool.end() - static_cast<int64_t>(keep), 1)));
    }
    for (int64_t& reader : readers) {
      while (reader < world.spool.end()) {
        const std::string bytes = world.read(reader);
        ASSERT_EQ(bytes, world.part(reader, reader + static_cast<int64_t>(bytes.size())));
        reader += static_cast<int64_t>(bytes.size());
      }
    }
    if (world.spool.storing() != 0) world.spool.stored();
    world.release(world.spool.end());
    EXPECT_LE(static_cast<size_t>(world.spool.end() - world.spool.begin()), keep + 150'000 + 65'536);
    world.spool.check_invariants();
  }
}

TEST(Spool, WithoutNeedKeepsExactlyWhatItIsTold) {
  World world({.keep = 1000});
  world.append(200'000);
  world.release(world.spool.end());
  EXPECT_EQ(world.spool.end() - world.spool.begin(), 1000);
  EXPECT_EQ(world.spool.memory_begin(), world.spool.begin());
  EXPECT_FALSE(world.spool.covers(world.spool.begin() - 1));
  EXPECT_FALSE(world.spool.covers(world.spool.end() + 1));
  world.spool.set_limits({.keep = 10});
  world.release(world.spool.end());
  EXPECT_EQ(world.spool.end() - world.spool.begin(), 10);
  EXPECT_TRUE(world.files.empty());
}

TEST(Spool, AFailedDiskIsNotAskedAgainAtOnce) {
  World world({.memory_max = 1000, .chunk = 100'000});
  world.append(200'000);
  world.ask();
  ASSERT_NE(world.spool.storing(), 0u);
  world.spool.not_stored();
  EXPECT_FALSE(world.spool.next_to_store(99).has_value());
  EXPECT_EQ(world.spool.on_disk(), 0u);
  world.spool.retry();
  EXPECT_TRUE(world.spool.next_to_store(100).has_value());
}

}  // namespace
}  // namespace holdfast::repl
