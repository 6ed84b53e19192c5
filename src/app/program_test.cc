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

TEST(Program, LinksAreTheOriginals) {
  const app::Run server = choose_program("holdfast", {"server"}).run;
  const app::Run sentinel = choose_program("holdfast", {"sentinel"}).run;
  ASSERT_NE(server, nullptr);
  ASSERT_NE(sentinel, nullptr);
  EXPECT_EQ(choose_program("/usr/bin/redis-server", {}).run, server);
  EXPECT_EQ(choose_program("valkey-server", {"up"}).run, server);
  EXPECT_THAT(choose_program("redis-server", {"up"}).arguments, ::testing::ElementsAre("up"));
  EXPECT_EQ(choose_program("redis-sentinel", {"/s.conf"}).run, sentinel);
  EXPECT_EQ(choose_program("./redis-sentinel-7", {}).run, sentinel);
  EXPECT_EQ(choose_program("redis-server", {"/s.conf", "--sentinel", "--pidfile", "/p"}).run, sentinel);
  EXPECT_EQ(choose_program("holdfast", {"server", "/s.conf", "--sentinel"}).run, sentinel);
  // A directory of that name in the path decides nothing.
  EXPECT_NE(choose_program("/opt/redis-server/holdfast", {"up"}).run, server);
}

TEST(Program, UnknownAndMissingProgramsSayHow) {
  EXPECT_THAT(choose_program("holdfast", {"serve"}).error, ::testing::HasSubstr("unknown program 'serve'"));
  EXPECT_THAT(choose_program("holdfast", {}).error, ::testing::HasSubstr("Usage: holdfast"));
  EXPECT_EQ(choose_program("holdfast", {"help"}).error, "");
}

}  // namespace
}  // namespace holdfast::app
