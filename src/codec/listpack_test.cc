#include "codec/listpack.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/rdb/packed.h"

namespace holdfast::codec::listpack {
namespace {

std::string block_of(const std::vector<std::string>& texts) {
  size_t room = kHeaderBytes + 1;
  for (const std::string& one : texts) room += one.size() + kOverheadMax;
  std::string block(room, '\0');
  char* at = block.data() + kHeaderBytes;
  for (const std::string& one : texts) at = put(at, one);
  *at++ = kEndMark;
  block.resize(static_cast<size_t>(at - block.data()));
  set_total_bytes(block.data(), static_cast<uint32_t>(block.size()));
  add_elements(block.data(), texts.size());
  return block;
}

std::vector<std::string> interesting() {
  std::vector<std::string> texts = {"", "a", "-0", "007", "+1", "9223372036854775808"};
  for (const int64_t edge : {int64_t{0}, int64_t{127}, int64_t{4095}, int64_t{32767}, int64_t{8388607},
                             int64_t{2147483647}, INT64_MAX - 1}) {
    for (const int64_t step : {-1, 0, 1}) {
      texts.push_back(std::to_string(edge + step));
      texts.push_back(std::to_string(-edge + step));
    }
  }
  // Every bound of a text's length and of the back length.
  for (const size_t size : {63, 64, 125, 126, 127, 4095, 4096, 16377, 16378, 16379, 16380, 2097145, 2097146, 2097147}) {
    texts.push_back(std::string(size, 'x'));
  }
  return texts;
}

TEST(Listpack, IsWhatTheCheckedReaderReads) {
  const std::vector<std::string> texts = interesting();
  const std::string block = block_of(texts);
  rdb::PackedReader reader(rdb::PackedKind::kListpack, block);
  rdb::PackedElement element;
  for (const std::string& one : texts) {
    ASSERT_EQ(reader.next(element), rdb::PackedReader::Step::kElement) << one.size();
    EXPECT_EQ(element.text(), one);
  }
  EXPECT_EQ(reader.next(element), rdb::PackedReader::Step::kEnd);
}

TEST(Listpack, WalksBothWays) {
  const std::vector<std::string> texts = interesting();
  const std::string block = block_of(texts);
  Digits digits;
  const char* at = block.data() + kHeaderBytes;
  for (const std::string& one : texts) {
    EXPECT_EQ(text(at, digits), one);
    at = next(at);
  }
  ASSERT_EQ(at, block.data() + block.size() - 1);
  for (size_t i = texts.size(); i-- > 0;) {
    at = previous(at);
    EXPECT_EQ(text(at, digits), texts[i]);
  }
  EXPECT_EQ(at, block.data() + kHeaderBytes);
}

TEST(Listpack, CountSaturates) {
  std::string block = block_of({"a"});
  add_elements(block.data(), 65533);
  EXPECT_EQ(static_cast<uint8_t>(block[4]), 0xfe);
  add_elements(block.data(), 70000);
  EXPECT_EQ(static_cast<uint8_t>(block[4]), 0xff);
  EXPECT_EQ(static_cast<uint8_t>(block[5]), 0xff);
}

}  // namespace
}  // namespace holdfast::codec::listpack
