// StreamId: the name and place of a stream's entry: milliseconds, then a sequence number within them.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

namespace holdfast::store {

struct StreamId {
  uint64_t ms = 0;
  uint64_t sequence = 0;

  auto operator<=>(const StreamId&) const = default;
  bool is_zero() const { return ms == 0 && sequence == 0; }
  /// nullopt: there is none.
  std::optional<StreamId> next() const {
    if (sequence != UINT64_MAX) return StreamId{ms, sequence + 1};
    if (ms != UINT64_MAX) return StreamId{ms + 1, 0};
    return std::nullopt;
  }
  std::optional<StreamId> previous() const {
    if (sequence != 0) return StreamId{ms, sequence - 1};
    if (ms != 0) return StreamId{ms - 1, UINT64_MAX};
    return std::nullopt;
  }
};

inline constexpr StreamId kStreamIdMin{0, 0};
inline constexpr StreamId kStreamIdMax{UINT64_MAX, UINT64_MAX};

}  // namespace holdfast::store
