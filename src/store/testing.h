// Shared by the tests of store: a fixed seed, random byte strings of the sizes that matter.
#pragma once

#include <string>

#include "base/prng.h"
#include "store/context.h"

namespace holdfast::store {

inline HashSeed test_seed() {
  Prng prng(7);
  return HashSeed::from(prng);
}

/// Short and long, integers and text, from a small universe so that repeats happen.
inline std::string random_text(Prng& prng, uint64_t universe) {
  const uint64_t id = prng.below(universe);
  switch (id % 5) {
    case 0:
      return std::to_string(static_cast<int64_t>(id * 1234567) - 50000);
    case 1:
      return "member:" + std::to_string(id);
    case 2:
      return std::string(id % 90, static_cast<char>('a' + id % 26)) + std::to_string(id);
    case 3:
      return std::string("\0\xff", 2) + std::to_string(id);
    default:
      return std::to_string(id);
  }
}

}  // namespace holdfast::store
