#include "app/log_format.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "app/redis_log.h"
#include "net/file.h"

namespace holdfast::app {
namespace {

constexpr Wall kWhen = Wall(Duration(1795348329855150));  // 2026-11-22 11:52:09.855150 UTC

TEST(LogFormat, RedisLines) {
  EXPECT_EQ(redis_line(LogLevel::kNotice, "Ready", 42, 'M', kWhen, 0us), "42:M 22 Nov 2026 11:52:09.855 * Ready\n");
  EXPECT_EQ(redis_line(LogLevel::kWarning, "x", 1, 'X', kWhen, std::chrono::hours(-12)),
            "1:X 21 Nov 2026 23:52:09.855 # x\n");
  EXPECT_EQ(redis_line(LogLevel::kDebug, "d", 1, 'S', Wall(0us), 0us), "1:S 01 Jan 1970 00:00:00.000 . d\n");
  EXPECT_EQ(redis_line(LogLevel::kVerbose, "v", 1, 'C', Wall(-1us), 0us), "1:C 31 Dec 1969 23:59:59.999 - v\n");
  EXPECT_EQ(redis_line(LogLevel::kRaw, "raw\n", 1, 'M', kWhen, 0us), "raw\n");
}

// The expected lines are what haproxy 2.6.12 sent in each format.
TEST(LogFormat, SyslogFrames) {
  using Format = proxy::LogTarget::Format;
  proxy::LogTarget target;
  target.facility = 19;
  const SyslogSource source{"haproxy", "", 21689, kWhen, 0us};
  const auto frame = [&](Format format) {
    target.format = format;
    return syslog_frame(target, LogLevel::kProxyInfo, "Connect", source);
  };
  EXPECT_EQ(frame(Format::kRfc3164), "<158>Nov 22 11:52:09 localhost haproxy[21689]: Connect\n");
  EXPECT_EQ(frame(Format::kRfc5424), "<158>1 2026-11-22T11:52:09.855150+00:00 - haproxy 21689 - - Connect\n");
  EXPECT_EQ(frame(Format::kShort), "<6>Connect\n");
  EXPECT_EQ(frame(Format::kRaw), "Connect\n");
  EXPECT_EQ(frame(Format::kTimed), "<6>2026-11-22T11:52:09.855150+00:00 Connect\n");
  EXPECT_EQ(frame(Format::kIso), "2026-11-22T11:52:09.855150+00:00 Connect\n");
  EXPECT_EQ(frame(Format::kLocal), "<158>Nov 22 11:52:09 haproxy[21689]: Connect\n");
  EXPECT_EQ(frame(Format::kPriority), "<158>Connect\n");
  EXPECT_EQ(frame(Format::kDefault), frame(Format::kLocal));
  EXPECT_EQ(syslog_frame(proxy::LogTarget{}, LogLevel::kProxyInfo, "Connect", {"haproxy", "node", 21689, kWhen, 0us}),
            "<6>Nov 22 11:52:09 node haproxy[21689]: Connect\n");
}

TEST(LogFormat, SyslogLevelsAndLength) {
  proxy::LogTarget target;
  target.format = proxy::LogTarget::Format::kShort;
  const SyslogSource source{"haproxy", "h", 1, kWhen, 0us};
  target.level_max = 5;
  EXPECT_EQ(syslog_frame(target, LogLevel::kProxyInfo, "x", source), "");
  EXPECT_EQ(syslog_frame(target, LogLevel::kProxyNotice, "x", source), "<5>x\n");
  target.level_min = 4;
  EXPECT_EQ(syslog_frame(target, LogLevel::kProxyEmergency, "x", source), "<4>x\n");
  target.length_max = 80;
  EXPECT_EQ(syslog_frame(target, LogLevel::kProxyNotice, std::string(500, 'x'), source).size(), 80u);
}

TEST(LogFormat, HaproxyStandardErrorLines) {
  EXPECT_EQ(haproxy_line(LogLevel::kProxyNotice, "t", 7), "[NOTICE]   (7) : t\n");
  EXPECT_EQ(haproxy_line(LogLevel::kProxyWarning, "t", 7), "[WARNING]  (7) : t\n");
  EXPECT_EQ(haproxy_line(LogLevel::kProxyEmergency, "t", 7), "[ALERT]    (7) : t\n");
}

TEST(RedisLog, FollowsRotationAndFiltersByLevel) {
  const std::string directory = ::testing::TempDir() + "holdfast_log_" + std::to_string(getpid());
  std::filesystem::create_directories(directory);
  RedisLog::Options options;
  options.path = directory + "/r.log";
  options.lowest = LogLevel::kNotice;
  RedisLog log(options);
  log.say(LogLevel::kNotice, "one");
  log.say(LogLevel::kVerbose, "hidden");
  std::filesystem::rename(options.path, directory + "/r.log.1");
  log.say(LogLevel::kWarning, "two");
  log.say(LogLevel::kRaw, "raw");
  const std::string before = net::read_whole_file(directory + "/r.log.1").value();
  const std::string after = net::read_whole_file(options.path).value();
  EXPECT_TRUE(before.ends_with(" * one\n")) << before;
  EXPECT_EQ(before.find("hidden"), std::string::npos);
  EXPECT_TRUE(after.ends_with(" # two\nraw")) << after;
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace holdfast::app
