// The keyed 64-bit hash of keys, fields and members.
//
// Every word that meets input is secret: with public multiplier constants an attacker can zero a product whatever the
// seed and so build collisions for all seeds. Source of the mixing step: 64x64->128 multiply and fold (Wang Yi,
// wyhash). Equal bytes under equal seeds give equal hashes on every machine of the same byte order; nothing persists a
// hash.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast {
class Prng;
}

namespace holdfast::store {

struct HashSeed {
  uint64_t words[4] = {};
  /// Four odd random words out of `prng`.
  static HashSeed from(Prng& prng);
};

uint64_t hash_bytes(std::string_view bytes, const HashSeed& seed);

/// A key with its hash. Made once per command (Context::key) and valid for every database of one Dataset.
/// `bytes` is borrowed from the caller.
struct Key {
  std::string_view bytes;
  uint64_t hash = 0;
};

}  // namespace holdfast::store
