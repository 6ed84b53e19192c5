// HyperLogLog sketches: 16384 registers of 6 bits, each the longest run of zeros seen in its part of the hashes.
//
// Format (Redis, "HYLL"): magic 4, encoding 1 (0 dense, 1 sparse), unused 3, cached estimate 8 little-endian (top bit
// set: out of date), then registers. Dense: 6 bits each from the lowest bit up. Sparse: runs - 00llllll zeros (l+1),
// 01llllll llllllll zeros (l+1), 1vvvvvll value v+1 (l+1 times). Hash: MurmurHash64A, seed 0xadc83b19; estimate: Ertl,
// "New cardinality estimation algorithms for HyperLogLog sketches", 2017.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::family {

inline constexpr size_t kHllCacheAt = 8;
inline constexpr size_t kHllHeaderBytes = 16;

/// Magic, encoding and, for dense ones, length.
bool hll_is_sketch(std::string_view bytes);
/// These need hll_is_sketch().
std::optional<uint64_t> hll_cached_estimate(std::string_view bytes);
void hll_cache_estimate(std::span<char> bytes, uint64_t estimate);

class HllSketch {
 public:
  static constexpr size_t kRegisters = 16384;

  /// Raises every register to that of another sketch; false, and maybe half done: it is corrupted.
  bool merge(std::string_view bytes);
  /// True if a register grew.
  bool add(std::string_view element);
  uint64_t estimate() const;
  uint8_t register_at(size_t index) const { return registers_[index]; }
  /// bytes() will be dense.
  void make_dense() { dense_ = true; }
  /// With the cached estimate out of date; sparse while that is allowed and small enough.
  std::string bytes() const;

 private:
  bool merge_sparse(std::string_view runs);
  /// nullopt: a value or the size is too large for the sparse form.
  std::optional<std::string> sparse() const;

  std::array<uint8_t, kRegisters> registers_{};
  bool dense_ = false;  // once dense, always dense
};

}  // namespace holdfast::family
