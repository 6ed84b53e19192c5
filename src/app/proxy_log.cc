#include "app/proxy_log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/log_format.h"
#include "app/proxy_worker.h"
#include "app/redis_log.h"
#include "net/socket.h"
#include "proxy/proxy.h"

namespace holdfast::app {
namespace {

void write_line(int fd, std::string_view line) {
  [[maybe_unused]] const ssize_t n = ::write(fd, line.data(), line.size());
}

}  // namespace

std::optional<LogLevel> shown_level(const proxy::LogChannel* channel, LogLevel level) {
  if (channel != nullptr && channel->standard_error) {
    return syslog_severity(level) == 0 ? LogLevel::kProxyAlert : LogLevel::kProxyWarning;
  }
  if (syslog_severity(level) <= 1) return level;
  return std::nullopt;
}

ProxyLog::~ProxyLog() {
  for (const auto& [family, fd] : sockets_) ::close(fd);
}

void ProxyLog::log(LogLevel level, std::string_view text, Now now) {
  const proxy::LogChannel* channel = proxy_ == nullptr ? nullptr : &proxy_->next_log_channel();
  if (channel != nullptr) send(*channel, level, text, now);
  if (!foreground_) return;
  const auto shown = shown_level(channel, level);
  if (!shown) return;
  const std::string line = haproxy_line(*shown, text, pid_);
  write_line(STDERR_FILENO, line);
  copy_to_master(line);
}

bool ProxyLog::sampled_out(const proxy::LogTarget& target) {
  if (target.sample_of == 0) return false;
  const std::string key = to_string(target.address) + '/' + std::to_string(target.sample_of);
  uint32_t& next = sample_at_[key];
  const uint32_t number = next % target.sample_of + 1;
  next = number % target.sample_of;
  return number < target.sample_low || number > target.sample_high;
}

void ProxyLog::send(const proxy::LogChannel& channel, LogLevel level, std::string_view text, Now now) {
  using Sink = proxy::LogTarget::Sink;
  SyslogSource source;
  source.tag = channel.tag;
  source.hostname = channel.hostname;
  source.pid = pid_;
  source.wall = now.wall;
  source.utc_offset = utc_offset_at(unix_seconds(now.wall));
  for (const proxy::LogTarget& target : channel.targets) {
    const std::string line = syslog_frame(target, level, text, source);
    if (line.empty() || sampled_out(target)) continue;
    switch (target.sink) {
      case Sink::kUdp:
      case Sink::kUnixDatagram:
        send_datagram(target.address, line);
        break;
      case Sink::kStdout:
        write_line(STDOUT_FILENO, line);
        break;
      case Sink::kStderr:
        write_line(STDERR_FILENO, line);
        break;
      case Sink::kFd:
        write_line(target.fd, line);
        break;
      case Sink::kRing:
        break;  // rings live in the machine
    }
  }
}

void ProxyLog::send_datagram(const Address& to, std::string_view line) {
  const auto where = net::to_sockaddr(to);
  if (!where) return;
  auto [at, fresh] = sockets_.try_emplace(where->family(), -1);
  if (fresh || at->second < 0) at->second = socket(where->family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (at->second < 0) return;
  sendto(at->second, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL, &where->base, where->length);
}

}  // namespace holdfast::app
