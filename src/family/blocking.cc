#include "family/blocking.h"

#include <cmath>
#include <limits>

namespace holdfast::family {

std::optional<int64_t> read_timeout(Context& c, std::string_view text) {
  constexpr auto kMax = static_cast<long double>(std::numeric_limits<int64_t>::max());
  const auto seconds = command::parse_long_double(text);
  std::string_view error;
  if (!seconds) {
    error = "ERR timeout is not a float or out of range";
  } else if (const long double ms = std::ceil(*seconds * 1000); ms < 0) {
    error = "ERR timeout is negative";
  } else if (ms > kMax - static_cast<long double>(c.now_ms())) {
    error = "ERR timeout is out of range";
  } else {
    return static_cast<int64_t>(ms);
  }
  c.reply.error(error);
  return std::nullopt;
}

bool wait_for_keys(Context& c, store::Type type, std::span<const std::string_view> keys, int64_t timeout_ms,
                   WhenGone when_gone) {
  return c.services.wait_for_keys(c, type, keys, timeout_ms, when_gone);
}

}  // namespace holdfast::family
