#include "app/redis_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "app/log_format.h"
#include "base/text.h"
#include "net/clock.h"

namespace holdfast::app {
namespace {

constexpr int64_t kOffsetHolds = 60;  // seconds; daylight saving shows up within that time

int facility_number(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, int>, 9> kNames = {{{"user", LOG_USER},
                                                                       {"local0", LOG_LOCAL0},
                                                                       {"local1", LOG_LOCAL1},
                                                                       {"local2", LOG_LOCAL2},
                                                                       {"local3", LOG_LOCAL3},
                                                                       {"local4", LOG_LOCAL4},
                                                                       {"local5", LOG_LOCAL5},
                                                                       {"local6", LOG_LOCAL6},
                                                                       {"local7", LOG_LOCAL7}}};
  for (const auto& [known, number] : kNames) {
    if (equal_ignoring_case(known, name)) return number;
  }
  return LOG_LOCAL0;
}

/// How important a line is among Redis' levels; the raw lines of a crash report are warnings.
int weight(LogLevel level) { return level == LogLevel::kRaw ? 3 : static_cast<int>(level); }

}  // namespace

LogLevel redis_level(std::string_view name) {
  if (equal_ignoring_case(name, "debug")) return LogLevel::kDebug;
  if (equal_ignoring_case(name, "verbose")) return LogLevel::kVerbose;
  if (equal_ignoring_case(name, "warning") || equal_ignoring_case(name, "nothing")) return LogLevel::kWarning;
  return LogLevel::kNotice;
}

Duration utc_offset_at(int64_t unix_seconds) {
  const time_t t = unix_seconds;
  tm local{};
  localtime_r(&t, &local);
  return std::chrono::seconds(local.tm_gmtoff);
}

RedisLog::RedisLog(Options options) : options_(std::move(options)), pid_(getpid()) {
  if (options_.syslog) {
    openlog(options_.syslog_ident.c_str(), LOG_PID | LOG_NDELAY | LOG_NOWAIT,
            facility_number(options_.syslog_facility));
  }
}

RedisLog::~RedisLog() {
  if (fd_ >= 0) ::close(fd_);
  if (options_.syslog) closelog();
}

void RedisLog::refresh_pid() { pid_ = getpid(); }

bool RedisLog::open_current() {
  struct stat named{};
  if (fd_ >= 0 && stat(options_.path.c_str(), &named) == 0 && named.st_dev == device_ && named.st_ino == inode_) {
    return true;
  }
  if (fd_ >= 0) ::close(fd_);
  fd_ = ::open(options_.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0 || fstat(fd_, &named) != 0) return false;
  device_ = named.st_dev;
  inode_ = named.st_ino;
  return true;
}

int RedisLog::check_writable() { return options_.path.empty() || open_current() ? 0 : errno; }

void RedisLog::write(std::string_view line) {
  int fd = STDOUT_FILENO;
  if (!options_.path.empty()) {
    if (!open_current()) return;
    fd = fd_;
  }
  while (!line.empty()) {
    const ssize_t n = ::write(fd, line.data(), line.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    line.remove_prefix(static_cast<size_t>(n));
  }
}

void RedisLog::log(LogLevel level, std::string_view text, Now now) {
  if (weight(level) < weight(options_.lowest)) return;
  const int64_t seconds = unix_seconds(now.wall);
  if (seconds >= offset_until_ || seconds < offset_until_ - kOffsetHolds) {
    utc_offset_ = utc_offset_at(seconds);
    offset_until_ = seconds + kOffsetHolds;
  }
  if (text.starts_with("Received SIG") && text.ends_with("scheduling shutdown...")) {
    // COMPAT: Redis writes this line inside its signal handler, where it cannot format a date.
    write(fmt::format("{}:signal-handler ({}) {}\n", pid_, seconds, text));
    return;
  }
  write(redis_line(level, text, pid_, options_.role, now.wall, utc_offset_));
  if (options_.syslog) ::syslog(syslog_severity(level), "%.*s", static_cast<int>(text.size()), text.data());
}

void RedisLog::say(LogLevel level, std::string_view text) { log(level, text, net::read_clock()); }

}  // namespace holdfast::app
