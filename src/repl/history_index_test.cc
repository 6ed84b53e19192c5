#include "repl/history_index.h"

#include <gtest/gtest.h>

#include "base/prng.h"

namespace holdfast::repl {
namespace {

HistoryIndex sample() {
  HistoryIndex index;
  index.id = std::string(40, 'a');
  index.stream_db = 3;
  index.unix_s = 1'700'000'000;
  index.end = 900;
  index.log = {"append only.aof.2.incr.aof", 77};
  index.chunks = {{4, 100, 300}, {5, 300, 301}, {9, 301, 900}};
  return index;
}

bool same(const Spool::Chunk& a, const Spool::Chunk& b) {
  return a.number == b.number && a.begin == b.begin && a.end == b.end;
}

TEST(HistoryIndex, ReadsWhatItPrints) {
  const HistoryIndex index = sample();
  const auto back = HistoryIndex::parse(index.print());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->print(), index.print());
  EXPECT_EQ(back->id, index.id);
  EXPECT_EQ(back->stream_db, 3);
  EXPECT_EQ(back->end, 900);
  EXPECT_EQ(back->log, index.log);
  ASSERT_EQ(back->chunks.size(), 3U);
  EXPECT_TRUE(same(back->chunks[2], index.chunks[2]));
}

TEST(HistoryIndex, RefusesWhatIsTornOrContradictsItself) {
  const std::string whole = sample().print();
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    const auto parsed = HistoryIndex::parse(whole.substr(0, cut));
    // Cut behind a line it may be a text of less, but never one whose chunks end elsewhere than it says.
    if (!parsed) continue;
    EXPECT_EQ(whole[cut - 1], '\n');
    EXPECT_TRUE(parsed->chunks.empty());
  }
  const auto with = [](const std::string& line) {
    return HistoryIndex::parse("holdfast-history 1\nid " + std::string(40, 'a') + "\nend 10\n" + line + "\n")
        .has_value();
  };
  EXPECT_TRUE(with("chunk 1 5 10"));
  EXPECT_FALSE(with("chunk 1 5 9"));
  EXPECT_FALSE(with("chunk 0 5 10"));
  EXPECT_FALSE(with("chunk 1 10 10"));
  EXPECT_FALSE(with("chunk 1 -5 10"));
  EXPECT_FALSE(with("chunk 1 5 10 11"));
  EXPECT_FALSE(with("chunk 1 4 6\nchunk 2 7 10"));
  EXPECT_FALSE(with("chunk 99999999999999999999 5 10"));
  EXPECT_FALSE(with("log 5"));
  EXPECT_FALSE(with("db 99999999999"));
  EXPECT_FALSE(with("else"));
  EXPECT_FALSE(HistoryIndex::parse(""));
}

TEST(HistoryIndex, TakesAnyBytes) {
  Prng prng(1);
  const std::string whole = sample().print();
  for (int i = 0; i < 20'000; ++i) {
    std::string broken = whole;
    broken[prng.below(broken.size())] = static_cast<char>(prng.below(256));
    if (const auto parsed = HistoryIndex::parse(broken))
      EXPECT_EQ(HistoryIndex::parse(parsed->print())->print(), parsed->print());
  }
}

TEST(HistoryIndex, OnlyAnUnbrokenRowThatReachesTheDatasetIsOfUse) {
  const std::vector<Spool::Chunk> chunks = {{4, 100, 300}, {5, 300, 301}, {9, 301, 900}};
  EXPECT_EQ(usable_chunks(chunks, 900).size(), 3U);
  EXPECT_EQ(usable_chunks(chunks, 901).size(), 0U) << "the dataset has seen more";
  EXPECT_EQ(usable_chunks(chunks, 500).back().end, 500) << "what the dataset has not seen is not its history";
  EXPECT_EQ(usable_chunks(chunks, 301).size(), 2U);
  EXPECT_EQ(usable_chunks(chunks, 100).size(), 0U);
  const std::vector<Spool::Chunk> holed = {chunks[0], chunks[2]};
  EXPECT_EQ(usable_chunks(holed, 900).size(), 1U);
  EXPECT_EQ(usable_chunks(holed, 300).size(), 1U);
  EXPECT_EQ(usable_chunks(holed, 301).size(), 0U);
  EXPECT_EQ(usable_chunks({}, 1).size(), 0U);
}

}  // namespace
}  // namespace holdfast::repl
