// Values of haproxy.cfg: durations, sizes and integers, with HAProxy's tolerance.
// Source: HAProxy configuration manual 2.5 "Time format" and 2.6 "Size format".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace holdfast::conf {

struct TimeValue {
  enum class Error : uint8_t { kNone, kCharacter, kOverflow, kUnderflow };
  Duration value{};
  Error error = Error::kNone;
  char character = 0;  // kCharacter: the one that did not fit
};

/// `5s`, `100ms`, `250` (milliseconds unless `seconds_by_default`). Largest value 2147483647 ms.
TimeValue parse_haproxy_time(std::string_view text, bool seconds_by_default = false);

/// The text after a name for a bad duration, in HAProxy's words: `unexpected character 'x' in 'timeout client'`.
std::string time_error_text(const TimeValue& value, std::string_view argument, std::string_view name);

/// `16384`, `16k`, `1m`, `1g`; nullopt = not a size.
std::optional<uint64_t> parse_haproxy_size(std::string_view text);

/// COMPAT: HAProxy reads most integers with atol(): leading digits count, anything else is 0.
int64_t leading_integer(std::string_view text);
/// The whole text as an integer with an optional sign.
std::optional<int64_t> whole_integer(std::string_view text);

}  // namespace holdfast::conf
