#include "sentinel/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::sentinel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> errors_of(const std::string& text) {
  std::vector<std::string> out;
  for (const conf::Diagnostic& error : check_config(conf::parse_redis_conf(text, "s.conf"))) {
    out.push_back(std::to_string(error.place.line) + ": " + error.message);
  }
  return out;
}

TEST(Config, TheArticlesFileIsRefusedWithHelp) {
  const std::string text =
      "port 26379\ndaemonize yes\npidfile \"/var/run/sentinel_26379.pid\"\nlogfile \"/var/log/sentinel_26379.log\"\n"
      "dir /var/lib/redis/sentinel_26379\nsentinel monitor master01 localhost 6379 1\n"
      "sentinel down-after-milliseconds master01 3000\nsentinel failover-timeout master01 6000\n"
      "sentinel parallel-syncs master01 6379 1\n";
  const auto errors = check_config(conf::parse_redis_conf(text, "s.conf"));
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0].message, "Can't resolve instance hostname.");
  EXPECT_EQ(errors[0].place.line, 6);
  EXPECT_THAT(errors[0].hint, HasSubstr("sentinel resolve-hostnames yes"));
  EXPECT_EQ(errors[1].message, "Unrecognized sentinel configuration statement.");
  EXPECT_EQ(errors[1].place.line, 9);
  EXPECT_THAT(errors[1].hint, HasSubstr("sentinel parallel-syncs master01 1"));
  EXPECT_TRUE(errors_of("sentinel resolve-hostnames yes\nsentinel monitor master01 localhost 6379 1\n"
                        "sentinel parallel-syncs master01 1\n")
                  .empty());
}

TEST(Config, EveryErrorInTheOriginalsWords) {
  EXPECT_THAT(errors_of("sentinel monitor m 1.2.3.4 1 0"), ElementsAre("1: Quorum must be 1 or greater."));
  EXPECT_THAT(errors_of("sentinel monitor m 1.2.3.4 70000 1"), ElementsAre("1: Invalid port number."));
  EXPECT_THAT(errors_of("sentinel monitor m 1.2.3.4 1 1\nsentinel monitor m 1.2.3.5 1 1"),
              ElementsAre("2: Duplicate master name."));
  EXPECT_THAT(errors_of("sentinel down-after-milliseconds x 1"), ElementsAre("1: No such master with specified name."));
  const std::string monitor = "sentinel monitor m 1.2.3.4 1 1\n";
  EXPECT_THAT(errors_of(monitor + "sentinel failover-timeout m 0"), ElementsAre("2: negative or zero time parameter."));
  EXPECT_THAT(errors_of(monitor + "sentinel known-replica m 1.2.3.5 2\nsentinel known-slave m 1.2.3.5 2"),
              ElementsAre("3: Duplicate hostname and port for replica."));
  EXPECT_THAT(errors_of(monitor + "sentinel known-sentinel m 1.2.3.5 2 a\nsentinel known-sentinel m 1.2.3.6 2 a"),
              ElementsAre("3: Duplicate runid for sentinel."));
  EXPECT_THAT(errors_of("sentinel myid abc"), ElementsAre("1: Malformed Sentinel id in myid option."));
  EXPECT_THAT(errors_of("sentinel resolve-hostnames maybe"),
              ElementsAre("1: Please specify yes or no for the resolve-hostnames option."));
  EXPECT_THAT(errors_of("sentinel nonsense 1"), ElementsAre("1: Unrecognized sentinel configuration statement."));
  EXPECT_THAT(errors_of("frobnicate yes"), ElementsAre("1: Bad directive or wrong number of arguments"));
  EXPECT_THAT(errors_of("port 1 2"), ElementsAre("1: wrong number of arguments"));
  EXPECT_THAT(errors_of("port 65536"), ElementsAre("1: argument must be between 0 and 65535 inclusive"));
  EXPECT_THAT(errors_of("port x\nlogfile \"abc"), ElementsAre("2: Unbalanced quotes in configuration line",
                                                              "1: argument couldn't be parsed into an integer"));
}

TEST(Config, LinesAboutABrokenPrimaryAreNotReportedAgain) {
  EXPECT_THAT(errors_of("sentinel monitor m 1.2.3.4 1 0\nsentinel down-after-milliseconds m 5\n"),
              ElementsAre("1: Quorum must be 1 or greater."));
}

TEST(Config, OrderOfLinesDoesNotMatterAndServerDirectivesParse) {
  EXPECT_TRUE(errors_of("sentinel known-replica m 1.2.3.5 2\nsentinel down-after-milliseconds m 5\n"
                        "sentinel monitor m 1.2.3.4 1 1\nbind 127.0.0.1 -::1\nmaxclients 10\nuser default on nopass "
                        "sanitize-payload ~* &* +@all\n"
                        "protected-mode no\nsave 900 1\nlatency-tracking-info-percentiles 50 99\nhz 10\n"
                        "enable-debug-command yes\nclient-output-buffer-limit normal 0 0 0\nloglevel debug\n")
                  .empty());
}

TEST(Config, UsersAreReadFromTheirLines) {
  for (const char* line :
       {"user default off", "user default on nopass ~*", "user a on >p ~* &* +@all -ping", "aclfile /a"}) {
    EXPECT_TRUE(errors_of(std::string(line) + "\n").empty()) << line;
  }
  EXPECT_EQ(errors_of("user a on >p (+ping\n").size(), 1u);
  EXPECT_EQ(errors_of("user a on\nuser a off\n").size(), 1u);
}

TEST(Config, RewritingKeepsCommentsAndReadsBack) {
  const std::string text =
      "# my sentinel\nport 26379\n\nsentinel monitor m 10.0.0.1 6379 2\n# timing\n"
      "sentinel down-after-milliseconds m 3000\nsentinel auth-pass m secret\nsentinel known-slave m 10.0.0.2 6379\n";
  Core core{Options{}};
  ASSERT_TRUE(apply_config(core, conf::parse_redis_conf(text, "s.conf")).empty());
  core.settings.myid = std::string(40, 'a');
  core.settings.current_epoch = 7;
  Primary& primary = *core.topology.find("m");
  primary.config_epoch = 6;
  primary.leader_epoch = 7;
  core.topology.add_sentinel(primary, std::string(40, 'b'), core.address_of("10.0.0.9", 26379), core.now.mono);
  conf::Document document(text);
  render_config(core, document);
  const std::string printed = document.print();
  EXPECT_THAT(printed, testing::StartsWith("# my sentinel\nport 26379\n\nsentinel monitor m 10.0.0.1 6379 2\n# timing\n"
                                           "sentinel down-after-milliseconds m 3000\nsentinel auth-pass m secret\n"));
  EXPECT_THAT(printed, HasSubstr("sentinel known-replica m 10.0.0.2 6379\n"));
  EXPECT_THAT(printed, testing::Not(HasSubstr("known-slave")));
  EXPECT_THAT(printed, HasSubstr("sentinel known-sentinel m 10.0.0.9 26379 " + std::string(40, 'b')));
  EXPECT_THAT(printed, HasSubstr("sentinel current-epoch 7\n"));

  Core again{Options{}};
  ASSERT_TRUE(apply_config(again, conf::parse_redis_conf(printed, "s.conf")).empty());
  EXPECT_EQ(again.settings.current_epoch, 7u);
  EXPECT_EQ(again.topology.find("m")->leader_epoch, 7u);
  EXPECT_EQ(again.topology.find("m")->sentinels.size(), 1u);
  conf::Document second(printed);
  render_config(again, second);
  EXPECT_EQ(second.print(), printed);
}

}  // namespace
}  // namespace holdfast::sentinel
