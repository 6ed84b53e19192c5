#include "family/hll_sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace holdfast::family {
namespace {

constexpr size_t kDenseBytes = kHllHeaderBytes + HllSketch::kRegisters * 6 / 8;
constexpr size_t kSparseBytesMax = 3000;  // the original's hll-sparse-max-bytes, header included
constexpr int kIndexBits = 14;
constexpr int kHashBits = 64 - kIndexBits;
constexpr int kSparseValueMax = 32;
constexpr size_t kZerosMax = 64;  // of the short form
constexpr size_t kValuesMax = 4;

uint64_t murmur64(std::string_view bytes) {
  constexpr uint64_t kM = 0xc6a4a7935bd1e995;
  uint64_t hash = 0xadc83b19ULL ^ bytes.size() * kM;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    word *= kM;
    word ^= word >> 47;
    hash = (hash ^ word * kM) * kM;
  }
  if (!bytes.empty()) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), bytes.size());
    hash = (hash ^ word) * kM;
  }
  hash = (hash ^ hash >> 47) * kM;
  return hash ^ hash >> 47;
}

double sigma(double x) {
  if (x == 1.) return std::numeric_limits<double>::infinity();
  double y = 1;
  double z = x;
  for (double before = -1; before != z; y += y) {
    x *= x;
    before = z;
    z += x * y;
  }
  return z;
}

double tau(double x) {
  if (x == 0. || x == 1.) return 0.;
  double y = 1;
  double z = 1 - x;
  for (double before = -1; before != z;) {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}

}  // namespace

bool hll_is_sketch(std::string_view bytes) {
  if (bytes.size() < kHllHeaderBytes || !bytes.starts_with("HYLL")) return false;
  const auto encoding = static_cast<uint8_t>(bytes[4]);
  return encoding <= 1 && (encoding == 1 || bytes.size() == kDenseBytes);
}

std::optional<uint64_t> hll_cached_estimate(std::string_view bytes) {
  uint64_t estimate = 0;
  for (size_t i = 8; i-- > 0;) estimate = estimate << 8 | static_cast<uint8_t>(bytes[kHllCacheAt + i]);
  if (estimate >> 63 != 0) return std::nullopt;
  return estimate;
}

void hll_cache_estimate(std::span<char> bytes, uint64_t estimate) {
  for (size_t i = 0; i < 8; ++i) bytes[kHllCacheAt + i] = static_cast<char>(estimate >> (8 * i));
}

bool HllSketch::merge(std::string_view bytes) {
  const std::string_view body = bytes.substr(kHllHeaderBytes);
  if (bytes[4] != 0) return merge_sparse(body);
  dense_ = true;
  for (size_t i = 0; i < kRegisters; ++i) {
    const size_t bit = i * 6;
    uint32_t word = static_cast<uint8_t>(body[bit / 8]);
    if (bit / 8 + 1 < body.size()) word |= static_cast<uint32_t>(static_cast<uint8_t>(body[bit / 8 + 1])) << 8;
    registers_[i] = std::max(registers_[i], static_cast<uint8_t>(word >> bit % 8 & 63));
  }
  return true;
}

bool HllSketch::merge_sparse(std::string_view runs) {
  size_t at = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto byte = static_cast<uint8_t>(runs[i]);
    size_t length = (byte & 0x3f) + 1u;
    if ((byte & 0x80) != 0) {
      length = (byte & 3) + 1u;
      if (length > kRegisters - at) return false;
      const auto value = static_cast<uint8_t>((byte >> 2 & 0x1f) + 1);
      for (size_t j = at; j < at + length; ++j) registers_[j] = std::max(registers_[j], value);
    } else if ((byte & 0x40) != 0) {
      if (++i == runs.size()) return false;
      length = (static_cast<size_t>(byte & 0x3f) << 8 | static_cast<uint8_t>(runs[i])) + 1;
    }
    if (length > kRegisters - at) return false;
    at += length;
  }
  return at == kRegisters;
}

bool HllSketch::add(std::string_view element) {
  const uint64_t hash = murmur64(element);
  const uint64_t rest = hash >> kIndexBits | 1ULL << kHashBits;
  const auto run = static_cast<uint8_t>(std::countr_zero(rest) + 1);
  uint8_t& slot = registers_[hash & (kRegisters - 1)];
  if (run <= slot) return false;
  slot = run;
  return true;
}

uint64_t HllSketch::estimate() const {
  constexpr double kAlpha = 0.721347520444481703680;
  constexpr auto kM = static_cast<double>(kRegisters);
  std::array<int, 64> histogram{};
  for (const uint8_t value : registers_) ++histogram[value];
  double z = kM * tau((kM - histogram[kHashBits + 1]) / kM);
  for (size_t i = kHashBits; i >= 1; --i) z = (z + histogram[i]) * 0.5;
  z += kM * sigma(histogram[0] / kM);
  return static_cast<uint64_t>(std::llround(kAlpha * kM * kM / z));
}

std::optional<std::string> HllSketch::sparse() const {
  std::string out;
  for (size_t i = 0; i < kRegisters;) {
    const uint8_t value = registers_[i];
    if (value > kSparseValueMax) return std::nullopt;
    size_t length = 1;
    while (i + length < kRegisters && registers_[i + length] == value && (value == 0 || length < kValuesMax)) ++length;
    if (value != 0) {
      out += static_cast<char>(0x80 | (value - 1) << 2 | (length - 1));
    } else if (length <= kZerosMax) {
      out += static_cast<char>(length - 1);
    } else {
      out += static_cast<char>(0x40 | (length - 1) >> 8);
      out += static_cast<char>(length - 1);
    }
    if (out.size() + kHllHeaderBytes > kSparseBytesMax) return std::nullopt;
    i += length;
  }
  return out;
}

std::string HllSketch::bytes() const {
  std::string out("HYLL");
  out.resize(kHllHeaderBytes, '\0');
  out[kHllHeaderBytes - 1] = static_cast<char>(0x80);
  if (!dense_) {
    if (const auto runs = sparse()) {
      out[4] = 1;
      return out + *runs;
    }
  }
  out.resize(kDenseBytes, '\0');
  for (size_t i = 0; i < kRegisters; ++i) {
    const size_t bit = i * 6;
    const auto word = static_cast<uint32_t>(registers_[i]) << bit % 8;
    char* const at = out.data() + kHllHeaderBytes + bit / 8;
    at[0] = static_cast<char>(at[0] | static_cast<char>(word));
    if (word > 0xff) at[1] = static_cast<char>(at[1] | static_cast<char>(word >> 8));
  }
  return out;
}

}  // namespace holdfast::family
