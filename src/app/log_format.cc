#include "app/log_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace holdfast::app {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::string_view month_name(const CivilTime& t) { return kMonths[static_cast<size_t>(t.month - 1)]; }

char redis_mark(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
    case LogLevel::kProxyDebug:
      return '.';
    case LogLevel::kVerbose:
    case LogLevel::kProxyInfo:
      return '-';
    case LogLevel::kNotice:
    case LogLevel::kProxyNotice:
      return '*';
    case LogLevel::kWarning:
    case LogLevel::kRaw:
    case LogLevel::kProxyEmergency:
    case LogLevel::kProxyAlert:
    case LogLevel::kProxyCritical:
    case LogLevel::kProxyError:
    case LogLevel::kProxyWarning:
      return '#';
  }
  return '#';
}

std::string offset_text(Duration offset) {
  const int64_t minutes = std::chrono::duration_cast<std::chrono::minutes>(offset).count();
  const int64_t size = minutes < 0 ? -minutes : minutes;
  return fmt::format("{}{:02}:{:02}", minutes < 0 ? '-' : '+', size / 60, size % 60);
}

/// `2026-11-22T08:00:53.783000+00:00`
std::string iso_time(const SyslogSource& source) {
  const CivilTime t = civil_time(source.wall, source.utc_offset);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}{}", t.year, t.month, t.day, t.hour, t.minute, t.second,
                     t.microsecond, offset_text(source.utc_offset));
}

/// `Nov  2 08:00:53`
std::string bsd_time(const SyslogSource& source) {
  const CivilTime t = civil_time(source.wall, source.utc_offset);
  return fmt::format("{} {:2} {:02}:{:02}:{:02}", month_name(t), t.day, t.hour, t.minute, t.second);
}

}  // namespace

CivilTime civil_time(Wall wall, Duration utc_offset) {
  const auto days = std::chrono::floor<std::chrono::days>((wall + utc_offset).time_since_epoch());
  const Duration rest = (wall + utc_offset).time_since_epoch() - days;
  const std::chrono::year_month_day date{std::chrono::sys_days{days}};
  const std::chrono::hh_mm_ss<Duration> clock{rest};
  CivilTime out;
  out.year = static_cast<int>(date.year());
  out.month = static_cast<int>(static_cast<unsigned>(date.month()));
  out.day = static_cast<int>(static_cast<unsigned>(date.day()));
  out.hour = static_cast<int>(clock.hours().count());
  out.minute = static_cast<int>(clock.minutes().count());
  out.second = static_cast<int>(clock.seconds().count());
  out.microsecond = static_cast<int>(clock.subseconds().count());
  return out;
}

std::string redis_line(LogLevel level, std::string_view text, int64_t pid, char role, Wall wall, Duration utc_offset) {
  if (level == LogLevel::kRaw) return std::string(text);
  const CivilTime t = civil_time(wall, utc_offset);
  return fmt::format("{}:{} {:02} {} {:04} {:02}:{:02}:{:02}.{:03} {} {}\n", pid, role, t.day, month_name(t), t.year,
                     t.hour, t.minute, t.second, t.microsecond / 1000, redis_mark(level), text);
}

uint8_t syslog_severity(LogLevel level) {
  switch (level) {
    case LogLevel::kProxyEmergency:
      return 0;
    case LogLevel::kProxyAlert:
      return 1;
    case LogLevel::kProxyCritical:
      return 2;
    case LogLevel::kProxyError:
      return 3;
    case LogLevel::kProxyWarning:
    case LogLevel::kRaw:
    case LogLevel::kWarning:
      return 4;
    case LogLevel::kProxyNotice:
    case LogLevel::kNotice:
      return 5;
    case LogLevel::kProxyInfo:
    case LogLevel::kVerbose:
      return 6;
    case LogLevel::kProxyDebug:
    case LogLevel::kDebug:
      return 7;
  }
  return 5;
}

std::string syslog_frame(const proxy::LogTarget& target, LogLevel level, std::string_view text,
                         const SyslogSource& source) {
  using Format = proxy::LogTarget::Format;
  const uint8_t severity = syslog_severity(level);
  if (severity > target.level_max) return {};
  const int shown = std::max(severity, target.level_min);
  const int priority = target.facility * 8 + shown;
  std::string line;
  Format format = target.format;
  if (format == Format::kDefault) format = source.hostname.empty() ? Format::kLocal : Format::kRfc3164;
  switch (format) {
    case Format::kDefault:
      break;
    case Format::kRfc3164:
      // COMPAT: asked for by name but without log-send-hostname, HAProxy names the host `localhost` here and `-` in RFC
      // 5424.
      line = fmt::format("<{}>{} {} {}[{}]: ", priority, bsd_time(source),
                         source.hostname.empty() ? "localhost" : source.hostname, source.tag, source.pid);
      break;
    case Format::kLocal:
      line = fmt::format("<{}>{} {}[{}]: ", priority, bsd_time(source), source.tag, source.pid);
      break;
    case Format::kRfc5424:
      line = fmt::format("<{}>1 {} {} {} {} - - ", priority, iso_time(source),
                         source.hostname.empty() ? "-" : source.hostname, source.tag, source.pid);
      break;
    case Format::kShort:
      line = fmt::format("<{}>", shown);
      break;
    case Format::kPriority:
      line = fmt::format("<{}>", priority);
      break;
    case Format::kTimed:
      line = fmt::format("<{}>{} ", shown, iso_time(source));
      break;
    case Format::kIso:
      line = fmt::format("{} ", iso_time(source));
      break;
    case Format::kRaw:
      break;
  }
  line += text;
  if (target.length_max > 0 && line.size() >= target.length_max) line.resize(target.length_max - 1);
  line += '\n';
  return line;
}

std::string haproxy_line(LogLevel level, std::string_view text, int64_t pid) {
  const uint8_t severity = syslog_severity(level);
  const std::string_view name = severity <= 1 ? "ALERT" : severity <= 4 ? "WARNING" : "NOTICE";
  return fmt::format("{:<10} ({}) : {}\n", fmt::format("[{}]", name), pid, text);
}

}  // namespace holdfast::app
