// Geohash: positions as 52-bit numbers that keep neighbours together, distances on a sphere, and which ranges of
// numbers cover a search area.
//
// Source: Redis documentation of GEOADD and GEOSEARCH; latitudes are limited to +-85.05112878 degrees (EPSG:3857). Bits
// of latitude and longitude alternate, longitude first; `step` bits each. Distances in metres, radius 6372797.560856 m.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::family {

struct GeoPosition {
  double longitude = 0;
  double latitude = 0;
};

inline constexpr double kGeoLongitudeMax = 180;
inline constexpr double kGeoLatitudeMax = 85.05112878;

/// 52 bits; `position` must be inside the limits.
uint64_t geo_encode(GeoPosition position);
/// The middle of the cell a score stands for.
GeoPosition geo_decode(double score);
/// The standard 11-character form; the last one is always `0`.
std::string geo_text(GeoPosition position);
double geo_distance(GeoPosition a, GeoPosition b);

/// A circle or, with radius < 0, an upright box around `center`; all in metres.
struct GeoArea {
  GeoPosition center;
  double radius = -1;
  double width = 0;
  double height = 0;

  /// Whether `position` is inside; `distance` from the centre is set if it is.
  bool contains(GeoPosition position, double& distance) const;
};

/// Scores [min, max).
struct GeoRange {
  uint64_t min = 0;
  uint64_t max = 0;
};
/// Ranges that together hold every position of `area`, in the order the original searches them.
std::vector<GeoRange> geo_cover(const GeoArea& area);

}  // namespace holdfast::family
