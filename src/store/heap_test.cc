#include "store/heap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/prng.h"
#include "store/hash.h"

namespace holdfast::store {
namespace {

TEST(Heap, KeepsBlocksApartAndCountsThem) {
  struct Block {
    char* at;
    size_t size;
    char fill;
  };
  Heap heap;
  Prng prng(1);
  std::vector<Block> blocks;
  size_t expected = 0;
  for (int i = 0; i < 50'000; ++i) {
    if (blocks.empty() || prng.below(100) < 55) {
      const size_t size = 1 + prng.below(i % 50 == 0 ? 5000 : 520);
      const char fill = static_cast<char>(i);
      auto* const at = static_cast<char*>(heap.allocate(size));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(at) % 8, 0U);
      std::memset(at, fill, size);
      blocks.push_back({at, size, fill});
      expected += Heap::class_bytes(size);
    } else {
      const size_t chosen = prng.below(blocks.size());
      const Block block = blocks[chosen];
      for (size_t b = 0; b < block.size; ++b) ASSERT_EQ(block.at[b], block.fill);
      heap.release(block.at, block.size);
      expected -= Heap::class_bytes(block.size);
      blocks[chosen] = blocks.back();
      blocks.pop_back();
    }
    ASSERT_EQ(heap.used(), expected);
    if (i % 5000 == 0) heap.check_invariants();
  }
  for (const Block& block : blocks) heap.release(block.at, block.size);
  EXPECT_EQ(heap.used(), 0U);
  heap.check_invariants();
  EXPECT_LE(heap.page_memory(), Heap::kSpareMax * Heap::kPageBytes);
  heap.purge();
  EXPECT_EQ(heap.page_memory(), 0U);
}

TEST(Heap, ABlockThatGrowsThroughTheClassesNeedsOnePage) {
  Heap heap;
  void* block = heap.allocate(8);
  for (size_t size = 16; size <= Heap::kSmallMax; size += 8) {
    void* const larger = heap.allocate(size);
    heap.release(block, size - 8);
    block = larger;
    ASSERT_LE(heap.page_memory(), 2 * Heap::kPageBytes) << size;  // the old block's page and the new one's
  }
  heap.release(block, Heap::kSmallMax);
}

TEST(Hash, DependsOnEveryByteTheLengthAndTheSeed) {
  Prng prng(5);
  const HashSeed one = HashSeed::from(prng);
  const HashSeed two = HashSeed::from(prng);
  for (size_t size = 0; size < 70; ++size) {
    const std::string text(size, 'x');
    EXPECT_EQ(hash_bytes(text, one), hash_bytes(std::string(text), one));
    EXPECT_NE(hash_bytes(text, one), hash_bytes(text, two));
    EXPECT_NE(hash_bytes(text, one), hash_bytes(text + "x", one));
    for (size_t i = 0; i < size; ++i) {
      std::string other = text;
      other[i] ^= 1;
      EXPECT_NE(hash_bytes(other, one), hash_bytes(text, one)) << size << " " << i;
    }
  }
}

}  // namespace
}  // namespace holdfast::store
