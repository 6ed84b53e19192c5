// The expression of `.if`, `.elif` and `-cc`.
//
// Source: HAProxy configuration manual 2.4 "Conditional blocks". AND binds tighter than OR, both are evaluated lazily
// from the left, but every part must parse.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::conf {

struct ConditionFacts {
  std::string_view version;                    // `3.4.0-holdfast`
  std::span<const std::string_view> features;  // `+EPOLL`, `-LUA`, ...
  const std::map<std::string, std::string>* variables = nullptr;
};

struct ConditionResult {
  bool value = false;
  std::string error;    // empty = parsed; names the place: `unparsable conditional expression 'x'`
  size_t error_at = 0;  // offset of the place in the expression
};

ConditionResult evaluate_condition(std::string_view expression, const ConditionFacts& facts);

/// Negative, zero or positive as version `a` is older than, equal to or newer than `b`. `2.4-dev19` < `2.4`.
int compare_versions(std::string_view a, std::string_view b);

}  // namespace holdfast::conf
