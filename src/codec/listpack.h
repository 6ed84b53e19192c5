// Listpack: the elements of the format, written and walked inside blocks that are our own.
//
// Source: the listpack specification (github.com/antirez/listpack), as redis-server 5-7.2 writes it into RDB files.
// A block is [total bytes 4][elements 2, 65535 = count them][element...][0xff], little-endian; an element is
// [encoding][data][size of the two, 7 bits a byte, read from its last byte]. Texts that are canonical integers are held
// as integers. Nothing here is bounds-checked: bytes from outside go through rdb::PackedReader first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace holdfast::codec::listpack {

inline constexpr size_t kHeaderBytes = 6;
inline constexpr char kEndMark = static_cast<char>(0xff);
/// No element takes more than its text and this.
inline constexpr size_t kOverheadMax = 10;
inline constexpr uint16_t kCountUnknown = UINT16_MAX;

/// Room to print an element that is held as an integer.
struct Digits {
  char bytes[24];
};

/// Both return the first byte after the element.
char* put(char* at, std::string_view text);
char* put(char* at, int64_t number);

const char* next(const char* at);
/// The element that ends where `at` begins.
const char* previous(const char* at);
/// The element must be an integer.
int64_t number(const char* at);
/// Borrowed from the block or from `digits`.
std::string_view text(const char* at, Digits& digits);

inline uint32_t total_bytes(const char* block) {
  uint32_t bytes = 0;
  std::memcpy(&bytes, block, sizeof(bytes));
  return bytes;
}
inline void set_total_bytes(char* block, uint32_t bytes) { std::memcpy(block, &bytes, sizeof(bytes)); }
/// Adds to the count of elements, which saturates.
void add_elements(char* block, uint64_t elements);

}  // namespace holdfast::codec::listpack
