#include "conf/haproxy_lexer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::conf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::map<std::string, std::string> kVariables = {{"FOO", "a b"}, {"EMPTY", ""}};

LexedLine lex(std::string_view line) {
  const LexEnvironment environment{&kVariables, "f.cfg", 7, "web"};
  return lex_haproxy_line(line, environment);
}
std::vector<std::string> words(std::string_view line) {
  LexedLine lexed = lex(line);
  EXPECT_EQ(lexed.error, "");
  return lexed.words;
}

TEST(HaproxyLexer, SplitsAtUnquotedSpace) {
  EXPECT_THAT(words("  a\tb  c \r"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(words(""), IsEmpty());
  EXPECT_THAT(words("   # all comment"), IsEmpty());
  EXPECT_THAT(words("global#x"), ElementsAre("global"));
  EXPECT_THAT(words("a \"\" ''"), ElementsAre("a", "", ""));
}

TEST(HaproxyLexer, EscapesOutsideQuotes) {
  EXPECT_THAT(words("info\\ replication\\r\\n"), ElementsAre("info replication\r\n"));
  EXPECT_THAT(words("PING\\\\r\\\\n"), ElementsAre("PING\\r\\n"));
  EXPECT_THAT(words("a\\#b\\\"c\\'d\\$e\\x41\\tf"), ElementsAre("a#b\"c'd$eA\tf"));
  EXPECT_THAT(words("a\\_b"), ElementsAre("a\\_b"));
  EXPECT_THAT(words("a\\"), ElementsAre("a\\"));
}

TEST(HaproxyLexer, QuotesGlueToWords) {
  EXPECT_THAT(words("\"AUTH x\"\\r\\n"), ElementsAre("AUTH x\r\n"));
  EXPECT_THAT(words("'a\\n$FOO#'\"$FOO\"b"), ElementsAre("a\\n$FOO#a bb"));
}

TEST(HaproxyLexer, ExpandsVariablesInWeakQuotesOnly) {
  EXPECT_THAT(words("$FOO"), ElementsAre("$FOO"));
  EXPECT_THAT(words("\"$FOO-x\""), ElementsAre("a b-x"));
  EXPECT_THAT(words("\"${NONE-def}x${NONE}y\""), ElementsAre("defxy"));
  EXPECT_THAT(words("\"${EMPTY-def}\""), ElementsAre(""));
  EXPECT_THAT(words("\"${FOO[*]}\""), ElementsAre("a", "b"));
  EXPECT_THAT(words("\"$.LINE $.FILE ${.SECTION}\""), ElementsAre("7 f.cfg web"));
  EXPECT_THAT(words("\"fd@${FOO}\""), ElementsAre("fd@a b"));
}

TEST(HaproxyLexer, NamesThePlaceOfAnError) {
  EXPECT_EQ(lex("  node \"abc").error, "unmatched quote at position 8:\n  node \"abc\n       ^");
  EXPECT_EQ(lex("  node \\xzz").error,
            "truncated or invalid hexadecimal sequence at position 8:\n  node \\xzz\n       ^");
  EXPECT_EQ(lex("  node \"${FOO\"").error,
            "unmatched brace in environment variable name at position 10:\n  node \"${FOO\"\n         ^");
  EXPECT_EQ(lex(".warning \"$\"").error,
            "forbidden first char in environment variable name at position 12:\n  .warning \"$\"\n             ^");
}

TEST(HaproxyLexer, RefusesMoreThan64Words) {
  std::string line = "node";
  for (int i = 0; i < 63; ++i) line += " a";
  EXPECT_EQ(words(line).size(), 64u);
  EXPECT_EQ(lex(line + " b").error, "too many words, truncating after word 64, position 130: <a>.");
}

}  // namespace
}  // namespace holdfast::conf
