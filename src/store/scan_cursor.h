// Scan cursors: how SCAN walks a table whose buckets are told apart by the low bits of a hash.
//
// Such a table is a trie over hash bits, lowest first. Read backwards, a cursor is a point of [0, 2^64) and a bucket of
// `bits` bits an interval of it; a scan visits the bucket at its point and goes on at that interval's end. Growth only
// cuts intervals and shrinking only joins them, so nothing before the point is new and nothing after it is lost.
#pragma once

#include <cstdint>

namespace holdfast::store {

inline uint64_t reverse_bits(uint64_t v) {
  v = (v >> 1 & 0x5555555555555555ULL) | (v & 0x5555555555555555ULL) << 1;
  v = (v >> 2 & 0x3333333333333333ULL) | (v & 0x3333333333333333ULL) << 2;
  v = (v >> 4 & 0x0f0f0f0f0f0f0f0fULL) | (v & 0x0f0f0f0f0f0f0f0fULL) << 4;
  return __builtin_bswap64(v);
}

inline uint64_t low_bits(uint32_t count) { return (uint64_t{1} << count) - 1; }

/// The cursor behind the bucket that `cursor` fell into; `bits` < 64 tell that bucket apart. 0 at the end.
inline uint64_t cursor_after(uint64_t cursor, uint32_t bits) {
  return reverse_bits(reverse_bits(cursor | ~low_bits(bits)) + 1);
}

}  // namespace holdfast::store
