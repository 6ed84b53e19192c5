// Value: what a sample expression yields, and its casts. Source: HAProxy configuration manual 7.2 "Using patterns".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"

namespace holdfast::proxy {

enum class ValueType : uint8_t { kBoolean, kInteger, kAddress, kString, kBinary };

struct Value {
  ValueType type = ValueType::kBoolean;
  int64_t integer = 0;  // kBoolean, kInteger
  std::string text;     // kString, kBinary; kAddress: the numeric host

  static Value boolean(bool value) { return {ValueType::kBoolean, value ? 1 : 0, {}}; }
  static Value number(int64_t value) { return {ValueType::kInteger, value, {}}; }
  static Value string(std::string_view value) { return {ValueType::kString, 0, std::string(value)}; }
  static Value binary(std::string_view value) { return {ValueType::kBinary, 0, std::string(value)}; }
  static Value address(std::string_view host) { return {ValueType::kAddress, 0, std::string(host)}; }

  /// Numbers as digits, addresses in their text form, bytes as hex digits.
  std::string as_text() const;
  /// Bytes as they are.
  std::string as_bytes() const;
  /// Digits in a text; nullopt = no number.
  std::optional<int64_t> as_number() const;
  std::optional<bool> as_boolean() const;
  bool operator==(const Value&) const = default;
};

/// Where a fetch stands: the value, nothing, or nothing yet.
struct Sample {
  std::optional<Value> value;
  bool may_change = false;  // more bytes may bring or change it
};

}  // namespace holdfast::proxy
