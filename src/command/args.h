// Args: a handler's way through its arguments; latches the first error so that a handler checks once at the end.
//
// Errors are the wire's texts. Positions count from the first argument after the command's own words.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::command {

inline constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotAFloat = "ERR value is not a valid float";
inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kWrongType = "WRONGTYPE Operation against a key holding the wrong kind of value";

class Args {
 public:
  explicit Args(std::span<const std::string_view> argv, size_t first = 1) : argv_(argv), position_(first) {}

  bool more() const { return !failed() && position_ < argv_.size(); }
  size_t left() const { return argv_.size() - position_; }
  std::string_view peek() const { return argv_[position_]; }
  /// The next argument; a missing one is a syntax error and reads as "".
  std::string_view next();
  /// Consumes the next argument if it is `word`, in any case.
  bool take(std::string_view word);
  /// The next argument as an integer in [min, max]; `error` replaces the usual text.
  int64_t integer(int64_t min = std::numeric_limits<int64_t>::min(), int64_t max = std::numeric_limits<int64_t>::max(),
                  std::string_view error = kNotAnInteger);

  void fail(std::string_view error) {
    if (error_.empty()) error_ = error;
  }
  bool failed() const { return !error_.empty(); }
  const std::string& error() const { return error_; }

 private:
  std::span<const std::string_view> argv_;
  size_t position_;
  std::string error_;
};

/// A double as the wire accepts it: decimal or hexadecimal float, `inf`, no spaces; nan is refused.
std::optional<double> parse_double(std::string_view text);
/// The long double INCRBYFLOAT works with; nan refused.
std::optional<long double> parse_long_double(std::string_view text);

}  // namespace holdfast::command
