#include "codec/rdb/packed.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/rdb/testing_blobs.h"

namespace holdfast::codec::rdb {
namespace {

std::vector<std::string> elements(PackedKind kind, const std::string& blob) {
  PackedReader reader(kind, blob);
  PackedElement element;
  std::vector<std::string> out;
  while (true) {
    switch (reader.next(element)) {
      case PackedReader::Step::kElement:
        out.emplace_back(element.text());
        break;
      case PackedReader::Step::kEnd:
        return out;
      case PackedReader::Step::kBroken:
        return {"broken"};
    }
  }
}

using Strings = std::vector<std::string>;

TEST(PackedReader, ReadsEveryZiplistEncoding) {
  const std::string middle(300, 'm');
  const std::string large(20'000, 'l');
  const std::string blob =
      ziplist({zl("a"), zl(""), zl(middle), zl(large), "\xc0" + little(0x8000, 2), "\xd0" + little(0x7fffffff, 4),
               "\xe0" + little(1ULL << 63, 8), "\xf0" + little(0x800000, 3), "\xfe" + little(0xff, 1), "\xf1", "\xfd"});
  EXPECT_EQ(elements(PackedKind::kZiplist, blob), Strings({"a", "", middle, large, "-32768", "2147483647",
                                                           "-9223372036854775808", "-8388608", "-1", "0", "12"}));
  EXPECT_EQ(elements(PackedKind::kZiplist, ziplist({})), Strings());
}

TEST(PackedReader, ReadsEveryListpackEncoding) {
  const std::string middle(300, 'm');
  const std::string large(20'000, 'l');
  const std::string blob =
      listpack({lp("a"), lp(""), lp(middle), lp(large), std::string(1, 127), "\xdf\xff", "\xd0" + std::string(1, 0),
                "\xf1" + little(0x8000, 2), "\xf2" + little(0x800000, 3), "\xf3" + little(0x80000000, 4),
                "\xf4" + little(1ULL << 63, 8), std::string(1, 0)});
  EXPECT_EQ(elements(PackedKind::kListpack, blob), Strings({"a", "", middle, large, "127", "-1", "-4096", "-32768",
                                                            "-8388608", "-2147483648", "-9223372036854775808", "0"}));
}

TEST(PackedReader, ReadsIntsetsAndZipmaps) {
  EXPECT_EQ(
      elements(PackedKind::kIntset, little(2, 4) + little(3, 4) + little(0xffff, 2) + little(0, 2) + little(7, 2)),
      Strings({"-1", "0", "7"}));
  EXPECT_EQ(elements(PackedKind::kIntset, little(8, 4) + little(1, 4) + little(1ULL << 62, 8)),
            Strings({"4611686018427387904"}));
  EXPECT_EQ(elements(PackedKind::kIntset, little(2, 4) + little(2, 4) + little(1, 2) + little(1, 2)),
            Strings({"broken"}));
  EXPECT_EQ(elements(PackedKind::kIntset, little(3, 4) + little(1, 4) + little(1, 3)), Strings({"broken"}));
  const std::string wide(300, 'v');
  const std::string map = std::string("\x02") + "\x03key" + std::string("\x05\x02", 2) + "value" + "xx" + "\xfe" +
                          little(300, 4) + wide + std::string("\x01\x00", 2) + "1" + "\xff";
  EXPECT_EQ(elements(PackedKind::kZipmap, map), Strings({"key", "value", wide, "1"}));
}

TEST(PackedReader, SurvivesEveryFlipAndCut) {
  const std::string blobs[] = {
      ziplist({zl("hello"), zl(std::string(300, 'x')), "\xc0" + little(5, 2), "\xf5", zl("end")}),
      listpack({lp("hello"), lp(std::string(300, 'x')), std::string(1, 5), "\xf1" + little(77, 2), lp("end")}),
      little(2, 4) + little(3, 4) + little(1, 2) + little(2, 2) + little(7, 2),
      std::string("\x01\x03key\x05\x02valuexx\xff", 15)};
  const PackedKind kinds[] = {PackedKind::kZiplist, PackedKind::kListpack, PackedKind::kIntset, PackedKind::kZipmap};
  for (int k = 0; k < 4; ++k) {
    ASSERT_NE(elements(kinds[k], blobs[k]), Strings({"broken"})) << k;
    for (size_t i = 0; i < blobs[k].size(); ++i) {
      EXPECT_EQ(elements(kinds[k], blobs[k].substr(0, i)), Strings({"broken"})) << k << " cut at " << i;
      for (int byte = 0; byte < 256; ++byte) {
        std::string broken = blobs[k];
        broken[i] = static_cast<char>(byte);
        size_t total = 0;
        for (const std::string& element : elements(kinds[k], broken)) total += element.size();
        ASSERT_LE(total, blobs[k].size() * 4);
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::codec::rdb
