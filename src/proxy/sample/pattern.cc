#include "proxy/sample/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "conf/haproxy_value.h"
#include "proxy/config_parse.h"
#include "proxy/sample/network.h"

namespace holdfast::proxy {
namespace {

struct MethodRow {
  std::string_view name;
  PatternMethod method;
};
constexpr MethodRow kMethods[] = {
    {"found", PatternMethod::kFound}, {"bool", PatternMethod::kBoolean},  {"int", PatternMethod::kInteger},
    {"ip", PatternMethod::kAddress},  {"bin", PatternMethod::kBinary},    {"len", PatternMethod::kLength},
    {"str", PatternMethod::kExact},   {"sub", PatternMethod::kSubstring}, {"reg", PatternMethod::kRegex},
    {"beg", PatternMethod::kBegin},   {"end", PatternMethod::kEnd},       {"dir", PatternMethod::kDirectory},
    {"dom", PatternMethod::kDomain},
};

std::optional<std::string> unhex(std::string_view text) {
  std::string out;
  if (text.size() % 2 != 0) return std::nullopt;
  for (size_t i = 0; i < text.size(); ++i) {
    const char l = to_lower(text[i]);
    const bool letter = l >= 'a' && l <= 'f';
    if (!letter && (l < '0' || l > '9')) return std::nullopt;
    const int digit = letter ? l - 'a' + 10 : l - '0';
    if (i % 2 == 0) {
      out.push_back(static_cast<char>(digit * 16));
    } else {
      out.back() = static_cast<char>(out.back() | digit);
    }
  }
  return out;
}

class PatternParser {
 public:
  PatternParser(PatternMethod suggested, FileLookup* files) : files_(files) { set_->method = suggested; }

  std::string flags(const std::vector<std::string_view>& words) {
    size_t at = 0;
    for (; at < words.size() && words[at].size() > 1 && words[at][0] == '-'; ++at) {
      const std::string_view flag = words[at];
      if (flag == "--") {
        ++at;
        break;
      }
      if (flag == "-i") {
        set_->ignore_case = true;
      } else if (flag == "-n" || flag == "-M") {
        continue;  // no names are looked up anyway; map files hold keys first
      } else if (flag == "-u") {
        ++at;
      } else if (flag == "-f" && at + 1 < words.size()) {
        paths_.push_back(words[++at]);
      } else if (flag == "-m" && at + 1 < words.size()) {
        const auto row = std::ranges::find(kMethods, words[++at], &MethodRow::name);
        if (row == std::end(kMethods)) {
          return fmt::format("unknown matching method '{}' when parsing ACL expression", words[at]);
        }
        set_->method = row->method;
      } else if (conf::whole_integer(flag)) {
        break;  // a negative number
      } else {
        return fmt::format("'{}' is not a valid flag when parsing ACL expression", flag);
      }
    }
    return patterns({words.begin() + static_cast<long>(at), words.end()});
  }
  std::shared_ptr<const PatternSet> take() { return set_; }

 private:
  std::string patterns(const std::vector<std::string_view>& words) {
    for (std::string_view path : paths_) {
      if (std::string error = file(path); !error.empty()) return error;
    }
    std::string_view verb;
    for (std::string_view word : words) {
      const bool numbers = set_->method == PatternMethod::kInteger || set_->method == PatternMethod::kLength;
      if (numbers && (word == "eq" || word == "ge" || word == "gt" || word == "le" || word == "lt")) {
        verb = word;
        continue;
      }
      if (std::string error = one(word, verb); !error.empty()) return error;
    }
    return "";
  }

  std::string file(std::string_view path) {
    const auto text = files_ == nullptr ? std::unexpected(std::string()) : files_->read(std::string(path));
    if (!text) return fmt::format("failed to open pattern file <{}>", path);
    int number = 0;
    for (std::string_view line : split(*text, '\n')) {
      ++number;
      line = trim(line);
      if (line.empty() || line.starts_with('#')) continue;
      if (const std::string error = one(line, ""); !error.empty()) {
        return fmt::format("{} at line {} of file <{}>", error, number, path);
      }
    }
    return "";
  }

  std::string range(std::string_view word, std::string_view verb) {
    const size_t colon = word.find(':');
    const auto low = conf::whole_integer(word.substr(0, colon));
    const auto high = colon == std::string_view::npos ? low : conf::whole_integer(word.substr(colon + 1));
    if (!low || !high) return fmt::format("'{}' is neither a number nor a supported operator", word);
    if (verb.empty() || verb == "eq") set_->ranges.emplace_back(*low, *high);
    if (verb == "ge") set_->ranges.emplace_back(*low, INT64_MAX);
    if (verb == "gt") set_->ranges.emplace_back(*low == INT64_MAX ? *low : *low + 1, INT64_MAX);
    if (verb == "le") set_->ranges.emplace_back(INT64_MIN, *low);
    if (verb == "lt") set_->ranges.emplace_back(INT64_MIN, *low == INT64_MIN ? *low : *low - 1);
    return "";
  }

