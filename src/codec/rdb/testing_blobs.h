// For tests: the packed encodings of old and new files, written by hand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::codec::rdb {

/// The low `bytes` bytes, the lowest first.
inline std::string little(uint64_t value, size_t bytes) {
  std::string out;
  for (size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

/// A ziplist of encoded elements; zl() encodes a string.
inline std::string ziplist(const std::vector<std::string>& raw_elements) {
  std::string body;
  size_t previous = 0;
  for (const std::string& raw : raw_elements) {
    std::string element = previous < 254 ? little(previous, 1) : "\xfe" + little(previous, 4);
    element += raw;
    previous = element.size();
    body += element;
  }
  const size_t total = 10 + body.size() + 1;
  return little(total, 4) + little(total - 1 - previous, 4) + little(raw_elements.size(), 2) + body + '\xff';
}

inline std::string zl(const std::string& text) {
  if (text.size() < 64) return little(text.size(), 1) + text;
  if (text.size() < 16384)
    return std::string{static_cast<char>(0x40 | text.size() >> 8), static_cast<char>(text.size())} + text;
  return "\x80" +
         std::string{static_cast<char>(text.size() >> 24), static_cast<char>(text.size() >> 16),
                     static_cast<char>(text.size() >> 8), static_cast<char>(text.size())} +
         text;
}

/// A listpack of encoded elements; lp() encodes a string.
inline std::string listpack(const std::vector<std::string>& raw_elements) {
  std::string body;
  for (const std::string& raw : raw_elements) {
    body += raw;
    const size_t size = raw.size();
    if (size < 128) {
      body += static_cast<char>(size);
    } else if (size < 16383) {
      body += static_cast<char>(size >> 7);
      body += static_cast<char>((size & 127) | 128);
    } else {
      body += static_cast<char>(size >> 14);
      body += static_cast<char>((size >> 7 & 127) | 128);
      body += static_cast<char>((size & 127) | 128);
    }
  }
  return little(6 + body.size() + 1, 4) + little(raw_elements.size(), 2) + body + '\xff';
}

inline std::string lp(const std::string& text) {
  if (text.size() < 64) return static_cast<char>(0x80 | text.size()) + text;
  if (text.size() < 4096)
    return std::string{static_cast<char>(0xe0 | text.size() >> 8), static_cast<char>(text.size())} + text;
  return "\xf0" + little(text.size(), 4) + text;
}

}  // namespace holdfast::codec::rdb
