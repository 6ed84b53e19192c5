#include <gtest/gtest.h>

#include "codec/aof/manifest.h"
#include "codec/aof/reader.h"

namespace holdfast::codec::aof {
namespace {

std::string error_of(std::string_view text) {
  const auto manifest = parse_manifest(text);
  return manifest ? "" : std::to_string(manifest.error().line) + " " + manifest.error().error;
}

TEST(Manifest, RoundTrip) {
  const std::string text =
      "file a.aof.2.base.rdb seq 2 type b\nfile a.aof.1.incr.aof seq 1 type h\nfile a.aof.3.incr.aof seq 3 type i\n";
  const auto manifest = parse_manifest("# comment\n" + text);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(print_manifest(*manifest), text);
  EXPECT_EQ(manifest->increment_sequence, 3);
}

TEST(Manifest, NamesWithSpacesAreQuoted) {
  Manifest manifest;
  manifest.new_base("my file", true);
  EXPECT_EQ(print_manifest(manifest), "file \"my file.1.base.rdb\" seq 1 type b\n");
  EXPECT_EQ(*parse_manifest(print_manifest(manifest)), manifest);
}

TEST(Manifest, Errors) {
  EXPECT_EQ(error_of(""), "0 Found an empty AOF manifest");
  EXPECT_EQ(error_of("file a seq 1 type b"), "0 The AOF manifest file contains too long line");
  EXPECT_EQ(error_of("\n"), "1 Invalid AOF manifest file format");
  EXPECT_EQ(error_of("file a seq 1\n"), "1 Invalid AOF manifest file format");
  EXPECT_EQ(error_of("file a/b seq 1 type b\n"), "1 File can't be a path, just a filename");
  EXPECT_EQ(error_of("file a seq 1 type b\nfile b seq 2 type b\n"), "2 Found duplicate base file information");
  EXPECT_EQ(error_of("file a seq 2 type i\nfile b seq 2 type i\n"), "2 Found a non-monotonic sequence number");
  EXPECT_EQ(error_of("file a seq 1 type x\n"), "1 Unknown AOF file type");
  EXPECT_EQ(error_of("file a seq x type b\n"), "1 Invalid AOF manifest file format");
}

TEST(Manifest, ARewriteRetiresWhatItReplaces) {
  Manifest manifest;
  manifest.new_base("a", true);
  manifest.new_increment("a");
  manifest.new_increment("a");
  manifest.new_base("a", false);
  manifest.retire_increments(true);
  EXPECT_EQ(print_manifest(manifest),
            "file a.2.base.aof seq 2 type b\nfile a.1.incr.aof seq 1 type h\nfile a.1.base.rdb seq 1 type h\n"
            "file a.2.incr.aof seq 2 type i\n");
}

struct Read {
  std::vector<std::string> items;
  Reader::End end;
  uint64_t consumed;
  bool operator==(const Read&) const = default;
};

Read read_in_pieces(std::string_view text, size_t piece) {
  Reader reader;
  Read out{};
  for (size_t at = 0; at < text.size(); at += piece) {
    reader.feed(text.substr(at, piece));
    while (true) {
      const auto status = reader.next();
      if (status == Reader::Status::kCommand) {
        std::string joined;
        for (const auto word : reader.words()) joined += std::string(word) + "|";
        out.items.push_back(joined);
        out.consumed = reader.consumed();
      } else if (status == Reader::Status::kAnnotation) {
        out.items.emplace_back(reader.line());
      } else {
        break;
      }
    }
  }
  out.end = reader.finish();
  return out;
}

TEST(AofReader, AnyChunkingReadsTheSame) {
  const std::string text = "#TS:1\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const Read whole = read_in_pieces(text.substr(0, cut), 1000);
    for (const size_t piece : {1, 2, 3, 7}) EXPECT_EQ(read_in_pieces(text.substr(0, cut), piece), whole) << cut;
  }
  const Read all = read_in_pieces(text, 5);
  EXPECT_EQ(all.items, (std::vector<std::string>{"#TS:1\r\n", "GET|a|", "|", "PING|"}));
  EXPECT_EQ(all.end, Reader::End::kWhole);
  EXPECT_EQ(all.consumed, text.size());
}

TEST(AofReader, EveryCutIsShortOrWhole) {
  const std::string one = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
  const std::string text = one + one;
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const Read read = read_in_pieces(text.substr(0, cut), 4);
    EXPECT_EQ(read.end, cut % one.size() == 0 ? Reader::End::kWhole : Reader::End::kShort) << cut;
    EXPECT_EQ(read.consumed, cut / one.size() * one.size()) << cut;
  }
}

TEST(AofReader, WhatIsNoCommandIsBroken) {
  EXPECT_EQ(read_in_pieces("!!!", 1).end, Reader::End::kBroken);
  EXPECT_EQ(read_in_pieces("*0\r\n", 1).end, Reader::End::kBroken);
  EXPECT_EQ(read_in_pieces("*1\r\nx3\r\n", 1).end, Reader::End::kBroken);
  EXPECT_EQ(read_in_pieces("*1\r\n$-1\r\n", 1).end, Reader::End::kBroken);
  EXPECT_EQ(read_in_pieces("*1\r\n$9000000000000000000\r\nx", 1).end, Reader::End::kShort);
}

}  // namespace
}  // namespace holdfast::codec::aof
