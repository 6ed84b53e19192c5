#include "codec/rdb/write.h"

#include <bit>
#include <charconv>
#include <optional>

#include "base/assert.h"
#include "base/text.h"
#include "codec/lzf.h"

namespace holdfast::codec::rdb {

namespace {

constexpr size_t kIntegerTextMax = 11;  // "-2147483648"
constexpr size_t kCompressMin = 21;

void put_big_endian(std::string& out, uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) put_byte(out, static_cast<uint8_t>(value >> shift));
}

void put_little_endian(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) put_byte(out, static_cast<uint8_t>(value >> (8 * i)));
}

void put_special(std::string& out, StringEncoding encoding) {
  put_byte(out, static_cast<uint8_t>(kLengthSpecial << 6 | static_cast<uint8_t>(encoding)));
}

bool put_small_integer(std::string& out, int64_t value) {
  if (value >= INT8_MIN && value <= INT8_MAX) {
    put_special(out, StringEncoding::kInt8);
    put_little_endian(out, static_cast<uint64_t>(value), 1);
  } else if (value >= INT16_MIN && value <= INT16_MAX) {
    put_special(out, StringEncoding::kInt16);
    put_little_endian(out, static_cast<uint64_t>(value), 2);
  } else if (value >= INT32_MIN && value <= INT32_MAX) {
    put_special(out, StringEncoding::kInt32);
    put_little_endian(out, static_cast<uint64_t>(value), 4);
  } else {
    return false;
  }
  return true;
}

}  // namespace

void put_magic(std::string& out, int version) {
  HF_ASSERT(version > 0 && version < 10000);
  std::string digits = std::to_string(version);
  out += "REDIS";
  out.append(4 - digits.size(), '0');
  out += digits;
}

void put_length(std::string& out, uint64_t length) {
  if (length < 1U << 6) {
    put_byte(out, static_cast<uint8_t>(length));
  } else if (length < 1U << 14) {
    put_big_endian(out, length | uint64_t{kLength14} << 14, 2);
  } else if (length <= UINT32_MAX) {
    put_byte(out, kLength32Byte);
    put_big_endian(out, length, 4);
  } else {
    put_byte(out, kLength64Byte);
    put_big_endian(out, length, 8);
  }
}

void put_string(std::string& out, std::string_view text, bool compress) {
  if (text.size() <= kIntegerTextMax) {
    if (const auto value = parse_int64(text); value && put_small_integer(out, *value)) return;
  }
  if (compress && text.size() >= kCompressMin) {
    std::string packed;
    if (lzf_compress(text, packed)) {
      put_special(out, StringEncoding::kLzf);
      put_length(out, packed.size());
      put_length(out, text.size());
      out += packed;
      return;
    }
  }
  put_length(out, text.size());
  out += text;
}

void put_integer(std::string& out, int64_t value) {
  if (put_small_integer(out, value)) return;
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  const auto size = static_cast<size_t>(end - digits);
  put_length(out, size);
  out.append(digits, size);
}

void put_uint64(std::string& out, uint64_t value) { put_little_endian(out, value, 8); }

void put_double(std::string& out, double value) { put_uint64(out, std::bit_cast<uint64_t>(value)); }

void put_aux(std::string& out, std::string_view name, std::string_view value) {
  put_opcode(out, Opcode::kAux);
  put_string(out, name, false);
  put_string(out, value, false);
}

}  // namespace holdfast::codec::rdb
