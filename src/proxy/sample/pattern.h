// Patterns: how a condition compares a value: exact, beginning, substring, regular expression, network, number ranges.
// Source: HAProxy configuration manual 7.1 "ACL basics" (flags -i -f -m -n -u -M, operators eq ge gt le lt).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/check/regex.h"
#include "proxy/sample/expression.h"

namespace holdfast::proxy {

enum class PatternMethod : uint8_t {
  kBoolean,
  kInteger,
  kAddress,
  kLength,
  kFound,
  kExact,
  kBegin,
  kEnd,
  kSubstring,
  kDirectory,  // `/` separated
  kDomain,     // `.` separated
  kRegex,
  kBinary,
};

struct PatternSet {
  PatternMethod method = PatternMethod::kBoolean;
  bool ignore_case = false;
  std::vector<std::string> texts;
  std::vector<std::pair<int64_t, int64_t>> ranges;  // inclusive
  std::vector<Regex> regexes;

  bool matches(const Value& value) const;
};

class FileLookup;
/// `words` = what follows the fetch: flags and patterns. Errors in HAProxy's words. `suggested` is the method that the
/// keyword's own name asks for (`path_beg`), or the one of the value's type.
std::expected<std::shared_ptr<const PatternSet>, std::string> parse_patterns(const std::vector<std::string_view>& words,
                                                                             PatternMethod suggested,
                                                                             FileLookup* files);
PatternMethod method_for(ValueType type);

}  // namespace holdfast::proxy
