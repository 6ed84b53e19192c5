#include "app/redis_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace holdfast::app {
namespace {

using ::testing::ElementsAre;

TEST(RedisCommandLine, FirstWordIsTheFile) {
  const auto line = parse_redis_command_line("redis-server", {"/etc/r.conf", "--port", "7000", "--loglevel", "debug"});
  EXPECT_EQ(line.config_path, "/etc/r.conf");
  EXPECT_THAT(line.options, ElementsAre("--port", "7000", "--loglevel", "debug"));
  EXPECT_FALSE(line.answer);
}

TEST(RedisCommandLine, RelativeFilesBecomeAbsolute) {
  const auto line = parse_redis_command_line("redis-server", {"./r.conf"});
  EXPECT_TRUE(line.config_path.starts_with('/'));
  EXPECT_TRUE(line.config_path.ends_with("/r.conf"));
}

// The article's init script starts the Sentinel this way.
TEST(RedisCommandLine, SentinelIsAModeNotADirective) {
  const std::vector<std::string> words = {"/etc/s.conf", "--sentinel", "--pidfile", "/run/s.pid"};
  EXPECT_TRUE(asks_for_sentinel(words));
  EXPECT_THAT(parse_redis_command_line("redis-server", words).options, ElementsAre("--pidfile", "/run/s.pid"));
  EXPECT_TRUE(parse_redis_command_line("redis-server", {"/etc/s.conf", "--sentinel"}).options.empty());
}

TEST(RedisCommandLine, StandardInputAndEmptySave) {
  EXPECT_TRUE(parse_redis_command_line("redis-server", {"-"}).from_stdin);
  const auto line = parse_redis_command_line("redis-server", {"--save", "--port", "1", "-"});
  EXPECT_TRUE(line.from_stdin);
  EXPECT_THAT(line.options, ElementsAre("--save", "", "--port", "1"));
}

TEST(RedisCommandLine, Answers) {
  EXPECT_EQ(parse_redis_command_line("redis-server", {"--version"}).answer->code, 0);
  EXPECT_TRUE(parse_redis_command_line("redis-server", {"-v"}).answer->output.starts_with("Redis server v=7.2."));
  EXPECT_EQ(parse_redis_command_line("redis-server", {"-h"}).answer->code, 1);
  EXPECT_EQ(parse_redis_command_line("redis-server", {"--test-memory"}).answer->code, 1);
  EXPECT_EQ(parse_redis_command_line("redis-server", {"--test-memory", "1"}).answer->code, 0);
}

TEST(RedisConf, FileIncludesAndOptionsInOrder) {
  const std::string directory = ::testing::TempDir() + "holdfast_conf_" + std::to_string(getpid());
  std::filesystem::create_directories(directory);
  std::ofstream(directory + "/a.conf") << "port 1\ninclude " << directory << "/i-*.conf\nport 2\n";
  std::ofstream(directory + "/i-2.conf") << "databases 2\n";
  std::ofstream(directory + "/i-1.conf") << "databases 1\n";
  const auto loaded = load_redis_conf(parse_redis_command_line("x", {directory + "/a.conf", "--port", "3"}));
  ASSERT_TRUE(loaded.has_value()) << loaded.error();
  std::vector<std::string> seen;
  for (const auto& directive : loaded->conf.directives) seen.push_back(directive.words[0] + directive.words[1]);
  EXPECT_THAT(seen, ElementsAre("port1", "databases1", "databases2", "port2", "port3"));
  std::ofstream(directory + "/loop.conf") << "include " << directory << "/loop.conf\n";
  EXPECT_FALSE(load_redis_conf(parse_redis_command_line("x", {directory + "/loop.conf"})).has_value());
  const auto missing = load_redis_conf(parse_redis_command_line("x", {"/no/such.conf"}));
  EXPECT_EQ(missing.error(), "Fatal error, can't open config file '/no/such.conf': No such file or directory");
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace holdfast::app
