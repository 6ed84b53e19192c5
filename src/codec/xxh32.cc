#include "codec/xxh32.h"

#include <array>
#include <bit>

namespace holdfast::codec {
namespace {

constexpr uint32_t kPrime1 = 0x9E3779B1;
constexpr uint32_t kPrime2 = 0x85EBCA77;
constexpr uint32_t kPrime3 = 0xC2B2AE3D;
constexpr uint32_t kPrime4 = 0x27D4EB2F;
constexpr uint32_t kPrime5 = 0x165667B1;

uint32_t byte_at(std::string_view bytes, size_t at) { return static_cast<unsigned char>(bytes[at]); }

uint32_t word_at(std::string_view bytes, size_t at) {
  return byte_at(bytes, at) | byte_at(bytes, at + 1) << 8 | byte_at(bytes, at + 2) << 16 | byte_at(bytes, at + 3) << 24;
}

}  // namespace

uint32_t xxh32(std::string_view bytes, uint32_t seed) {
  const auto length = static_cast<uint32_t>(bytes.size());
  uint32_t hash = seed + kPrime5;
  if (bytes.size() >= 16) {
    std::array<uint32_t, 4> lanes{seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1};
    while (bytes.size() >= 16) {
      for (size_t i = 0; i < 4; ++i) {
        lanes[i] = std::rotl(lanes[i] + word_at(bytes, 4 * i) * kPrime2, 13) * kPrime1;
      }
      bytes.remove_prefix(16);
    }
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
  }
  hash += length;
  for (; bytes.size() >= 4; bytes.remove_prefix(4)) {
    hash = std::rotl(hash + word_at(bytes, 0) * kPrime3, 17) * kPrime4;
  }
  for (; !bytes.empty(); bytes.remove_prefix(1)) hash = std::rotl(hash + byte_at(bytes, 0) * kPrime5, 11) * kPrime1;
  hash = (hash ^ hash >> 15) * kPrime2;
  hash = (hash ^ hash >> 13) * kPrime3;
  return hash ^ hash >> 16;
}

}  // namespace holdfast::codec