  std::string one(std::string_view word, std::string_view verb) {
    bool v6 = false;
    switch (set_->method) {
      case PatternMethod::kInteger:
      case PatternMethod::kLength:
        return range(word, verb);
      case PatternMethod::kAddress: {
        const auto colon = word.find('/');
        if (!address_bytes(word.substr(0, colon), &v6)) {
          return fmt::format("'{}' is not a valid IPv4 or IPv6 address", word);
        }
        break;
      }
      case PatternMethod::kRegex: {
        auto regex = Regex::compile(word, set_->ignore_case);
        if (!regex) return fmt::format("regex '{}' is invalid ({})", word, regex.error());
        set_->regexes.push_back(std::move(*regex));
        return "";
      }
      case PatternMethod::kBinary: {
        const auto bytes = unhex(word);
        if (!bytes) return fmt::format("an even number of hex digit is expected in '{}'", word);
        set_->texts.push_back(*bytes);
        return "";
      }
      case PatternMethod::kBoolean:
      case PatternMethod::kFound:
        return "";  // nothing to compare with
      case PatternMethod::kExact:
      case PatternMethod::kBegin:
      case PatternMethod::kEnd:
      case PatternMethod::kSubstring:
      case PatternMethod::kDirectory:
      case PatternMethod::kDomain:
        break;
    }
    set_->texts.emplace_back(word);
    return "";
  }

  FileLookup* files_;
  std::vector<std::string_view> paths_;
  std::shared_ptr<PatternSet> set_ = std::make_shared<PatternSet>();
};

bool same(std::string_view a, std::string_view b, bool ignore_case) {
  return ignore_case ? equal_ignoring_case(a, b) : a == b;
}

/// `pattern` stands between delimiters or ends of `text`.
bool delimited(std::string_view text, std::string_view pattern, std::string_view delimiters, bool ignore_case) {
  auto is_edge = [&](size_t at) { return delimiters.find(text[at]) != std::string_view::npos; };
  pattern = trim(pattern, delimiters);
  for (size_t at = 0; at + pattern.size() <= text.size(); ++at) {
    if (at > 0 && !is_edge(at - 1)) continue;
    const size_t end = at + pattern.size();
    if (end < text.size() && !is_edge(end)) continue;
    if (same(text.substr(at, pattern.size()), pattern, ignore_case)) return true;
  }
  return false;
}

bool text_matches(PatternMethod method, std::string_view text, std::string_view pattern, bool ignore_case) {
  switch (method) {
    case PatternMethod::kExact:
    case PatternMethod::kBinary:
      return same(text, pattern, ignore_case);
    case PatternMethod::kBegin:
      return text.size() >= pattern.size() && same(text.substr(0, pattern.size()), pattern, ignore_case);
    case PatternMethod::kEnd:
      return text.size() >= pattern.size() && same(text.substr(text.size() - pattern.size()), pattern, ignore_case);
    case PatternMethod::kSubstring:
      for (size_t at = 0; at + pattern.size() <= text.size(); ++at) {
        if (same(text.substr(at, pattern.size()), pattern, ignore_case)) return true;
      }
      return false;
    case PatternMethod::kDirectory:
      return delimited(text, pattern, "/?", ignore_case);
    case PatternMethod::kDomain:
      return delimited(text, pattern, "/?.:", ignore_case);
    default:
      return false;
  }
}

}  // namespace

PatternMethod method_for(ValueType type) {
  switch (type) {
    case ValueType::kBoolean:
      return PatternMethod::kBoolean;
    case ValueType::kInteger:
      return PatternMethod::kInteger;
    case ValueType::kAddress:
      return PatternMethod::kAddress;
    case ValueType::kString:
      return PatternMethod::kExact;
    case ValueType::kBinary:
      return PatternMethod::kBinary;
  }
  return PatternMethod::kExact;
}

bool PatternSet::matches(const Value& value) const {
  auto in_ranges = [this](int64_t number) {
    return std::ranges::any_of(ranges, [number](const auto& r) { return number >= r.first && number <= r.second; });
  };
  switch (method) {
    case PatternMethod::kFound:
      return true;
    case PatternMethod::kBoolean:
      return value.as_boolean().value_or(false);
    case PatternMethod::kInteger: {
      const auto number = value.as_number();
      if (!number) return false;
      return ranges.empty() ? *number != 0 : in_ranges(*number);
    }
    case PatternMethod::kLength:
      return in_ranges(static_cast<int64_t>(value.as_bytes().size()));
    case PatternMethod::kAddress:
      return std::ranges::any_of(texts, [&](const std::string& network) { return in_network(value.text, network); });
    case PatternMethod::kRegex: {
      const std::string text = value.as_bytes();
      return std::ranges::any_of(regexes, [&](const Regex& regex) { return regex.matches(text); });
    }
    default: {
      const std::string text = value.as_bytes();
      return std::ranges::any_of(
          texts, [&](const std::string& pattern) { return text_matches(method, text, pattern, ignore_case); });
    }
  }
}

std::expected<std::shared_ptr<const PatternSet>, std::string> parse_patterns(const std::vector<std::string_view>& words,
                                                                             PatternMethod suggested,
                                                                             FileLookup* files) {
  PatternParser parser(suggested, files);
  if (std::string error = parser.flags(words); !error.empty()) return std::unexpected(std::move(error));
  return parser.take();
}

}  // namespace holdfast::proxy
