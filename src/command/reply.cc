#include "command/reply.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

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

void Reply::big_number(std::string_view digits) {
  if (version_ == 2) return bulk(digits);
  raw("(");
  raw(digits);
  raw("\r\n");
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

namespace {

/// The layout of the shortest digits: `digits` times ten to the power of `exponent`.
/// COMPAT: the original turns to scientific notation later than printf: from 7 zeros behind and 6 before the digits.
std::string layout(std::string_view digits, int exponent) {
  const int count = static_cast<int>(digits.size());
  const int power = exponent + count - 1;  // of the first digit
  const auto zeros = [](int n) { return std::string(static_cast<size_t>(n), '0'); };
  if (exponent >= 0 && power < count + 7) return std::string(digits) + zeros(exponent);
  if (exponent < 0 && (exponent > -7 || std::abs(power) < 4)) {
    const int whole = count + exponent;  // digits before the point
    if (whole <= 0) return "0." + zeros(-whole) + std::string(digits);
    const auto at = static_cast<size_t>(whole);
    return std::string(digits.substr(0, at)) + "." + std::string(digits.substr(at));
  }
  std::string out(digits.substr(0, 1));
  if (count > 1) out.append(".").append(digits.substr(1));
  out += power < 0 ? "e-" : "e+";
  return out + std::to_string(std::abs(power));
}

}  // namespace

std::string format_double(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  // Integers print as such while they are far from overflow, whatever the precision of a double.
  constexpr auto kIntegerMax = static_cast<double>(INT64_MAX / 2);
  if (std::abs(value) <= kIntegerMax && value == std::floor(value)) return std::to_string(static_cast<int64_t>(value));
  char shortest[64];
  const auto end = std::to_chars(shortest, shortest + sizeof shortest, std::abs(value), std::chars_format::scientific);
  std::string_view text(shortest, static_cast<size_t>(end.ptr - shortest));
  const size_t e = text.find('e');
  int exponent = 0;
  std::string_view power = text.substr(e + 1);
  if (power[0] == '+') power.remove_prefix(1);
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  std::string digits(text.substr(0, 1));
  if (e > 2) digits += text.substr(2, e - 2);
  exponent -= static_cast<int>(digits.size()) - 1;
  return (value < 0 ? "-" : "") + layout(digits, exponent);
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
