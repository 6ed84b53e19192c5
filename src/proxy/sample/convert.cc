// The converters: from a value to a value. Source: HAProxy configuration manual 7.3.1.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "conf/haproxy_value.h"
#include "proxy/sample/expression.h"
#include "proxy/sample/network.h"

namespace holdfast::proxy {
namespace {

using Arguments = std::vector<std::string>;
using Result = std::optional<Value>;

int64_t number_of(const Arguments& arguments, size_t at, int64_t absent) {
  return at < arguments.size() ? conf::leading_integer(arguments[at]) : absent;
}

Result lower(const Value& in, const Arguments&) { return Value::string(to_lower(in.as_text())); }
Result upper(const Value& in, const Arguments&) { return Value::string(to_upper(in.as_text())); }
Result length(const Value& in, const Arguments&) { return Value::number(static_cast<int64_t>(in.as_bytes().size())); }
Result hex(const Value& in, const Arguments&) { return Value::string(Value::binary(in.as_bytes()).as_text()); }
Result bytes(const Value& in, const Arguments& a) {
  const std::string all = in.as_bytes();
  const auto from = static_cast<size_t>(std::max<int64_t>(0, number_of(a, 0, 0)));
  if (from > all.size()) return std::nullopt;
  const int64_t count = number_of(a, 1, static_cast<int64_t>(all.size()));
  return Value::binary(std::string_view(all).substr(from, static_cast<size_t>(std::max<int64_t>(0, count))));
}
Result hex2i(const Value& in, const Arguments&) {
  int64_t value = 0;
  for (char c : in.as_text()) {
    const char l = to_lower(c);
    const bool letter = l >= 'a' && l <= 'f';
    if (!letter && (l < '0' || l > '9')) return std::nullopt;
    value = static_cast<int64_t>(static_cast<uint64_t>(value) << 4 |
                                 static_cast<uint64_t>(letter ? l - 'a' + 10 : l - '0'));
  }
  return Value::number(value);
}

/// `field(2,:)`: the n-th piece between delimiters; negative counts from the end. `word` skips empty pieces.
Result piece(const Value& in, const Arguments& a, bool words) {
  const std::string text = in.as_text();
  const int64_t index = number_of(a, 0, 1);
  std::vector<std::string_view> pieces;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && a[1].find(text[i]) == std::string::npos) continue;
    const auto part = std::string_view(text).substr(begin, i - begin);
    if (!words || !part.empty()) pieces.push_back(part);
    begin = i + 1;
  }
  const auto count = static_cast<int64_t>(pieces.size());
  const int64_t at = index > 0 ? index - 1 : count + index;
  if (index == 0 || at < 0 || at >= count) return words ? Result() : Result(Value::string(""));
  return Value::string(pieces[static_cast<size_t>(at)]);
}
Result field(const Value& in, const Arguments& a) { return piece(in, a, false); }
Result word(const Value& in, const Arguments& a) { return piece(in, a, true); }
Result trim_left(const Value& in, const Arguments& a) {
  const std::string text = in.as_text();
  return Value::string(std::string_view(text).substr(std::min(text.find_first_not_of(a[0]), text.size())));
}
Result trim_right(const Value& in, const Arguments& a) {
  const std::string text = in.as_text();
  const size_t last = text.find_last_not_of(a[0]);
  return Value::string(std::string_view(text).substr(0, last == std::string::npos ? 0 : last + 1));
}
Result cut_line(const Value& in, const Arguments&) {
  const std::string text = in.as_text();
  return Value::string(std::string_view(text).substr(0, text.find_first_of("\r\n")));
}
Result concat(const Value& in, const Arguments& a) {
  return Value::string(in.as_text() + (a.empty() ? "" : a[0]) + (a.size() > 2 ? a[2] : ""));
}

