#include "family/geo_hash.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

namespace holdfast::family {
namespace {

constexpr int kStepMax = 26;
constexpr double kEarthRadius = 6372797.560856;
constexpr double kMercatorMax = 20037726.37;
constexpr double kDegree = std::numbers::pi / 180.0;

double radians(double degrees) { return degrees * kDegree; }
double degrees(double radians) { return radians / kDegree; }

/// One of 4^step cells: column and row of a grid over the map.
struct Cell {
  uint32_t x = 0;  // longitude
  uint32_t y = 0;  // latitude
  int step = 0;

  uint64_t bits() const {
    uint64_t out = 0;
    for (int i = 0; i < 32; ++i) {
      out |= static_cast<uint64_t>(y >> i & 1) << (2 * i) | static_cast<uint64_t>(x >> i & 1) << (2 * i + 1);
    }
    return out;
  }
  /// The neighbour `dx` columns and `dy` rows away; both wrap around.
  Cell neighbour(int dx, int dy) const {
    const uint32_t mask = step == 32 ? UINT32_MAX : (1u << step) - 1;
    return {(x + static_cast<uint32_t>(dx)) & mask, (y + static_cast<uint32_t>(dy)) & mask, step};
  }
  bool operator==(const Cell&) const = default;
};

struct Box {
  double longitude_min = 0;
  double longitude_max = 0;
  double latitude_min = 0;
  double latitude_max = 0;
};

Cell cell_of(GeoPosition at, int step, double latitude_max) {
  const double cells = static_cast<double>(1ULL << step);
  const double y = (at.latitude + latitude_max) / (latitude_max + latitude_max) * cells;
  const double x = (at.longitude + kGeoLongitudeMax) / (kGeoLongitudeMax + kGeoLongitudeMax) * cells;
  return {static_cast<uint32_t>(x), static_cast<uint32_t>(y), step};
}

Box box_of(const Cell& cell) {
  const double cells = static_cast<double>(1ULL << cell.step);
  constexpr double kWidth = 2 * kGeoLongitudeMax;
  constexpr double kHeight = 2 * kGeoLatitudeMax;
  return {
      -kGeoLongitudeMax + (cell.x * 1.0 / cells) * kWidth, -kGeoLongitudeMax + ((cell.x + 1) * 1.0 / cells) * kWidth,
      -kGeoLatitudeMax + (cell.y * 1.0 / cells) * kHeight, -kGeoLatitudeMax + ((cell.y + 1) * 1.0 / cells) * kHeight};
}

/// How fine a grid may be so that a cell and its neighbours cover the radius.
int step_for(double radius, double latitude) {
  if (radius == 0) return kStepMax;
  int step = 1;
  for (; radius < kMercatorMax; radius *= 2) ++step;
  step -= 2;
  // Meridians come together towards the poles.
  if (std::abs(latitude) > 66) --step;
  if (std::abs(latitude) > 80) --step;
  return std::clamp(step, 1, kStepMax);
}

Box bounds_of(const GeoArea& area) {
  const double height = area.radius >= 0 ? area.radius : area.height / 2;
  const double width = area.radius >= 0 ? area.radius : area.width / 2;
  const double latitude = area.center.latitude;
  const double latitude_delta = degrees(height / kEarthRadius);
  const double edge = latitude < 0 ? latitude - latitude_delta : latitude + latitude_delta;  // nearer to the pole
  const double longitude_delta = degrees(width / kEarthRadius / std::cos(radians(edge)));
  return {area.center.longitude - longitude_delta, area.center.longitude + longitude_delta, latitude - latitude_delta,
          latitude + latitude_delta};
}

bool neighbours_cover(const Cell& cell, const Box& bounds) {
  return box_of(cell.neighbour(0, 1)).latitude_max >= bounds.latitude_max &&
         box_of(cell.neighbour(0, -1)).latitude_min <= bounds.latitude_min &&
         box_of(cell.neighbour(1, 0)).longitude_max >= bounds.longitude_max &&
         box_of(cell.neighbour(-1, 0)).longitude_min <= bounds.longitude_min;
}

}  // namespace

uint64_t geo_encode(GeoPosition position) { return cell_of(position, kStepMax, kGeoLatitudeMax).bits(); }

GeoPosition geo_decode(double score) {
  constexpr double kScoreMax = 9.2e18;
  const uint64_t bits = std::abs(score) < kScoreMax ? static_cast<uint64_t>(static_cast<int64_t>(score)) : 0;
  Cell cell{0, 0, kStepMax};
  for (int i = 0; i < 32; ++i) {
    cell.y |= static_cast<uint32_t>(bits >> (2 * i) & 1) << i;
    cell.x |= static_cast<uint32_t>(bits >> (2 * i + 1) & 1) << i;
  }
  const Box box = box_of(cell);
  return {std::clamp((box.longitude_min + box.longitude_max) / 2, -kGeoLongitudeMax, kGeoLongitudeMax),
          std::clamp((box.latitude_min + box.latitude_max) / 2, -kGeoLatitudeMax, kGeoLatitudeMax)};
}

std::string geo_text(GeoPosition position) {
  static constexpr char kAlphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
  constexpr double kStandardLatitudeMax = 90;
  const uint64_t bits = cell_of(position, kStepMax, kStandardLatitudeMax).bits();
  std::string out;
  for (int i = 1; i <= 10; ++i) out += kAlphabet[bits >> (52 - i * 5) & 0x1f];
  return out + '0';  // COMPAT: 52 bits make ten characters and a bit; the original pads
}

double geo_distance(GeoPosition a, GeoPosition b) {
  const double v = std::sin((radians(b.longitude) - radians(a.longitude)) / 2);
  if (v == 0.0) return kEarthRadius * std::abs(radians(b.latitude) - radians(a.latitude));
  const double from = radians(a.latitude);
  const double to = radians(b.latitude);
  const double u = std::sin((to - from) / 2);
  return 2.0 * kEarthRadius * std::asin(std::sqrt(u * u + std::cos(from) * std::cos(to) * v * v));
}

bool GeoArea::contains(GeoPosition position, double& distance) const {
  if (radius < 0) {
    if (kEarthRadius * std::abs(radians(center.latitude) - radians(position.latitude)) > height / 2) return false;
    if (geo_distance(position, {center.longitude, position.latitude}) > width / 2) return false;
  }
  distance = geo_distance(center, position);
  return radius < 0 || distance <= radius;
}

std::vector<GeoRange> geo_cover(const GeoArea& area) {
  const Box bounds = bounds_of(area);
  const double radius = area.radius >= 0
                            ? area.radius
                            : std::sqrt(area.width / 2 * (area.width / 2) + area.height / 2 * (area.height / 2));
  int step = step_for(radius, area.center.latitude);
  Cell cell = cell_of(area.center, step, kGeoLatitudeMax);
  if (step > 1 && !neighbours_cover(cell, bounds)) cell = cell_of(area.center, --step, kGeoLatitudeMax);
  const Box own = box_of(cell);
  // A side that lies inside the own cell needs no neighbours, except on the coarsest grid.
  const bool fine = step >= 2;
  const bool no_south = fine && own.latitude_min < bounds.latitude_min;
  const bool no_north = fine && own.latitude_max > bounds.latitude_max;
  const bool no_west = fine && own.longitude_min < bounds.longitude_min;
  const bool no_east = fine && own.longitude_max > bounds.longitude_max;
  static constexpr struct {
    int dx;
    int dy;
  } kOrder[] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
  std::vector<GeoRange> ranges;
  std::optional<Cell> last;  // COMPAT: the original never compares with the first cell
  for (size_t i = 0; i < std::size(kOrder); ++i) {
    const auto [dx, dy] = kOrder[i];
    if ((dy < 0 && no_south) || (dy > 0 && no_north) || (dx < 0 && no_west) || (dx > 0 && no_east)) continue;
    const Cell one = cell.neighbour(dx, dy);
    if (last && *last == one) continue;
    const int shift = 2 * (kStepMax - step);
    ranges.push_back({one.bits() << shift, (one.bits() + 1) << shift});
    if (i > 0) last = one;
  }
  return ranges;
}

}  // namespace holdfast::family
