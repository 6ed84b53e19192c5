// A small seeded generator (splitmix64 into xoshiro256++): machines get their randomness from a seed they are handed.
// Source of the algorithms: Blackman & Vigna, "Scrambled linear pseudorandom number generators", 2019 (public domain).
#pragma once

#include <cstdint>
#include <string>

namespace holdfast {

class Prng {
 public:
  explicit Prng(uint64_t seed);
  uint64_t next();
  /// Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound);
  /// `digits` lowercase hexadecimal digits: run ids, replication ids, Sentinel ids.
  std::string hex(int digits);

 private:
  uint64_t state_[4];
};

}  // namespace holdfast
