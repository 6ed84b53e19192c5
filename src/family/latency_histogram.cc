#include "family/latency_histogram.h"

#include <algorithm>
#include <bit>

namespace holdfast::family {

size_t LatencyHistogram::class_of(int64_t ns) {
  const auto value = static_cast<uint64_t>(ns);
  const int above = std::max(0, static_cast<int>(std::bit_width(value)) - (kHalfBits + 1));
  return (static_cast<size_t>(above) << kHalfBits) + (value >> above);
}

int64_t LatencyHistogram::upper_end(size_t index) {
  if (index < 2 * kHalf) return static_cast<int64_t>(index);
  const size_t above = index / kHalf - 1;
  return static_cast<int64_t>(((index % kHalf + kHalf + 1) << above) - 1);
}

void LatencyHistogram::record(int64_t ns) {
  ++counts_[class_of(std::clamp<int64_t>(ns, 1, kLongest))];
  ++total_;
}

int64_t LatencyHistogram::at_percentile(double percentile) const {
  const double share = std::clamp(percentile, 0.0, 100.0) / 100;
  const auto wanted = std::max<uint64_t>(1, static_cast<uint64_t>(share * static_cast<double>(total_) + 0.5));
  uint64_t seen = 0;
  size_t index = 0;
  for (; index < kClasses; ++index) {
    seen += counts_[index];
    if (seen >= wanted) break;
  }
  if (index == kClasses) return 0;
  // COMPAT: the lowest time of all is the lower end of its class.
  if (percentile == 0.0) return index == 0 ? 0 : upper_end(index - 1) + 1;
  return upper_end(index);
}

void LatencyHistogram::visit_levels(store::FunctionRef<void(int64_t, uint64_t)> visit) const {
  uint64_t seen = 0;
  uint64_t told = 0;
  size_t index = 0;
  // COMPAT: what lies behind the last level within the classes' reach is not told.
  for (int64_t level = 1024; level <= kLongest && told < total_; level *= 2) {
    const size_t last = class_of(level);
    for (; index <= last; ++index) seen += counts_[index];
    if (seen > told) visit(upper_end(last) / 1000, seen);
    told = seen;
  }
}

}  // namespace holdfast::family
