// XXH32: a fast 32-bit hash of bytes. Here because HAProxy orders the records of a DNS answer by it.
// Source of the algorithm: "xxHash fast digest algorithm", specification 0.1.1.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::codec {

uint32_t xxh32(std::string_view bytes, uint32_t seed);

}  // namespace holdfast::codec
