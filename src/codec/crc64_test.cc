#include "codec/crc64.h"

#include <gtest/gtest.h>

#include <string>

#include "base/prng.h"
#include "codec/lzf.h"

namespace holdfast::codec {
namespace {

TEST(Crc64, MatchesItsCheckValueAndAnyChunking) {
  EXPECT_EQ(crc64(0, "123456789"), 0xe9c6d914c4b8d9caULL);
  std::string text;
  Prng prng(1);
  for (int i = 0; i < 300; ++i) text += static_cast<char>(prng.next());
  const uint64_t whole = crc64(0, text);
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(crc64(crc64(0, text.substr(0, cut)), text.substr(cut)), whole);
  }
}

TEST(Lzf, RoundTripsWhatGainsAndRefusesWhatIsBroken) {
  std::string packed;
  EXPECT_FALSE(lzf_compress("short", packed));
  EXPECT_TRUE(packed.empty());
  const std::string text = std::string(1000, 'a') + "tail" + std::string(500, 'b');
  ASSERT_TRUE(lzf_compress(text, packed));
  EXPECT_LT(packed.size(), 100U);
  std::string out;
  ASSERT_TRUE(lzf_decompress(packed, text.size(), out));
  EXPECT_EQ(out, text);
  EXPECT_FALSE(lzf_decompress(packed, text.size() - 1, out));
  EXPECT_FALSE(lzf_decompress(packed, text.size() + 1, out));
  EXPECT_FALSE(lzf_decompress(packed, size_t{1} << 31, out));
  EXPECT_TRUE(out.empty());
  for (size_t cut = 0; cut < packed.size(); ++cut)
    EXPECT_FALSE(lzf_decompress(packed.substr(0, cut), text.size(), out));
}

}  // namespace
}  // namespace holdfast::codec
