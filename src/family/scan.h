// SCAN's common grammar: cursor, MATCH, COUNT, TYPE - for SCAN, HSCAN, SSCAN and ZSCAN.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "family/context.h"

namespace holdfast::family {

struct ScanOptions {
  uint64_t cursor = 0;
  int64_t count = 10;
  std::string_view match;  // empty: everything
  std::string_view type;   // SCAN only
  bool matches(std::string_view name) const;
};

/// Reads the cursor at `cursor_at` and the options behind it; nullopt: the error is written.
std::optional<ScanOptions> read_scan_options(Context& context, size_t cursor_at, bool with_type);
std::optional<uint64_t> read_cursor(Context& context, std::string_view text);

}  // namespace holdfast::family