template <int64_t (*kOperation)(int64_t, int64_t)>
Result arithmetic(const Value& in, const Arguments& a) {
  const auto left = in.as_number();
  if (!left) return std::nullopt;
  return Value::number(kOperation(*left, number_of(a, 0, 0)));
}
/// COMPAT: sums that do not fit stay at the limit.
int64_t add(int64_t a, int64_t b) {
  int64_t out = 0;
  if (__builtin_add_overflow(a, b, &out)) return a < 0 ? INT64_MIN : INT64_MAX;
  return out;
}
int64_t sub(int64_t a, int64_t b) {
  int64_t out = 0;
  if (__builtin_sub_overflow(a, b, &out)) return a < 0 ? INT64_MIN : INT64_MAX;
  return out;
}
int64_t mul(int64_t a, int64_t b) {
  int64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
  return out;
}
int64_t div(int64_t a, int64_t b) { return b == 0 ? (a >= 0 ? INT64_MAX : INT64_MIN) : b == -1 ? sub(0, a) : a / b; }
int64_t mod(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
int64_t bit_and(int64_t a, int64_t b) { return a & b; }
int64_t bit_or(int64_t a, int64_t b) { return a | b; }
int64_t bit_xor(int64_t a, int64_t b) { return a ^ b; }
int64_t neg(int64_t a, int64_t) { return sub(0, a); }

Result logic_not(const Value& in, const Arguments&) {
  const auto value = in.as_boolean();
  return value ? Result(Value::boolean(!*value)) : Result();
}
Result to_bool(const Value& in, const Arguments&) {
  const auto value = in.as_boolean();
  return value ? Result(Value::boolean(*value)) : Result();
}
Result odd(const Value& in, const Arguments&) {
  const auto value = in.as_number();
  return value ? Result(Value::boolean((*value & 1) != 0)) : Result();
}
Result even(const Value& in, const Arguments&) {
  const auto value = in.as_number();
  return value ? Result(Value::boolean((*value & 1) == 0)) : Result();
}
Result iif(const Value& in, const Arguments& a) {
  const auto value = in.as_boolean();
  if (!value) return std::nullopt;
  return Value::string(*value ? a[0] : a[1]);
}
Result strcmp_var(const Value& in, const Arguments& a) {
  const std::string text = in.as_text();
  return Value::number(text < a[0] ? -1 : text > a[0] ? 1 : 0);
}

/// `ipmask(24)` or `ipmask(255.255.255.0)`
Result ipmask(const Value& in, const Arguments& a) {
  int bits = static_cast<int>(conf::leading_integer(a[0]));
  bool v6 = false;
  if (const auto mask = address_bytes(a[0], &v6); mask && !v6) {
    bits = 0;
    for (size_t i = 12; i < 16; ++i) bits += __builtin_popcount((*mask)[i]);
  }
  return Value::address(masked_v4(in.text, bits));
}

Result crc32(const Value& in, const Arguments&) {
  uint32_t crc = 0xffffffff;
  for (char c : in.as_bytes()) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
  }
  return Value::number(crc ^ 0xffffffffU);
}
Result sdbm(const Value& in, const Arguments&) {
  uint32_t hash = 0;
  for (char c : in.as_bytes()) hash = static_cast<unsigned char>(c) + (hash << 6) + (hash << 16) - hash;
  return Value::number(hash);
}
Result djb2(const Value& in, const Arguments&) {
  uint32_t hash = 5381;
  for (char c : in.as_bytes()) hash = (hash << 5) + hash + static_cast<unsigned char>(c);
  return Value::number(hash);
}

constexpr ConverterRow kRows[] = {
    {"lower", 0, 0, lower},
    {"upper", 0, 0, upper},
    {"length", 0, 0, length},
    {"hex", 0, 0, hex},
    {"hex2i", 0, 0, hex2i},
    {"bytes", 1, 2, bytes},
    {"field", 2, 3, field},
    {"word", 2, 3, word},
    {"ltrim", 1, 1, trim_left},
    {"rtrim", 1, 1, trim_right},
    {"cut_crlf", 0, 0, cut_line},
    {"concat", 0, 3, concat},
    {"add", 1, 1, arithmetic<add>},
    {"sub", 1, 1, arithmetic<sub>},
    {"mul", 1, 1, arithmetic<mul>},
    {"div", 1, 1, arithmetic<div>},
    {"mod", 1, 1, arithmetic<mod>},
    {"and", 1, 1, arithmetic<bit_and>},
    {"or", 1, 1, arithmetic<bit_or>},
    {"xor", 1, 1, arithmetic<bit_xor>},
    {"neg", 0, 0, arithmetic<neg>},
    {"not", 0, 0, logic_not},
    {"bool", 0, 0, to_bool},
    {"odd", 0, 0, odd},
    {"even", 0, 0, even},
    {"iif", 2, 2, iif},
    {"strcmp", 1, 1, strcmp_var},
    {"ipmask", 1, 2, ipmask},
    {"crc32", 0, 1, crc32},
    {"sdbm", 0, 1, sdbm},
    {"djb2", 0, 1, djb2},
};

}  // namespace

const ConverterRow* converter_rows(size_t* count) {
  *count = std::size(kRows);
  return kRows;
}

}  // namespace holdfast::proxy
