// Every command is documented, and every notation of arguments can be read.
#include "command/docs.h"

#include <gtest/gtest.h>

namespace holdfast::command {
namespace {

TEST(Docs, EveryCommandHasASummaryAndArgumentsThatCanBeRead) {
  const auto specs = all_specs();
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i]->is(kOnlySentinel) || specs[i]->group == Group::kSentinel) continue;
    const Docs* docs = docs_of(static_cast<SpecIndex>(i));
    ASSERT_NE(docs, nullptr) << full_name(*specs[i]);
    EXPECT_FALSE(docs->summary.empty());
    std::vector<DocsArgument> arguments;
    EXPECT_TRUE(read_arguments(docs->arguments, arguments)) << full_name(*specs[i]) << ": " << docs->arguments;
  }
}

TEST(Docs, ArgumentsOfSet) {
  std::vector<DocsArgument> arguments;
  ASSERT_TRUE(read_arguments(docs_of(find_command("set"))->arguments, arguments));
  ASSERT_EQ(arguments.size(), 5u);
  EXPECT_EQ(arguments[0].name, "key");
  EXPECT_EQ(arguments[0].type, "key");
  EXPECT_EQ(arguments[0].key_spec, "0");
  EXPECT_EQ(arguments[2].type, "oneof");
  EXPECT_TRUE(arguments[2].optional);
  EXPECT_EQ(arguments[2].since, "2.6.12");
  ASSERT_EQ(arguments[2].arguments.size(), 2u);
  EXPECT_EQ(arguments[2].arguments[0].token, "NX");
  EXPECT_EQ(arguments[4].arguments.back().name, "keepttl");
}

TEST(Docs, TokensAndAliases) {
  std::vector<DocsArgument> arguments;
  ASSERT_TRUE(read_arguments(docs_of(find_command("migrate"))->arguments, arguments));
  EXPECT_EQ(arguments[2].arguments[1].token, "\"\"");
  EXPECT_EQ(arguments.back().name, "keys");
  EXPECT_EQ(arguments.back().shown, "key");
  EXPECT_EQ(arguments.back().token, "KEYS");
  EXPECT_TRUE(arguments.back().optional && arguments.back().multiple && !arguments.back().multiple_token);
}

TEST(Docs, RefusesBrokenNotations) {
  std::vector<DocsArgument> arguments;
  for (const std::string_view text :
       {"key", "a:oneof", "a:oneof{b:string", "a:string}", "a:string{b:key}", ":key", "a:"}) {
    EXPECT_FALSE(read_arguments(text, arguments)) << text;
  }
}

}  // namespace
}  // namespace holdfast::command
