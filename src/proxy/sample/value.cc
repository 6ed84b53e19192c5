#include "proxy/sample/value.h"

#include <fmt/format.h>

#include "conf/haproxy_value.h"

namespace holdfast::proxy {

std::string Value::as_text() const {
  switch (type) {
    case ValueType::kBoolean:
    case ValueType::kInteger:
      return std::to_string(integer);
    case ValueType::kAddress:
    case ValueType::kString:
      return text;
    case ValueType::kBinary:
      break;
  }
  std::string out;
  for (char c : text) out += fmt::format("{:02X}", static_cast<unsigned char>(c));
  return out;
}

std::string Value::as_bytes() const { return type == ValueType::kBinary ? text : as_text(); }

std::optional<int64_t> Value::as_number() const {
  switch (type) {
    case ValueType::kBoolean:
    case ValueType::kInteger:
      return integer;
    case ValueType::kString:
    case ValueType::kBinary:
      return conf::whole_integer(text);
    case ValueType::kAddress:
      break;
  }
  return std::nullopt;
}

std::optional<bool> Value::as_boolean() const {
  const auto number = as_number();
  if (!number) return std::nullopt;
  return *number != 0;
}

}  // namespace holdfast::proxy
