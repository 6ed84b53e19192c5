// Log lines as text: how Redis' and HAProxy's lines look, as pure functions. Writing them is redis_log / proxy_log.
//
// Sources: lines of redis-server 7.2 and redis-sentinel; datagrams of haproxy 2.6 in each of its formats; RFC 3164,
// RFC 5424. Times are shown on the wall scale shifted by `utc_offset` (local time).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/time.h"
#include "proxy/log_target.h"

namespace holdfast::app {

/// A broken-down local time. No locale, no system call.
struct CivilTime {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0, microsecond = 0;
};
CivilTime civil_time(Wall wall, Duration utc_offset);

/// `<pid>:<role> DD Mon YYYY HH:MM:SS.mmm <mark> text\n`; kRaw is the text alone.
std::string redis_line(LogLevel level, std::string_view text, int64_t pid, char role, Wall wall, Duration utc_offset);

/// RFC 5424 severity (0-7) of a proxy level; Redis' levels map as Redis maps them to syslog.
uint8_t syslog_severity(LogLevel level);

struct SyslogSource {
  std::string_view tag;
  std::string_view hostname;
  int64_t pid = 0;
  Wall wall{};
  Duration utc_offset{};
};
/// One datagram of a `log` target, cut to its length, with its final newline. Empty when the target's level bounds
/// refuse the line.
std::string syslog_frame(const proxy::LogTarget& target, LogLevel level, std::string_view text,
                         const SyslogSource& source);

/// `[NOTICE]   (pid) : text\n`, as HAProxy writes on standard error.
std::string haproxy_line(LogLevel level, std::string_view text, int64_t pid);

}  // namespace holdfast::app
