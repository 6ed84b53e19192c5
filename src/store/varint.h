// Varint: lengths inside entries and packed blocks; 7 bits a byte, low bits first, top bit = more.
//
// In-memory format only, always written by ourselves: reads are not bounds-checked.
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::store {

inline constexpr size_t varint_size(uint64_t value) {
  size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}

/// Returns the first byte after the varint.
inline char* put_varint(char* at, uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}

inline const char* get_varint(const char* at, uint64_t& value) {
  uint64_t byte = static_cast<uint8_t>(*at++);
  value = byte & 0x7f;
  for (unsigned shift = 7; (byte & 0x80) != 0; shift += 7) {
    byte = static_cast<uint8_t>(*at++);
    value |= (byte & 0x7f) << shift;
  }
  return at;
}

}  // namespace holdfast::store
