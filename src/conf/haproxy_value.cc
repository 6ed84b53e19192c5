#include "conf/haproxy_value.h"

#include <fmt/format.h>

namespace holdfast::conf {
namespace {

constexpr int64_t kMillisecondsMax = 2147483647;

struct Digits {
  int64_t value = 0;
  size_t length = 0;
};
/// Saturates instead of overflowing.
Digits read_digits(std::string_view text) {
  Digits digits;
  while (digits.length < text.size() && text[digits.length] >= '0' && text[digits.length] <= '9') {
    if (digits.value < 1'000'000'000'000'000) digits.value = digits.value * 10 + (text[digits.length] - '0');
    ++digits.length;
  }
  return digits;
}

}  // namespace

TimeValue parse_haproxy_time(std::string_view text, bool seconds_by_default) {
  TimeValue result;
  const Digits digits = read_digits(text);
  std::string_view unit = text.substr(digits.length);
  int64_t microseconds = 0;
  if (digits.length == 0) {
    result.error = TimeValue::Error::kCharacter;
    result.character = unit.empty() ? '\0' : unit[0];
    return result;
  }
  if (unit.empty()) unit = seconds_by_default ? "s" : "ms";
  if (unit == "us") {
    microseconds = 1;
  } else if (unit == "ms") {
    microseconds = 1000;
  } else if (unit == "s") {
    microseconds = 1'000'000;
  } else if (unit == "m") {
    microseconds = 60'000'000;
  } else if (unit == "h") {
    microseconds = 3'600'000'000;
  } else if (unit == "d") {
    microseconds = 86'400'000'000;
  } else {
    result.error = TimeValue::Error::kCharacter;
    const bool two = unit.size() > 1 && (unit.starts_with("us") || unit.starts_with("ms"));
    const bool one = unit.size() > 1 && (unit[0] == 's' || unit[0] == 'm' || unit[0] == 'h' || unit[0] == 'd');
    result.character = two ? unit[2] : (one ? unit[1] : unit[0]);
    return result;
  }
  if (digits.value > kMillisecondsMax * 1000 / microseconds) {
    result.error = TimeValue::Error::kOverflow;
    return result;
  }
  // The resolution is a millisecond: fractions round up, so that a limit never becomes 0 (= none).
  const int64_t ms = (digits.value * microseconds + 999) / 1000;
  result.value = from_ms(ms);
  return result;
}

std::string time_error_text(const TimeValue& value, std::string_view argument, std::string_view name) {
  switch (value.error) {
    case TimeValue::Error::kNone:
      return "";
    case TimeValue::Error::kCharacter:
      return fmt::format("unexpected character '{}' in '{}'", value.character, name);
    case TimeValue::Error::kOverflow:
      return fmt::format("timer overflow in argument '{}' to '{}' (maximum value is 2147483647 ms or ~24.8 days)",
                         argument, name);
    case TimeValue::Error::kUnderflow:
      return fmt::format("timer underflow in argument '{}' to '{}' (minimum non-null value is 1 ms)", argument, name);
  }
  return "";
}

std::optional<uint64_t> parse_haproxy_size(std::string_view text) {
  const Digits digits = read_digits(text);
  if (digits.length == 0) return std::nullopt;
  const std::string_view unit = text.substr(digits.length);
  int shift = 0;
  if (unit == "k" || unit == "K") {
    shift = 10;
  } else if (unit == "m" || unit == "M") {
    shift = 20;
  } else if (unit == "g" || unit == "G") {
    shift = 30;
  } else if (!unit.empty()) {
    return std::nullopt;
  }
  if (digits.value > (int64_t{1} << 40)) return std::nullopt;
  return static_cast<uint64_t>(digits.value) << shift;
}

int64_t leading_integer(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const int64_t value = read_digits(text).value;
  return negative ? -value : value;
}

std::optional<int64_t> whole_integer(std::string_view text) {
  std::string_view digits = text;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
  if (digits.empty() || read_digits(digits).length != digits.size()) return std::nullopt;
  return leading_integer(text);
}

}  // namespace holdfast::conf
