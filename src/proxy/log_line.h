// Log lines of sessions: HAProxy's TCP format, the default line, and custom formats (`%ci:%cp [%t] …`).
// Source: HAProxy configuration manual 8.2.2 "TCP log format" and 8.2.6 (the table of variables).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/time.h"

namespace holdfast::proxy {

struct SessionLog {
  const Address* source = nullptr;
  const Address* destination = nullptr;
  Wall accepted{};
  int64_t utc_offset_seconds = 0;
  std::string_view frontend, backend;
  std::string_view server = "<NOSRV>";
  int64_t queue_ms = -1, connect_ms = -1, total_ms = 0;
  int64_t bytes = 0;   // server to client
  bool early = false;  // logged before the end: totals carry a `+`
  std::string code = "--";
  int64_t process_connections = 0, frontend_connections = 0, backend_connections = 0, server_connections = 0;
  int retries = 0;
  bool redispatched = false;
  int64_t server_queue = 0, backend_queue = 0;
  bool secure = false;  // the client's side is TLS
  std::string_view tls_version = "-", tls_cipher = "-";
};

std::string tcp_log_line(const SessionLog& log);
/// A `log-format` string; unknown variables were refused when the configuration was read.
std::string format_log_line(std::string_view format, const SessionLog& log);
/// Empty = fine, else HAProxy's complaint about the first bad variable.
std::string check_log_format(std::string_view format);
std::string connect_log_line(const Address& source, const Address& destination, std::string_view frontend);
/// `22/Nov/2026:08:00:53.783`
std::string log_time(Wall time, int64_t utc_offset_seconds);

}  // namespace holdfast::proxy
