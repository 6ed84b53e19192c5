// Handles: how hosts and machines name things to each other across turns, instead of pointers.
#pragma once

#include <cstdint>
#include <vector>

#include "base/assert.h"

namespace holdfast {

/// A connection. Allocated by the machine (SlotIds), dense in `index`, never equal to an earlier one.
struct ConnId {
  uint32_t index = 0;
  uint32_t generation = 0;  // 0 = no connection
  explicit operator bool() const { return generation != 0; }
  bool operator==(const ConnId&) const = default;
  auto operator<=>(const ConnId&) const = default;
};

enum class ListenerId : uint32_t {};
/// One request to the host that is answered later: a file operation, a child process, a name to resolve.
enum class JobId : uint64_t {};

/// Gives out ConnIds with reused indexes and fresh generations.
class SlotIds {
 public:
  ConnId allocate() {
    if (free_.empty()) {
      generations_.push_back(0);
      free_.push_back(static_cast<uint32_t>(generations_.size() - 1));
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    return ConnId{index, ++generations_[index] == 0 ? generations_[index] = 1 : generations_[index]};
  }
  void release(ConnId id) {
    HF_ASSERT(is_current(id));
    free_.push_back(id.index);
  }
  /// True while `id` is the newest handle given out for its index (released or not).
  bool is_current(ConnId id) const {
    return id.generation != 0 && id.index < generations_.size() && generations_[id.index] == id.generation;
  }

 private:
  std::vector<uint32_t> generations_;
  std::vector<uint32_t> free_;
};

}  // namespace holdfast

template <>
struct std::hash<holdfast::ConnId> {
  size_t operator()(const holdfast::ConnId& id) const noexcept {
    return (static_cast<size_t>(id.generation) << 32) | id.index;
  }
};
