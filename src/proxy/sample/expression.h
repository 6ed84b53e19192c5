// Expressions: `src`, `be_conn(bk)`, `req.payload(0,4),lower` - a fetch and converters, parsed to values.
// Source: HAProxy configuration manual 7.3 "Fetching samples" and 7.3.1 "Converters".
// Invariant of a parsed expression: its fetch and converters exist and have as many arguments as they take.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/sample/value.h"

namespace holdfast::proxy {

class SampleContext;

struct ConverterCall {
  uint16_t converter = 0;  // row of converters()
  std::vector<std::string> arguments;
  bool operator==(const ConverterCall&) const = default;
};
struct Expression {
  uint16_t fetch = 0;  // row of fetches()
  std::vector<std::string> arguments;
  std::vector<ConverterCall> converters;
  std::string text;  // as written
  bool operator==(const Expression&) const = default;
};

/// `place` names what is parsed, for messages: `ACL expression`, `sample expression`. Errors in HAProxy's words.
std::expected<Expression, std::string> parse_expression(std::string_view text, std::string_view place);
Sample evaluate(const Expression& expression, const SampleContext& context);

/// What a fetch may need; a rule set refuses expressions whose needs it cannot meet.
inline constexpr uint8_t kNeedsNothing = 0;
inline constexpr uint8_t kNeedsRequest = 1;   // bytes of the client
inline constexpr uint8_t kNeedsResponse = 2;  // bytes of the server
inline constexpr uint8_t kNeedsHttp = 4;      // an HTTP request of the responder

struct FetchRow {
  std::string_view name;
  uint8_t arguments_min = 0;
  uint8_t arguments_max = 0;
  ValueType type = ValueType::kInteger;  // decides how patterns match unless -m says otherwise
  uint8_t needs = kNeedsNothing;
  Sample (*run)(const SampleContext&, const std::vector<std::string>& arguments) = nullptr;
};
struct ConverterRow {
  std::string_view name;
  uint8_t arguments_min = 0;
  uint8_t arguments_max = 0;
  /// nullopt: the value cannot be converted.
  std::optional<Value> (*run)(const Value&, const std::vector<std::string>& arguments) = nullptr;
};
const FetchRow& fetch_at(uint16_t index);
const ConverterRow& converter_at(uint16_t index);
/// The rows of fetch.cc and convert.cc.
const FetchRow* fetch_rows(size_t* count);
const FetchRow* tls_fetch_rows(size_t* count);  // of fetch_tls.cc, behind those
const ConverterRow* converter_rows(size_t* count);
uint8_t needs_of(const Expression& expression);

}  // namespace holdfast::proxy
