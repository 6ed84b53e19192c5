// RedisLog: the server's and the Sentinel's log, written as redis-server writes it.
//
// A line goes to the file (or standard output when there is none) and, if asked, to syslog. The file may be moved or
// removed at any time (log rotation): each line checks that the open file is still the one the path names.
#pragma once

#include <cstdint>
#include <string>

#include "app/machine_host.h"

namespace holdfast::app {

class RedisLog final : public LogSink {
 public:
  struct Options {
    std::string path;  // absolute, empty = standard output
    LogLevel lowest = LogLevel::kDebug;
    char role = 'M';  // M primary, S replica, X Sentinel, C before start
    bool syslog = false;
    std::string syslog_ident = "redis";
    std::string syslog_facility = "local0";
  };
  explicit RedisLog(Options options);
  ~RedisLog() override;
  RedisLog(const RedisLog&) = delete;
  RedisLog& operator=(const RedisLog&) = delete;

  void log(LogLevel level, std::string_view text, Now now) override;
  /// The same with the clock of the moment; for lines outside of a machine.
  void say(LogLevel level, std::string_view text);
  void set_role(char role) { options_.role = role; }
  /// After a fork the pid of the lines is another one.
  void refresh_pid();
  /// An error opening the file, 0 if it can be written.
  int check_writable();

 private:
  void write(std::string_view line);
  bool open_current();

  Options options_;
  int64_t pid_;
  int fd_ = -1;
  uint64_t device_ = 0, inode_ = 0;
  int64_t offset_until_ = 0;  // Unix seconds up to which utc_offset_ holds
  Duration utc_offset_{};
};

/// `debug`, `verbose`, `notice`, `warning`, `nothing`; anything else is notice.
LogLevel redis_level(std::string_view name);
/// Of local time at `unix_seconds`.
Duration utc_offset_at(int64_t unix_seconds);

}  // namespace holdfast::app
