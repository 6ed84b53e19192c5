// The kinds of values that rows of server/config.h share: how each is read and printed. Included by the tables only.
//
// Source: redis.conf 7.2 (error texts).
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"
#include "server/config.h"

namespace holdfast::server {

inline constexpr std::string_view kWrongCount = "wrong number of arguments";

template <auto Member>
std::string parse_bool(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  const bool yes = equal_ignoring_case(values[0], "yes");
  if (!yes && !equal_ignoring_case(values[0], "no")) return "argument must be 'yes' or 'no'";
  settings.*Member = yes;
  return {};
}
template <auto Member>
std::string print_bool(const ConfigRow&, const Settings& settings) {
  return settings.*Member ? "yes" : "no";
}

template <auto Member, int64_t Min, int64_t Max>
std::string parse_integer(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  const auto value = parse_int64(values[0]);
  if (!value) return "argument couldn't be parsed into an integer";
  if (*value < Min || *value > Max) return fmt::format("argument must be between {} and {} inclusive", Min, Max);
  settings.*Member = *value;
  return {};
}
template <auto Member, int64_t Min, int64_t Max>
std::string parse_bytes(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  const auto value = parse_memory(values[0]);
  if (!value) return "argument must be a memory value";
  if (*value < Min || *value > Max) return fmt::format("argument must be between {} and {} inclusive", Min, Max);
  settings.*Member = *value;
  return {};
}
template <auto Member>
std::string print_integer(const ConfigRow&, const Settings& settings) {
  return std::to_string(settings.*Member);
}

template <auto Member>
std::string parse_text(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  settings.*Member = values[0];
  return {};
}
template <auto Member>
std::string print_text(const ConfigRow&, const Settings& settings) {
  return settings.*Member;
}

/// A word out of a comma separated list; stored in lower case.
template <auto Member>
std::string parse_choice(Settings& settings, Values values, std::string_view choices) {
  if (values.size() != 1) return std::string(kWrongCount);
  for (const std::string_view choice : split(choices, ',')) {
    if (equal_ignoring_case(trim(choice), values[0])) {
      settings.*Member = std::string(trim(choice));
      return {};
    }
  }
  return fmt::format("argument(s) must be one of the following: {}", choices);
}

inline constexpr int64_t kIntMin = std::numeric_limits<int32_t>::min();
inline constexpr int64_t kIntMax = std::numeric_limits<int32_t>::max();
inline constexpr int64_t kLongMax = std::numeric_limits<int64_t>::max();

#define HF_BOOL(name, alias, flags, member, summary) \
  ConfigRow { name, alias, flags, parse_bool<&Settings::member>, print_bool<&Settings::member>, summary }
#define HF_INTEGER(name, alias, flags, member, low, high, summary)                                             \
  ConfigRow {                                                                                                  \
    name, alias, flags, parse_integer<&Settings::member, low, high>, print_integer<&Settings::member>, summary \
  }
#define HF_BYTES(name, alias, flags, member, low, high, summary)                                                      \
  ConfigRow {                                                                                                         \
    name, alias, (flags) | kConfigBytes, parse_bytes<&Settings::member, low, high>, print_integer<&Settings::member>, \
        summary                                                                                                       \
  }
#define HF_TEXT(name, alias, flags, member, summary) \
  ConfigRow { name, alias, flags, parse_text<&Settings::member>, print_text<&Settings::member>, summary }

}  // namespace holdfast::server
