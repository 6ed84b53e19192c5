// The wire's names for a row's flags, categories and key flags, in the original's order, and the legacy key range.
#pragma once

#include <string_view>
#include <vector>

#include "command/spec.h"

namespace holdfast::command {

std::vector<std::string_view> flag_names(uint32_t flags);
std::vector<std::string_view> category_names(uint32_t categories);
std::vector<std::string_view> key_flag_names(uint16_t flags);

/// COMMAND INFO's first key, last key, step: what one index-and-range key spec can say, 0 0 0 otherwise.
struct LegacyKeyRange {
  int first = 0;
  int last = 0;
  int step = 0;
};
LegacyKeyRange legacy_key_range(const Spec& spec);

}  // namespace holdfast::command
