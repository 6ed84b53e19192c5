// Scores as text inside RDB files: what every version has printed with %.17g.
#pragma once

#include <charconv>
#include <string_view>

namespace holdfast::codec::rdb {

/// False if `text` is not one whole number (`inf` and `nan` included).
inline bool parse_score(std::string_view text, double& value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace holdfast::codec::rdb
