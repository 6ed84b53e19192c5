// LatencyHistogram: how often a command took how long, in classes whose width grows with the time.
//
// Units: nanoseconds. Every class is at most 1/128 of its times wide, as in the original's histograms of two
// significant digits: the figures of LATENCY HISTOGRAM and of INFO latencystats name the same classes.
#pragma once

#include <cstdint>
#include <vector>

#include "store/function_ref.h"

namespace holdfast::family {

class LatencyHistogram {
 public:
  static constexpr int64_t kLongest = 1'000'000'000;  // what takes longer counts as this long

  LatencyHistogram() : counts_(kClasses) {}

  void record(int64_t ns);
  uint64_t total() const { return total_; }
  /// The upper end of the class that `percentile` (0 to 100) of all times lie in or below.
  int64_t at_percentile(double percentile) const;
  /// Cumulated counts at about 1, 2, 4... microseconds, where they grow.
  void visit_levels(store::FunctionRef<void(int64_t us, uint64_t count)> visit) const;

 private:
  static constexpr int kHalfBits = 7;
  static constexpr size_t kHalf = size_t{1} << kHalfBits;
  static constexpr size_t kClasses = 24 * kHalf;  // up to 2^30 ns

  static size_t class_of(int64_t ns);
  static int64_t upper_end(size_t index);

  std::vector<uint64_t> counts_;
  uint64_t total_ = 0;
};

}  // namespace holdfast::family
