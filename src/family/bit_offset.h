// Bit offsets as SETBIT, GETBIT and BITFIELD read them: bits count from the most significant one of the first byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "family/context.h"

namespace holdfast::family {

/// At most eight times proto-max-bulk-len. `width` > 0 allows the form #n, which counts fields of that many bits.
/// nullopt: the error is written.
std::optional<uint64_t> read_bit_offset(Context& c, std::string_view text, int width = 0);

}  // namespace holdfast::family
