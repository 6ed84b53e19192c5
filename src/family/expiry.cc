#include "family/expiry.h"

#include <fmt/format.h>

#include <limits>

#include "base/text.h"

namespace holdfast::family {

std::optional<int64_t> read_expiry(Context& context, std::string_view text, ExpiryUnit unit, ExpiryBase base,
                                   bool allow_past) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const auto invalid = [&]() -> std::optional<int64_t> {
    context.reply.error(fmt::format("ERR invalid expire time in '{}' command", context.spec.name));
    return std::nullopt;
  };
  const auto parsed = parse_int64(text);
  if (!parsed) {
    context.reply.error(command::kNotAnInteger);
    return std::nullopt;
  }
  int64_t value = *parsed;
  if (!allow_past && value <= 0) return invalid();
  if (unit == ExpiryUnit::kSeconds) {
    if (value > kMax / 1000 || value < std::numeric_limits<int64_t>::min() / 1000) return invalid();
    value *= 1000;
  }
  if (base == ExpiryBase::kRelative) {
    if (value > kMax - context.now_ms()) return invalid();
    value += context.now_ms();
  }
  return value;
}

}  // namespace holdfast::family
