// CRC-64 of RDB files and DUMP payloads: Jones polynomial 0xad93d23594c935a9, reflected, initial value 0, no final xor.
// Check value: crc64(0, "123456789") = 0xe9c6d914c4b8d9ca.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::codec {

/// Continues `crc` over `bytes`; start with 0.
uint64_t crc64(uint64_t crc, std::string_view bytes);

}  // namespace holdfast::codec
