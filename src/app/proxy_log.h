// ProxyLog: carries the proxy's log lines to their `log` targets: syslog datagrams, standard output, descriptors.
//
// Nothing here waits: a datagram the system does not take at once is lost, as it is with HAProxy.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "app/machine_host.h"
#include "proxy/log_target.h"

namespace holdfast::proxy {
class Proxy;
}

namespace holdfast::app {

/// As what a line of `channel` appears on standard error, if it does. COMPAT: a server's events do whatever their
/// syslog severity, all as warnings but for the loss of the last server; lines about sessions never do.
std::optional<LogLevel> shown_level(const proxy::LogChannel* channel, LogLevel level);

class ProxyLog final : public LogSink {
 public:
  /// `pid` as shown in lines.
  explicit ProxyLog(int64_t pid) : pid_(pid) {}
  ~ProxyLog() override;
  ProxyLog(const ProxyLog&) = delete;
  ProxyLog& operator=(const ProxyLog&) = delete;

  /// The machine that knows where each line goes; set before it acts.
  void set_source(proxy::Proxy* proxy) { proxy_ = proxy; }
  /// Standard error lines of server events and alerts, as HAProxy prints them while it is in the foreground.
  void set_foreground(bool foreground) { foreground_ = foreground; }
  void log(LogLevel level, std::string_view text, Now now) override;
  /// To the targets of one channel. Public for tests.
  void send(const proxy::LogChannel& channel, LogLevel level, std::string_view text, Now now);

 private:
  void send_datagram(const Address& to, std::string_view line);
  bool sampled_out(const proxy::LogTarget& target);

  proxy::Proxy* proxy_ = nullptr;
  int64_t pid_;
  bool foreground_ = true;
  std::map<int, int> sockets_;                 // address family -> socket
  std::map<std::string, uint32_t> sample_at_;  // by target: the number of its next line
};

}  // namespace holdfast::app
