#include "codec/rdb/read.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "codec/crc64.h"
#include "codec/rdb/testing_blobs.h"
#include "codec/rdb/write.h"

namespace holdfast::codec::rdb {
namespace {

using Strings = std::vector<std::string>;

std::string numbers(const Event& event, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += (i > 0 ? " " : "") + std::to_string(event.numbers[i]);
  return out;
}

// One line per event.
std::string describe(const Event& event) {
  const auto text = [](std::string_view view) {
    return view.size() > 40 ? std::string(view.substr(0, 10)) + "#" + std::to_string(view.size()) : std::string(view);
  };
  switch (event.kind) {
    case Event::Kind::kAux:
      return "aux " + text(event.first) + "=" + text(event.second);
    case Event::Kind::kSelectDb:
      return "db " + std::to_string(event.number);
    case Event::Kind::kResizeDb:
      return "resize " + std::to_string(event.number) + " " + std::to_string(event.number2);
    case Event::Kind::kFunction:
      return "function " + text(event.first);
    case Event::Kind::kKey: {
      std::string line = "key " + text(event.first);
      if (event.expires_at_ms) line += " px " + std::to_string(*event.expires_at_ms);
      if (event.idle_seconds) line += " idle " + std::to_string(*event.idle_seconds);
      if (event.frequency) line += " freq " + std::to_string(*event.frequency);
      return line;
    }
    case Event::Kind::kString:
      return "string " + text(event.first);
    case Event::Kind::kElement:
      return "element " + text(event.first);
    case Event::Kind::kPair:
      return "pair " + text(event.first) + "=" + text(event.second);
    case Event::Kind::kScored:
      return "scored " + text(event.first) + " " + std::to_string(event.score);
    case Event::Kind::kStreamNode:
      return "node " + std::to_string(event.first.size()) + " #" + std::to_string(event.second.size());
    case Event::Kind::kStreamMarks:
      return "marks " + numbers(event, event.number == 1 ? 8 : 3);
    case Event::Kind::kStreamGroup:
      return "group " + text(event.first) + " " + numbers(event, event.number == 1 ? 3 : 2);
    case Event::Kind::kStreamPending:
      return "pending " + numbers(event, 4);
    case Event::Kind::kStreamConsumer:
      return "consumer " + text(event.first) + " " + numbers(event, 2);
    case Event::Kind::kStreamOwned:
      return "owned " + numbers(event, 2);
    case Event::Kind::kKeyEnd:
      return "end " + std::to_string(event.number);
    case Event::Kind::kEnd:
      return "over";
  }
  return "?";
}

Strings read(const std::string& file, size_t chunk, const ReadLimits& limits = {}) {
  Reader reader(Reader::Source::kFile, limits);
  Strings lines;
  size_t fed = 0;
  while (true) {
    Event event;
    switch (reader.next(event)) {
      case Reader::Status::kEvent:
        lines.push_back(describe(event));
        break;
      case Reader::Status::kEnd:
        // Versions without a checksum: a flipped version digit shows as bytes behind the end.
        lines.emplace_back(reader.version() < 5 && !reader.rest().empty() ? "error: trailing" : "over");
        return lines;
      case Reader::Status::kError:
        lines.push_back("error: " + reader.error());
        return lines;
      case Reader::Status::kNeedMore:
        if (fed >= file.size()) {
          lines.emplace_back("short");
          return lines;
        }
        reader.feed(std::string_view(file).substr(fed, chunk));
        fed += chunk;
    }
  }
}

void put_key(std::string& out, ValueType type, std::string_view key) {
  put_type(out, type);
  put_string(out, key, false);
}

/// A stream with one node, one group, one pending entry and one consumer, in the three vintages.
void put_stream(std::string& out, ValueType type) {
  const bool counters = type != ValueType::kStreamListpacks;
  put_key(out, type, "x" + std::to_string(static_cast<int>(type)));
  put_length(out, 1);
  put_string(out, std::string(7, 0) + "\x05" + std::string(8, 0), false);
  put_string(out, listpack({lp("node")}), false);
  for (const uint64_t number : {1, 5, 0}) put_length(out, number);
  if (counters) {
    for (const uint64_t number : {5, 0, 4, 1, 70000}) put_length(out, number);
  }
  put_length(out, 1);
  put_string(out, "group", false);
  put_length(out, 5);
  put_length(out, 0);
  if (counters) put_length(out, UINT64_MAX);
  put_length(out, 1);
  out += std::string(7, 0) + "\x05" + std::string(8, 0) + little(123456, 8);
  put_length(out, 3);
  put_length(out, 2);
  put_string(out, "idle", false);
  out += little(777, 8);
  if (type == ValueType::kStreamListpacks3) out += little(UINT64_MAX, 8);
  put_length(out, 0);
  put_string(out, "owner", false);
  out += little(778, 8);
  if (type == ValueType::kStreamListpacks3) out += little(779, 8);
  put_length(out, 1);
  out += std::string(7, 0) + "\x05" + std::string(8, 0);
}

/// A file with every value type the reader knows.
std::string sample(int version) {
  std::string out;
  put_magic(out, version);
  put_aux(out, "redis-ver", "7.2.6");
  put_opcode(out, Opcode::kFunction2);
  put_string(out, "#!lua name=lib\n", false);
  put_opcode(out, Opcode::kSelectDb);
  put_length(out, 3);
  put_opcode(out, Opcode::kResizeDb);
  put_length(out, 700);
  put_length(out, 20'000);
  put_opcode(out, Opcode::kExpireTimeMs);
  put_uint64(out, 1'700'000'000'123);
  put_opcode(out, Opcode::kFreq);
  put_byte(out, 200);
  put_key(out, ValueType::kString, "s1");
  put_string(out, std::string(3000, 'z'), true);
  put_opcode(out, Opcode::kExpireTime);
  out += little(1'700'000'000, 4);
  put_opcode(out, Opcode::kIdle);
  put_length(out, 100'000);
  put_key(out, ValueType::kString, "s2");
  put_integer(out, -70'000);
  put_key(out, ValueType::kList, "list");
  put_length(out, 2);
  put_string(out, "a", true);
  put_string(out, std::string(70'000, 'b'), false);
  put_key(out, ValueType::kHash, "hash");
  put_length(out, 1);
  put_string(out, "12", true);
  put_string(out, "f", true);
  put_key(out, ValueType::kZset, "zset1");
  put_length(out, 3);
  put_string(out, "m", true);
  out +=
      "\x03"
      "1.5";
  put_string(out, "n", true);
  put_byte(out, 254);
  put_string(out, "o", true);
  put_byte(out, 255);
  put_key(out, ValueType::kZset2, "zset2");
  put_length(out, 1);
  put_string(out, "m", true);
  put_double(out, -0.25);
  put_key(out, ValueType::kListQuicklist, "ql1");
  put_length(out, 2);
  put_string(out, ziplist({zl("a"), zl("b")}), false);
  put_string(out, ziplist({zl("c")}), false);
  put_key(out, ValueType::kListQuicklist2, "ql2");
  put_length(out, 2);
  put_length(out, kNodePlain);
  put_string(out, "plain", false);
  put_length(out, kNodePacked);
  put_string(out, listpack({lp("d"), lp("e")}), false);
  put_key(out, ValueType::kZsetListpack, "zlp");
  put_string(out, listpack({lp("m"), lp("3.5"), lp("n"), std::string(1, 7)}), true);
  put_key(out, ValueType::kHashZiplist, "hzl");
  put_string(out, ziplist({zl("f"), zl("v")}), true);
  put_key(out, ValueType::kSetListpack, "slp");
  put_string(out, listpack({lp("x")}), true);
  put_key(out, ValueType::kSetIntset, "is");
  put_string(out, little(2, 4) + little(1, 4) + little(9, 2), false);
  for (const ValueType type :
       {ValueType::kStreamListpacks, ValueType::kStreamListpacks2, ValueType::kStreamListpacks3}) {
    put_stream(out, type);
  }
  put_opcode(out, Opcode::kEof);
  if (version >= 5) put_uint64(out, crc64(0, out));
  return out;
}

const Strings kSampleEvents = {"aux redis-ver=7.2.6",
                               "function #!lua name=lib\n",
                               "db 3",
                               "resize 700 20000",
                               "key s1 px 1700000000123 freq 200",
                               "string zzzzzzzzzz#3000",
                               "end 1",
                               "key s2 px 1700000000000 idle 100000",
                               "string -70000",
                               "end 1",
                               "key list",
                               "element a",
                               "element bbbbbbbbbb#70000",
                               "end 2",
                               "key hash",
                               "pair 12=f",
                               "end 1",
                               "key zset1",
                               "scored m 1.500000",
                               "scored n inf",
                               "scored o -inf",
                               "end 3",
                               "key zset2",
                               "scored m -0.250000",
                               "end 1",
                               "key ql1",
                               "element a",
                               "element b",
                               "element c",
                               "end 3",
                               "key ql2",
                               "element plain",
                               "element d",
                               "element e",
                               "end 3",
                               "key zlp",
                               "scored m 3.500000",
                               "scored n 7.000000",
                               "end 2",
                               "key hzl",
                               "pair f=v",
                               "end 1",
                               "key slp",
                               "element x",
                               "end 1",
                               "key is",
                               "element 9",
                               "end 1",
                               "key x15",
                               "node 16 #13",
                               "marks 1 5 0",
                               "group group 5 0",
                               "pending 5 0 123456 3",
                               "consumer idle 777 777",
                               "consumer owner 778 778",
                               "owned 5 0",
                               "end 0",
                               "key x19",
                               "node 16 #13",
                               "marks 1 5 0 5 0 4 1 70000",
                               "group group 5 0 18446744073709551615",
                               "pending 5 0 123456 3",
                               "consumer idle 777 777",
                               "consumer owner 778 778",
                               "owned 5 0",
                               "end 0",
                               "key x21",
                               "node 16 #13",
                               "marks 1 5 0 5 0 4 1 70000",
                               "group group 5 0 18446744073709551615",
                               "pending 5 0 123456 3",
                               "consumer idle 777 18446744073709551615",
                               "consumer owner 778 779",
                               "owned 5 0",
                               "end 0",
                               "over"};

TEST(Reader, TellsEveryTypeInAnyChunking) {
  for (const int version : {4, 11}) {
    for (const size_t chunk : {size_t{1}, size_t{2}, size_t{7}, size_t{1000}, size_t{1} << 20}) {
      EXPECT_EQ(read(sample(version), chunk), kSampleEvents) << version << " " << chunk;
    }
  }
}

TEST(Reader, LeavesWhatFollowsTheFile) {
  Reader reader;
  reader.feed(sample(11) + "*1\r\n$4\r\nPING\r\n");
  Event event;
  Reader::Status status = Reader::Status::kEvent;
  while (status == Reader::Status::kEvent) status = reader.next(event);
  EXPECT_EQ(status, Reader::Status::kEnd);
  EXPECT_EQ(reader.rest(), "*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(reader.consumed(), sample(11).size());
}

TEST(Reader, EveryCutIsShortAndEveryFlipIsNoticed) {
  const std::string file = sample(11);
  for (size_t cut = 0; cut < file.size(); cut += cut > 1000 && cut + 1000 < file.size() ? 97 : 1) {
    ASSERT_EQ(read(file.substr(0, cut), 4096).back(), "short") << cut;
  }
  for (size_t i = 0; i < file.size(); i += i > 1000 && i + 1000 < file.size() ? 997 : 1) {
    for (const int flip : {1, 0x80, 0xff}) {
      std::string broken = file;
      broken[i] = static_cast<char>(broken[i] ^ flip);
      const std::string last = read(broken, size_t{1} << 20).back();
      ASSERT_TRUE(last.starts_with("error: ") || last == "short") << i << " " << last;
    }
  }
}

TEST(Reader, RefusesInTheOriginalsWords) {
  const auto error = [](const std::string& tail) {
    std::string file;
    put_magic(file, 11);
    return read(file + tail, 1000).back();
  };
  EXPECT_EQ(read("REDIX0011", 100).back(), "error: Wrong signature trying to load DB from file");
  EXPECT_EQ(read("X", 100).back(), "error: Wrong signature trying to load DB from file");
  EXPECT_EQ(read("REDIS0012", 100).back(), "error: Can't handle RDB format version 12");
  EXPECT_EQ(read("REDIS0000", 100).back(), "error: Can't handle RDB format version 0");
  EXPECT_EQ(error(std::string("\x08\x01k", 3)), "error: Unknown RDB encoding type 8");
  EXPECT_EQ(error("\xf6"), "error: Pre-release function format not supported.");
  EXPECT_EQ(error(std::string("\x00\x01k\xc4", 4)), "error: Unknown RDB string encoding type 4");
  EXPECT_EQ(error(std::string("\x00\x01k\x82", 4)), "error: Unknown length encoding 130 in rdbLoadLen()");
  EXPECT_EQ(error(std::string("\x00\x01k\xc3\x02\x05xx", 8)), "error: Invalid LZF compressed string");
  EXPECT_EQ(error(std::string("\x10\x01k\x03zzz", 7)), "error: Hash listpack integrity check failed.");
  EXPECT_EQ(error(std::string("\x12\x01k\x01\x03", 5)), "error: Quicklist integrity check failed.");
  EXPECT_EQ(error(std::string("\x03\x01k\x01\x01m\xfd", 7)), "error: Zset with NAN score detected");
  std::string file;
  put_magic(file, 11);
  put_opcode(file, Opcode::kEof);
  const uint64_t right = crc64(0, file);
  EXPECT_EQ(
      read(file + little(right ^ 1, 8), 100).back(), "error: Wrong RDB checksum expected: (" + [&] {
        char text[64];
        std::snprintf(text, sizeof(text), "%llx) but got (%llx", static_cast<unsigned long long>(right),
                      static_cast<unsigned long long>(right ^ 1));
        return std::string(text);
      }() + "). Aborting now.");
  EXPECT_EQ(read(file + little(0, 8), 100).back(), "over");
}

TEST(Reader, HugeLengthsAllocateNothing) {
  std::string file;
  put_magic(file, 11);
  put_type(file, ValueType::kString);
  put_string(file, "k", false);
  std::string over = file;
  put_length(over, (512ULL << 20) + 1);
  EXPECT_EQ(read(over, 100).back(), "error: String of 536870913 bytes is over the limit");
  std::string wide = file;
  put_length(wide, UINT64_MAX);
  EXPECT_EQ(read(wide, 100).back(), "error: String of 18446744073709551615 bytes is over the limit");
  std::string bomb = file + "\xc3";
  put_length(bomb, 10);
  put_length(bomb, 500ULL << 20);
  EXPECT_EQ(read(bomb + std::string(10, 'x'), 100).back(), "error: Invalid LZF compressed string");
}

TEST(Write, LengthsAndIntegersTakeTheShortestForm) {
  const auto length = [](uint64_t value) {
    std::string out;
    put_length(out, value);
    return out.size();
  };
  EXPECT_EQ(length(63), 1U);
  EXPECT_EQ(length(64), 2U);
  EXPECT_EQ(length(16383), 2U);
  EXPECT_EQ(length(16384), 5U);
  EXPECT_EQ(length(UINT32_MAX), 5U);
  EXPECT_EQ(length(uint64_t{UINT32_MAX} + 1), 9U);
  const auto text = [](std::string_view value) {
    std::string out;
    put_string(out, value, false);
    return out.size();
  };
  EXPECT_EQ(text("-128"), 2U);
  EXPECT_EQ(text("128"), 3U);
  EXPECT_EQ(text("-32769"), 5U);
  EXPECT_EQ(text("2147483648"), 11U);
  EXPECT_EQ(text("007"), 4U);
}

}  // namespace
}  // namespace holdfast::codec::rdb
