#include "command/reply.h"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace holdfast::command {

void Reply::simple(std::string_view text) {
  raw("+");
  raw(text);
  raw("\r\n");
}

void Reply::error(std::string_view text) {
  ++errors_;
  last_error_ = text;
  for (char& c : last_error_) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  raw("-");
  raw(last_error_);
  raw("\r\n");
}

void Reply::bulk_integer(int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  bulk({digits, static_cast<size_t>(end - digits)});
}

void Reply::boolean(bool value) {
  if (version_ == 2) return integer(value ? 1 : 0);
  raw(value ? "#t\r\n" : "#f\r\n");
}

void Reply::number(double value) {
  const std::string text = format_double(value);
  if (version_ == 2) return bulk(text);
  raw(",");
  raw(text);
  raw("\r\n");
}

void Reply::verbatim(std::string_view format, std::string_view text) {
  if (version_ == 2) return bulk(text);
  number_line('=', static_cast<int64_t>(text.size() + 4));
  raw(format);
  raw(":");
  raw(text);
  raw("\r\n");
}

std::string format_double(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  // COMPAT: whole numbers print as integers, the rest as the shortest of %.17g that reads back, in printf's style.
  if (std::abs(value) < 1e17 && value == std::floor(value)) {
    char digits[32];
    const int n = std::snprintf(digits, sizeof digits, "%.0f", value);
    return {digits, static_cast<size_t>(n)};
  }
  char shortest[64];
  const auto end = std::to_chars(shortest, shortest + sizeof shortest, value, std::chars_format::general).ptr;
  return {shortest, static_cast<size_t>(end - shortest)};
}

std::string format_long_double(long double value) {
  char digits[5 * 1024];
  int n = std::snprintf(digits, sizeof digits, "%.17Lf", value);
  std::string text(digits, static_cast<size_t>(n));
  if (text.find('.') != std::string::npos) {
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

}  // namespace holdfast::command
