#include "codec/listpack.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "base/text.h"

namespace holdfast::codec::listpack {

namespace {

constexpr size_t kIntegerTextMax = 20;
constexpr uint8_t kText32 = 0xf0;
constexpr uint8_t kInt16 = 0xf1;
constexpr uint8_t kInt24 = 0xf2;
constexpr uint8_t kInt32 = 0xf3;
constexpr uint8_t kInt64 = 0xf4;

uint8_t byte_at(const char* at) { return static_cast<uint8_t>(*at); }

/// COMPAT: the bounds are one short of what the bytes could hold, as the original has them.
size_t back_size(uint64_t size) {
  if (size <= 127) return 1;
  if (size < 16383) return 2;
  if (size < 2097151) return 3;
  return size < 268435455 ? 4 : 5;
}

char* put_back(char* at, uint64_t size) {
  const size_t bytes = back_size(size);
  for (size_t i = bytes; i-- > 0;) {
    at[i] = static_cast<char>((size & 0x7f) | (i > 0 ? 0x80 : 0));
    size >>= 7;
  }
  return at + bytes;
}

char* put_little_endian(char* at, uint64_t value, size_t bytes) {
  std::memcpy(at, &value, bytes);
  return at + bytes;
}

int64_t get_little_endian(const char* at, size_t bytes) {
  uint64_t value = 0;
  std::memcpy(&value, at, bytes);
  const unsigned shift = static_cast<unsigned>(64 - bytes * 8);
  return static_cast<int64_t>(value << shift) >> shift;
}

char* put_number_data(char* at, int64_t value) {
  if (value >= 0 && value <= 127) {
    *at = static_cast<char>(value);
    return at + 1;
  }
  const auto bits = static_cast<uint64_t>(value);
  if (value >= -4096 && value <= 4095) {
    at[0] = static_cast<char>(0xc0 | (bits >> 8 & 0x1f));
    at[1] = static_cast<char>(bits);
    return at + 2;
  }
  const auto fits = [&](int64_t limit) { return value >= -limit && value < limit; };
  const auto wide = [&](uint8_t mark, size_t bytes) {
    *at = static_cast<char>(mark);
    return put_little_endian(at + 1, bits, bytes);
  };
  if (fits(int64_t{1} << 15)) return wide(kInt16, 2);
  if (fits(int64_t{1} << 23)) return wide(kInt24, 3);
  if (fits(int64_t{1} << 31)) return wide(kInt32, 4);
  return wide(kInt64, 8);
}

/// Encoding and data together, without the back length.
uint64_t front_size(const char* at) {
  const uint8_t byte = byte_at(at);
  if (byte < 0x80) return 1;
  if (byte < 0xc0) return 1 + (byte & 0x3fU);
  if (byte < 0xe0) return 2;
  if (byte < 0xf0) return 2 + ((byte & 0x0fU) << 8 | byte_at(at + 1));
  switch (byte) {
    case kText32:
      return 5 + (static_cast<uint64_t>(get_little_endian(at + 1, 4)) & UINT32_MAX);
    case kInt16:
      return 3;
    case kInt24:
      return 4;
    case kInt32:
      return 5;
    case kInt64:
      return 9;
    default:
      break;
  }
  HF_UNREACHABLE();
}

bool is_number(const char* at) {
  const uint8_t byte = byte_at(at);
  return byte < 0x80 || (byte >= 0xc0 && byte < 0xe0) || (byte >= kInt16 && byte <= kInt64);
}

}  // namespace

char* put(char* at, int64_t value) {
  char* const end = put_number_data(at, value);
  return put_back(end, static_cast<uint64_t>(end - at));
}

char* put(char* at, std::string_view text) {
  if (text.size() <= kIntegerTextMax && !text.empty()) {
    if (const auto value = parse_int64(text)) return put(at, *value);
  }
  const size_t size = text.size();
  char* data = at;
  if (size < 64) {
    *data++ = static_cast<char>(0x80 | size);
  } else if (size < 4096) {
    *data++ = static_cast<char>(0xe0 | size >> 8);
    *data++ = static_cast<char>(size);
  } else {
    HF_ASSERT(size <= UINT32_MAX);
    *data++ = static_cast<char>(kText32);
    data = put_little_endian(data, size, 4);
  }
  if (size > 0) std::memcpy(data, text.data(), size);
  data += size;
  return put_back(data, static_cast<uint64_t>(data - at));
}

const char* next(const char* at) {
  const uint64_t size = front_size(at);
  return at + size + back_size(size);
}

const char* previous(const char* at) {
  const char* back = at - 1;
  uint64_t size = byte_at(back) & 0x7fU;
  for (unsigned shift = 7; (byte_at(back) & 0x80) != 0; shift += 7) {
    --back;
    size |= uint64_t{byte_at(back) & 0x7fU} << shift;
  }
  return back - size;
}

int64_t number(const char* at) {
  const uint8_t byte = byte_at(at);
  HF_ASSERT(is_number(at));
  if (byte < 0x80) return byte;
  if (byte < 0xe0) {
    const uint64_t bits = uint64_t{byte & 0x1fU} << 8 | byte_at(at + 1);
    return static_cast<int64_t>(bits << 51) >> 51;
  }
  return get_little_endian(at + 1, byte == kInt64 ? 8 : byte - kInt16 + 2U);
}

std::string_view text(const char* at, Digits& digits) {
  const uint8_t byte = byte_at(at);
  if (is_number(at)) {
    const auto end = std::to_chars(digits.bytes, digits.bytes + sizeof(digits.bytes), number(at));
    return {digits.bytes, static_cast<size_t>(end.ptr - digits.bytes)};
  }
  const uint64_t size = front_size(at);
  const size_t head = byte < 0xc0 ? 1 : byte < 0xf0 ? 2 : 5;
  return {at + head, size - head};
}

void add_elements(char* block, uint64_t elements) {
  uint16_t count = 0;
  std::memcpy(&count, block + 4, sizeof(count));
  count = static_cast<uint16_t>(std::min<uint64_t>(count + elements, kCountUnknown));
  std::memcpy(block + 4, &count, sizeof(count));
}

}  // namespace holdfast::codec::listpack
