// Expiry options: EX, PX, EXAT, PXAT and their relatives, as SET, GETEX, SETEX and the EXPIRE family read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "family/context.h"

namespace holdfast::family {

enum class ExpiryUnit : uint8_t { kSeconds, kMilliseconds };
enum class ExpiryBase : uint8_t { kRelative, kAbsolute };

/// The unix time in ms meant by `text`; writes the error the original gives (`allow_past`: EXPIRE takes zero and less).
std::optional<int64_t> read_expiry(Context& context, std::string_view text, ExpiryUnit unit, ExpiryBase base,
                                   bool allow_past);

}  // namespace holdfast::family
