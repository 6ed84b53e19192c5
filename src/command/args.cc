#include "command/args.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "base/text.h"

namespace holdfast::command {

std::string_view Args::next() {
  if (position_ >= argv_.size()) {
    fail(kSyntaxError);
    return {};
  }
  return argv_[position_++];
}

bool Args::take(std::string_view word) {
  if (!more() || !equal_ignoring_case(argv_[position_], word)) return false;
  ++position_;
  return true;
}

int64_t Args::integer(int64_t min, int64_t max, std::string_view error) {
  const std::string_view text = next();
  if (failed()) return 0;
  const auto value = parse_int64(text);
  if (!value || *value < min || *value > max) {
    fail(error);
    return 0;
  }
  return *value;
}

namespace {

constexpr size_t kNumberTextMax = 5 * 1024;  // COMPAT: the original's buffer for long doubles

bool has_space_or_nul(std::string_view text) {
  return text.find_first_of(std::string_view(" \t\n\v\f\r\0", 7)) != std::string_view::npos;
}

}  // namespace

std::optional<double> parse_double(std::string_view text) {
  if (text.empty() || text.size() >= kNumberTextMax || has_space_or_nul(text)) return std::nullopt;
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  const double value = std::strtod(copy.c_str(), &end);
  if (end != copy.c_str() + copy.size() || std::isnan(value)) return std::nullopt;
  if (errno == ERANGE && (value == HUGE_VAL || value == -HUGE_VAL || std::fpclassify(value) == FP_ZERO)) {
    return std::nullopt;
  }
  return value;
}

std::optional<long double> parse_long_double(std::string_view text) {
  if (text.empty() || text.size() >= kNumberTextMax || has_space_or_nul(text)) return std::nullopt;
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  const long double value = std::strtold(copy.c_str(), &end);
  if (end != copy.c_str() + copy.size() || std::isnan(value)) return std::nullopt;
  if (errno == ERANGE && (value == HUGE_VALL || value == -HUGE_VALL || std::fpclassify(value) == FP_ZERO)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace holdfast::command
