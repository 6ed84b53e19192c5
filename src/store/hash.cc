#include "store/hash.h"

#include <cstring>

#include "base/prng.h"

namespace holdfast::store {

namespace {

uint64_t load8(const char* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

uint64_t load4(const char* at) {
  uint32_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

uint64_t load_up_to_3(const char* at, size_t size) {
  const auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<uint8_t>(at[i])); };
  return byte(0) << 16 | byte(size >> 1) << 8 | byte(size - 1);
}

__extension__ using Wide = unsigned __int128;

uint64_t fold(uint64_t a, uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

HashSeed HashSeed::from(Prng& prng) {
  HashSeed seed;
  for (uint64_t& word : seed.words) word = prng.next() | 1;
  return seed;
}

uint64_t hash_bytes(std::string_view bytes, const HashSeed& seed) {
  const char* at = bytes.data();
  const size_t size = bytes.size();
  uint64_t state = seed.words[0] ^ size;
  uint64_t a = 0;
  uint64_t b = 0;
  if (size <= 16) {
    if (size >= 4) {
      const size_t middle = (size >> 3) << 2;
      a = load4(at) << 32 | load4(at + middle);
      b = load4(at + size - 4) << 32 | load4(at + size - 4 - middle);
    } else if (size > 0) {
      a = load_up_to_3(at, size);
    }
  } else {
    const char* const last = at + size - 16;
    for (; at < last; at += 16) state = fold(load8(at) ^ seed.words[1], load8(at + 8) ^ state);
    a = load8(last);
    b = load8(last + 8);
  }
  return fold(seed.words[2] ^ size, fold(a ^ seed.words[3], b ^ state));
}

}  // namespace holdfast::store
