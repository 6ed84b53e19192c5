#include "app/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::app {
namespace {

TEST(Program, OwnSubcommands) {
  const Choice choice = choose_program("/usr/bin/holdfast", {"up", "--replicas", "2"});
  ASSERT_NE(choice.run, nullptr);
  EXPECT_THAT(choice.arguments, ::testing::ElementsAre("--replicas", "2"));
  EXPECT_NE(choose_program("holdfast", {"down"}).run, choice.run);
}

TEST(Program, UnknownAndMissingProgramsSayHow) {
  EXPECT_THAT(choose_program("holdfast", {"serve"}).error, ::testing::HasSubstr("unknown program 'serve'"));
  EXPECT_THAT(choose_program("holdfast", {}).error, ::testing::HasSubstr("Usage: holdfast"));
  EXPECT_EQ(choose_program("holdfast", {"help"}).error, "");
}

}  // namespace
}  // namespace holdfast::app
