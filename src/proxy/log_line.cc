#include "proxy/log_line.h"

#include <fmt/format.h>

#include <array>

namespace holdfast::proxy {
namespace {

constexpr std::string_view kTcpLog = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";

std::string client_of(const Address& address) { return address.is_unix() ? "unix" : address.host; }
std::string port_of(const Address& address) { return address.is_unix() ? "1" : fmt::format("{}", address.port); }

/// One variable; false = unknown.
bool append_variable(std::string_view name, const SessionLog& log, std::string* out) {
  const std::string_view plus = log.early ? "+" : "";
  if (name == "ci") {
    *out += client_of(*log.source);
  } else if (name == "cp") {
    *out += port_of(*log.source);
  } else if (name == "fi") {
    *out += client_of(*log.destination);
  } else if (name == "fp") {
    *out += port_of(*log.destination);
  } else if (name == "t") {
    *out += log_time(log.accepted, log.utc_offset_seconds);
  } else if (name == "ft" || name == "f") {
    *out += log.frontend;
    if (log.secure && name == "ft") *out += '~';
  } else if (name == "sslv") {
    *out += log.tls_version;
  } else if (name == "sslc") {
    *out += log.tls_cipher;
  } else if (name == "b") {
    *out += log.backend;
  } else if (name == "s") {
    *out += log.server;
  } else if (name == "Tw") {
    *out += fmt::format("{}", log.queue_ms);
  } else if (name == "Tc") {
    *out += fmt::format("{}", log.connect_ms);
  } else if (name == "Tt" || name == "Ta") {
    *out += fmt::format("{}{}", plus, log.total_ms);
  } else if (name == "B") {
    *out += fmt::format("{}{}", plus, log.bytes);
  } else if (name == "ts") {
    *out += log.code;
  } else if (name == "ac") {
    *out += fmt::format("{}", log.process_connections);
  } else if (name == "fc") {
    *out += fmt::format("{}", log.frontend_connections);
  } else if (name == "bc") {
    *out += fmt::format("{}", log.backend_connections);
  } else if (name == "sc") {
    *out += fmt::format("{}", log.server_connections);
  } else if (name == "rc") {
    *out += fmt::format("{}{}", log.redispatched ? "+" : "", log.retries);
  } else if (name == "sq") {
    *out += fmt::format("{}", log.server_queue);
  } else if (name == "bq") {
    *out += fmt::format("{}", log.backend_queue);
  } else if (name == "Ts") {
    *out += fmt::format("{}", unix_seconds(log.accepted));
  } else if (name == "ms") {
    *out += fmt::format("{:03}", unix_ms(log.accepted) % 1000);
  } else {
    return false;
  }
  return true;
}

constexpr std::array<std::string_view, 24> kNames = {"sslv", "sslc", "ci", "cp", "fi", "fp", "t",  "ft",
                                                     "f",    "b",    "s",  "Tw", "Tc", "Tt", "Ta", "B",
                                                     "ts",   "ac",   "fc", "bc", "sc", "rc", "sq", "bq"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// The name after `%` (and flags in braces) at `at`; leaves `at` behind it. Empty for `%%`.
std::string_view variable_name(std::string_view format, size_t* at) {
  size_t begin = *at;
  if (begin < format.size() && format[begin] == '{') {
    const size_t end = format.find('}', begin);
    begin = end == std::string_view::npos ? format.size() : end + 1;
  }
  size_t end = begin;
  while (end < format.size() && is_letter(format[end])) ++end;
  *at = end;
  return format.substr(begin, end - begin);
}

struct Civil {
  int64_t year = 0;
  int month = 0, day = 0;
};
/// Days since 1970-01-01 to a Gregorian date (Howard Hinnant's published algorithm).
Civil civil_from_days(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t doe = days - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  const int month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  return {yoe + era * 400 + (month <= 2 ? 1 : 0), month, static_cast<int>(doy - (153 * mp + 2) / 5 + 1)};
}

}  // namespace

std::string log_time(Wall time, int64_t utc_offset_seconds) {
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const int64_t ms = unix_ms(time) + utc_offset_seconds * 1000;
  const int64_t day = ms >= 0 ? ms / 86'400'000 : (ms - 86'399'999) / 86'400'000;
  const int64_t rest = ms - day * 86'400'000;
  const Civil date = civil_from_days(day);
  return fmt::format("{:02}/{}/{:04}:{:02}:{:02}:{:02}.{:03}", date.day, kMonths[static_cast<size_t>(date.month - 1)],
                     date.year, rest / 3'600'000, rest / 60'000 % 60, rest / 1000 % 60, rest % 1000);
}

std::string format_log_line(std::string_view format, const SessionLog& log) {
  std::string out;
  out.reserve(160);
  for (size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out.push_back(format[at++]);
      continue;
    }
    if (++at < format.size() && format[at] == '%') {
      out.push_back('%');
      ++at;
      continue;
    }
    const std::string_view name = variable_name(format, &at);
    if (!name.empty() && !append_variable(name, log, &out)) out.push_back('-');
  }
  return out;
}

std::string check_log_format(std::string_view format) {
  for (size_t at = 0; at < format.size();) {
    if (format[at++] != '%') continue;
    if (at < format.size() && format[at] == '%') {
      ++at;
      continue;
    }
    if (at < format.size() && format[at] == '[') return "sample expressions '%[...]' are not supported by this version";
    const std::string_view name = variable_name(format, &at);
    if (name.empty()) continue;
    bool known = name == "Ts" || name == "ms" || name == "o";
    for (std::string_view candidate : kNames) known = known || candidate == name;
    if (known) continue;
    return fmt::format(
        "failed to parse log-format : no such format variable '{}'. If you wanted to emit the '%' character verbatim, "
        "you need to use '%%'",
        name);
  }
  return "";
}

std::string tcp_log_line(const SessionLog& log) { return format_log_line(kTcpLog, log); }

std::string connect_log_line(const Address& source, const Address& destination, std::string_view frontend) {
  return fmt::format("Connect from {}:{} to {}:{} ({}/TCP)", client_of(source), port_of(source), client_of(destination),
                     port_of(destination), frontend);
}

}  // namespace holdfast::proxy
