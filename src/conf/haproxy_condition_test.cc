#include "conf/haproxy_condition.h"

#include <gtest/gtest.h>

namespace holdfast::conf {
namespace {

constexpr std::string_view kFeatures[] = {"+THREAD", "-LUA"};
const std::map<std::string, std::string> kVariables = {{"HOME", "/root"}};

ConditionResult evaluate(std::string_view text) {
  return evaluate_condition(text, ConditionFacts{"3.4.0-x", kFeatures, &kVariables});
}
bool value(std::string_view text) {
  const ConditionResult result = evaluate(text);
  EXPECT_EQ(result.error, "") << text;
  return result.value;
}

TEST(HaproxyCondition, Values) {
  for (std::string_view yes : {"1",
                               "-1",
                               "+3",
                               "!!1",
                               "! 0",
                               "0||1",
                               "0 || (1 && 1)",
                               "1 && !0",
                               "feature(THREAD)",
                               "defined(HOME)",
                               "streq(\"a b\",a\\ b)",
                               "strneq(a,b)",
                               "strstr(abc,b)",
                               "version_atleast(2.4-dev19)",
                               "version_atleast(3.4)",
                               "version_before(3.5)",
                               "1 || 0 && 0",
                               "streq(\"$HOME\",/root)",
                               "streq(\"${HOME}x\",/rootx)",
                               "streq(\"${NO-a}b\",ab)",
                               "streq(\"$NO\",'')",
                               "streq('$HOME',\\$HOME)",
                               "version_atleast(3.4.0)"}) {
    EXPECT_TRUE(value(yes)) << yes;
  }
  for (std::string_view no : {"", "0", "!1", "1&&0", "feature(LUA)", "feature(REDIS_AWARE)", "defined(NO)",
                              "strneq(a,a)", "version_before(3.4)", "version_atleast(3.4.1)", "(0 || 0) && 1"}) {
    EXPECT_FALSE(value(no)) << no;
  }
}

TEST(HaproxyCondition, ErrorsInTheOriginalsWords) {
  EXPECT_EQ(evaluate("200rrr").error, "unexpected character 'r' at the end of conditional expression '200rrr'");
  EXPECT_EQ(evaluate("1 &&").error, "unparsable conditional expression '&&'");
  EXPECT_EQ(evaluate("1 ||").error, "unparsable conditional expression '1 ||'");
  EXPECT_EQ(evaluate("(1").error, "expected ')' after conditional expression '(1'");
  EXPECT_EQ(evaluate("foo").error, "unparsable conditional expression 'foo'");
  EXPECT_EQ(evaluate("0 && foo").error, "unparsable conditional expression 'foo'");
  EXPECT_EQ(evaluate(" ").error, "unparsable conditional sub-expression ' '");
  EXPECT_EQ(evaluate("feature(THREAD").error,
            "expected ')' in argument 1 of predicate 'feature' used in conditional expression");
  EXPECT_EQ(evaluate("streq(a,b,c)").error,
            "expected ')' before ',c)' in argument 1 of predicate 'streq' used in conditional expression");
  EXPECT_EQ(
      evaluate("streq(a)").error,
      "missing arguments (got 1/2), type 'string' expected in argument 1 of predicate 'streq' used in conditional "
      "expression");
}

TEST(HaproxyCondition, DeepNestingIsRefusedNotFatal) {
  EXPECT_NE(evaluate(std::string(100000, '(') + "1").error, "");
  EXPECT_TRUE(value(std::string(20, '(') + "1" + std::string(20, ')')));
}

TEST(HaproxyCondition, VersionOrder) {
  EXPECT_LT(compare_versions("2.4-dev19", "2.4"), 0);
  EXPECT_LT(compare_versions("2.4-dev2", "2.4-dev19"), 0);
  EXPECT_LT(compare_versions("2.4-dev19", "2.4-rc1"), 0);
  EXPECT_EQ(compare_versions("3.4", "3.4.0-anything"), 0);
  EXPECT_GT(compare_versions("3.10", "3.9"), 0);
}

}  // namespace
}  // namespace holdfast::conf
