#include "base/text.h"

#include <charconv>

namespace holdfast {

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = to_lower(c);
  return out;
}

std::string to_upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

std::optional<int64_t> parse_int64(std::string_view text) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  const std::string_view digits = text[0] == '-' ? text.substr(1) : text;
  if (digits[0] == '0' && text.size() > 1) return std::nullopt;  // 00, 01, -0
  return value;
}

std::optional<uint64_t> parse_uint64(std::string_view text) {
  uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end || (text[0] == '0' && text.size() > 1)) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const size_t at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text, std::string_view set) {
  const size_t first = text.find_first_not_of(set);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(set) - first + 1);
}

std::string quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\a':
        out += "\\a";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        if (byte >= 0x20 && byte < 0x7f) {
          out += c;
        } else {
          out += "\\x";
          out += kHex[byte >> 4];
          out += kHex[byte & 15];
        }
    }
  }
  out += '"';
  return out;
}

namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// One escape sequence of a double-quoted word; `i` is at the backslash and ends at the sequence's last character.
char unescape(std::string_view line, size_t& i) {
  if (line[i + 1] == 'x' && i + 3 < line.size() && hex_value(line[i + 2]) >= 0 && hex_value(line[i + 3]) >= 0) {
    const int value = hex_value(line[i + 2]) * 16 + hex_value(line[i + 3]);
    i += 3;
    return static_cast<char>(value);
  }
  ++i;
  switch (line[i]) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return line[i];
  }
}

/// One quoted stretch; `i` is at the opening quote and ends behind the closing one.
bool quoted_stretch(std::string_view line, size_t& i, std::string& word) {
  const char quote = line[i++];
  for (; i < line.size(); ++i) {
    if (line[i] == quote) {
      ++i;
      return i >= line.size() || is_space(line[i]);
    }
    if (quote == '"' && line[i] == '\\' && i + 1 < line.size()) {
      word += unescape(line, i);
    } else if (quote == '\'' && line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '\'') {
      word += line[++i];
    } else {
      word += line[i];
    }
  }
  return false;
}

}  // namespace

bool split_quoted(std::string_view line, std::vector<std::string>& words) {
  words.clear();
  size_t i = 0;
  while (true) {
    while (i < line.size() && is_space(line[i])) ++i;
    if (i >= line.size() || line[i] == '\0') return true;
    std::string& word = words.emplace_back();
    // COMPAT: vertical tab and form feed separate words, but do not end one.
    while (i < line.size() && std::string_view(" \t\r\n\0", 5).find(line[i]) == std::string_view::npos) {
      if (line[i] == '"' || line[i] == '\'') {
        if (!quoted_stretch(line, i, word)) return false;
        break;
      }
      word += line[i++];
    }
  }
}

namespace {

/// Matches one character against the class starting after `[`; moves `p` past it.
/// COMPAT: an unterminated class ends at the end of the pattern, as in the original.
bool match_class(std::string_view pattern, size_t& p, char c, bool ignore_case) {
  const auto fold = [&](char x) { return static_cast<unsigned char>(ignore_case ? to_lower(x) : x); };
  bool negated = false;
  if (p < pattern.size() && pattern[p] == '^') {
    negated = true;
    ++p;
  }
  bool found = false;
  while (p < pattern.size() && pattern[p] != ']') {
    if (pattern[p] == '\\' && p + 1 < pattern.size()) {
      ++p;
      found |= pattern[p] == c;
      ++p;
    } else if (p + 2 < pattern.size() && pattern[p + 1] == '-') {
      auto low = fold(pattern[p]);
      auto high = fold(pattern[p + 2]);
      if (low > high) std::swap(low, high);
      found |= fold(c) >= low && fold(c) <= high;
      p += 3;
    } else {
      found |= fold(pattern[p]) == fold(c);
      ++p;
    }
  }
  if (p < pattern.size()) ++p;  // the closing bracket
  return found != negated;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text, bool ignore_case) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;  // pattern position after the last star
  size_t star_text = 0;                  // text position the last star was tried from
  while (t < text.size()) {
    bool matched = false;
    if (p < pattern.size()) {
      size_t next = p;
      switch (pattern[p]) {
        case '*':
          while (p < pattern.size() && pattern[p] == '*') ++p;
          star = p;
          star_text = t;
          continue;
        case '?':
          matched = true;
          next = p + 1;
          break;
        case '[':
          next = p + 1;
          matched = match_class(pattern, next, text[t], ignore_case);
          break;
        case '\\':
          if (p + 1 < pattern.size()) ++next;
          [[fallthrough]];
        default:
          matched = ignore_case ? to_lower(pattern[next]) == to_lower(text[t]) : pattern[next] == text[t];
          ++next;
      }
      if (matched) {
        p = next;
        ++t;
        continue;
      }
    }
    if (star == std::string_view::npos) return false;
    p = star;
    t = ++star_text;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace holdfast
