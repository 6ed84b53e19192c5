#include "base/text.h"

#include <gtest/gtest.h>

#include "base/address.h"
#include "base/prng.h"

namespace holdfast {
namespace {

TEST(ParseInt64, AcceptsCanonicalNumbersOnly) {
  EXPECT_EQ(parse_int64("0"), 0);
  EXPECT_EQ(parse_int64("-1"), -1);
  EXPECT_EQ(parse_int64("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parse_int64("-9223372036854775808"), INT64_MIN);
  for (const char* bad : {"", " 1", "1 ", "+1", "01", "-0", "00", "1a", "9223372036854775808", "-", "0x1"}) {
    EXPECT_FALSE(parse_int64(bad).has_value()) << bad;
  }
}

TEST(SplitQuoted, FollowsTheOriginalsRules) {
  std::vector<std::string> words;
  EXPECT_TRUE(split_quoted(R"(set "a b" 'c\'d' "\x41\n" e)", words));
  EXPECT_EQ(words, (std::vector<std::string>{"set", "a b", "c'd", "A\n", "e"}));
  EXPECT_TRUE(split_quoted("", words));
  EXPECT_TRUE(words.empty());
  EXPECT_TRUE(split_quoted("save \"\"", words));
  EXPECT_EQ(words, (std::vector<std::string>{"save", ""}));
  EXPECT_FALSE(split_quoted("\"open", words));
  EXPECT_FALSE(split_quoted("'open", words));
  EXPECT_FALSE(split_quoted("\"a\"b", words));
}

TEST(Quoted, RoundTripsEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  std::vector<std::string> words;
  ASSERT_TRUE(split_quoted(holdfast::quoted(all), words));
  ASSERT_EQ(words.size(), 1u);
  EXPECT_EQ(words[0], all);
}

struct GlobCase {
  const char* pattern;
  const char* text;
  bool matches;
};
class Glob : public testing::TestWithParam<GlobCase> {};
TEST_P(Glob, Matches) { EXPECT_EQ(glob_match(GetParam().pattern, GetParam().text), GetParam().matches); }
INSTANTIATE_TEST_SUITE_P(Cases, Glob,
                         testing::Values(GlobCase{"*", "", true}, GlobCase{"", "", true}, GlobCase{"", "a", false},
                                         GlobCase{"a*c", "abbc", true}, GlobCase{"a*c", "abb", false},
                                         GlobCase{"h?llo", "hello", true}, GlobCase{"h?llo", "hllo", false},
                                         GlobCase{"h[ae]llo", "hallo", true}, GlobCase{"h[^e]llo", "hello", false},
                                         GlobCase{"h[a-c]llo", "hbllo", true}, GlobCase{"h[c-a]llo", "hbllo", true},
                                         GlobCase{"h\\*llo", "h*llo", true}, GlobCase{"h\\*llo", "hxllo", false},
                                         GlobCase{"[abc", "a", true},
                                         GlobCase{"*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
                                         GlobCase{"a**", "a", true}));

TEST(Glob, StaysLinearPerStar) {
  const std::string text(50000, 'a');
  EXPECT_FALSE(glob_match("*a*a*a*a*a*b", text));
}

TEST(Address, PrintsAndRecognizesLiterals) {
  EXPECT_EQ(host_port("::1", 6379), "[::1]:6379");
  EXPECT_EQ(host_port("127.0.0.1", 1), "127.0.0.1:1");
  EXPECT_TRUE(is_numeric_host("10.0.0.1"));
  EXPECT_TRUE(is_numeric_host("::1"));
  for (const char* name : {"localhost", "10.0.0", "10.0.0.256", "1.2.3.4.5", "", "a.b.c.d"}) {
    EXPECT_FALSE(is_numeric_host(name)) << name;
  }
}

TEST(Prng, IsReproducibleAndBounded) {
  Prng a(1);
  Prng b(1);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(a.next(), b.next());
    EXPECT_LT(a.below(7), 7u);
    b.below(7);
  }
  EXPECT_EQ(a.hex(40).size(), 40u);
}

}  // namespace
}  // namespace holdfast
