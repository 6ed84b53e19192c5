// LOLWUT: the server's version with a drawing. The pictures are ours; arguments and sizes are the original's.
#include <fmt/format.h>

#include <algorithm>

#include "base/prng.h"
#include "base/text.h"
#include "base/version.h"
#include "family/bindings.h"

namespace holdfast::family {
namespace {

constexpr int64_t kLinesMax = 1000;

/// Argument `index`, or `initial` where it is missing. False: answered with an error.
bool read_size(Context& c, size_t index, int64_t most, int64_t& value) {
  if (index >= c.argv.size()) return true;
  const auto given = parse_int64(c.argv[index]);
  if (!given) return c.reply.error(command::kNotAnInteger), false;
  value = std::clamp<int64_t>(*given, 1, most);
  return true;
}

/// Rings around two points, where they meet turned inside out; dots of Braille characters, two by four each.
std::string draw_rings(int64_t columns, int64_t lines, Prng& prng) {
  const auto width = static_cast<uint64_t>(columns * 2);
  const auto height = static_cast<uint64_t>(lines * 4);
  const uint64_t x[] = {prng.below(width), prng.below(width)};
  const uint64_t y[] = {prng.below(height), prng.below(height)};
  const uint64_t ring = 40 + prng.below(80);
  const auto dot = [&](uint64_t px, uint64_t py) {
    uint64_t rings = 0;
    for (int i = 0; i < 2; ++i) rings += ((px - x[i]) * (px - x[i]) + (py - y[i]) * (py - y[i])) / ring;
    return rings % 2 == 0;
  };
  static constexpr uint8_t kBits[4][2] = {{0, 3}, {1, 4}, {2, 5}, {6, 7}};
  std::string out;
  for (uint64_t line = 0; line < static_cast<uint64_t>(lines); ++line) {
    for (uint64_t column = 0; column < static_cast<uint64_t>(columns); ++column) {
      unsigned dots = 0;
      for (unsigned row = 0; row < 4; ++row) {
        for (unsigned side = 0; side < 2; ++side) {
          if (dot(column * 2 + side, line * 4 + row)) dots |= 1u << kBits[row][side];
        }
      }
      // U+2800 + dots in UTF-8.
      out += '\xe2';
      out += static_cast<char>(0xa0 + (dots >> 6));
      out += static_cast<char>(0x80 + (dots & 0x3f));
    }
    out += '\n';
  }
  return out;
}

/// A coast at night: water, hills of random height, stars.
std::string draw_coast(int64_t columns, int64_t rows, Prng& prng) {
  const auto height = static_cast<uint64_t>(rows);
  std::vector<uint64_t> hills;
  uint64_t top = height / 3;
  for (int64_t i = 0; i < columns; ++i) {
    top = std::min(top + prng.below(3), height * 2 / 3 + 1);
    top = top > 0 ? top - 1 : 0;
    hills.push_back(top);
  }
  std::string out;
  for (uint64_t row = 0; row < height; ++row) {
    const uint64_t above_ground = height - row;
    for (const uint64_t hill : hills) {
      if (above_ground <= height / 8) {
        out += "░";
      } else if (above_ground <= hill) {
        out += "▓";
      } else {
        out += prng.below(60) == 0 ? "." : " ";
      }
    }
    out += '\n';
  }
  return out;
}

void lolwut_command(Context& c) {
  int64_t version = 7;
  size_t first = 1;
  if (c.argv.size() >= 3 && equal_ignoring_case(c.argv[1], "version")) {
    const auto given = parse_int64(c.argv[2]);
    if (!given) return c.reply.error(command::kNotAnInteger);
    version = *given;
    first = 3;
  }
  std::string drawing;
  if (version == 5) {
    int64_t columns = 66;
    int64_t squares_in_row = 8;
    int64_t squares_in_column = 12;
    if (!read_size(c, first, 1000, columns) || !read_size(c, first + 1, 200, squares_in_row) ||
        !read_size(c, first + 2, 200, squares_in_column)) {
      return;
    }
    const int64_t lines = std::clamp<int64_t>(columns * squares_in_column / squares_in_row / 2, 1, kLinesMax);
    drawing = draw_rings(columns, lines, c.state.prng) + "\nRings on water. ";
  } else if (version == 6) {
    int64_t columns = 80;
    int64_t rows = 20;
    if (!read_size(c, first, 1000, columns) || !read_size(c, first + 1, kLinesMax, rows)) return;
    drawing = draw_coast(columns, rows, c.state.prng) + "\nA coast at night. ";
  }
  c.reply.verbatim("txt", fmt::format("{}Redis ver. {}\n", drawing, kRedisVersion));
}

constexpr Binding kBindings[] = {{"lolwut", lolwut_command}};

}  // namespace

std::span<const Binding> lolwut_bindings() { return kBindings; }

}  // namespace holdfast::family
