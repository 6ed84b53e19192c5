#include "conf/haproxy_condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace holdfast::conf {
namespace {

constexpr int kDepthMax = 64;

enum class Predicate : uint8_t { kDefined, kFeature, kStreq, kStrneq, kStrstr, kAtLeast, kBefore, kEnabled };
struct PredicateRow {
  std::string_view name;
  Predicate predicate;
  int arguments;  // required
};
constexpr PredicateRow kPredicates[] = {
    {"defined", Predicate::kDefined, 0},       {"feature", Predicate::kFeature, 0},
    {"streq", Predicate::kStreq, 2},           {"strneq", Predicate::kStrneq, 2},
    {"strstr", Predicate::kStrstr, 2},         {"version_atleast", Predicate::kAtLeast, 0},
    {"version_before", Predicate::kBefore, 0}, {"enabled", Predicate::kEnabled, 0},
};

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

class Evaluator {
 public:
  Evaluator(std::string_view text, const ConditionFacts& facts) : text_(text), facts_(facts) {}

  ConditionResult run() {
    ConditionResult result;
    result.value = or_expression(0);
    skip_spaces();
    if (error_.empty() && at_ < text_.size()) {
      fail(fmt::format("unexpected character '{}' at the end of conditional expression '{}'", text_[at_], text_), at_);
    }
    result.error = std::move(error_);
    result.error_at = error_at_;
    if (!result.error.empty()) result.value = false;
    return result;
  }

 private:
  bool or_expression(int depth) {
    const size_t begin = at_;
    bool value = and_expression(depth);
    while (error_.empty() && take("||")) {
      skip_spaces();
      if (at_ >= text_.size()) {
        fail(fmt::format("unparsable conditional expression '{}'", text_.substr(begin)), begin);
        return false;
      }
      const bool right = or_expression(depth);
      value = value || right;
    }
    return value;
  }

  bool and_expression(int depth) {
    bool value = term(depth);
    while (error_.empty()) {
      skip_spaces();
      const size_t begin = at_;
      if (!take("&&")) break;
      skip_spaces();
      if (at_ >= text_.size()) {
        fail(fmt::format("unparsable conditional expression '{}'", text_.substr(begin)), begin);
        return false;
      }
      const bool right = term(depth);
      value = value && right;
    }
    return value;
  }

  bool term(int depth) {
    const size_t begin = at_;
    skip_spaces();
    bool negated = false;
    while (at_ < text_.size() && text_[at_] == '!') {
      negated = !negated;
      ++at_;
      skip_spaces();
    }
    if (at_ >= text_.size() || depth > kDepthMax) {
      fail(fmt::format("unparsable conditional expression '{}'", text_.substr(begin)), begin);
      return false;
    }
    if (text_[at_] == '(') {
      const size_t open = at_++;
      const bool value = or_expression(depth + 1);
      if (!error_.empty()) return false;
      skip_spaces();
      if (at_ >= text_.size() || text_[at_] != ')') {
        fail(fmt::format("expected ')' after conditional expression '{}'", text_.substr(open)), open);
        return false;
      }
      ++at_;
      return value != negated;
    }
    bool value = false;
    if (integer(&value)) return value != negated;
    return predicate() != negated;
  }

  bool integer(bool* value) {
    size_t end = at_;
    if (end < text_.size() && (text_[end] == '-' || text_[end] == '+')) ++end;
    const size_t digits = end;
    *value = false;
    while (end < text_.size() && text_[end] >= '0' && text_[end] <= '9') *value |= text_[end++] != '0';
    if (end == digits) return false;
    at_ = end;
    return true;
  }

  bool predicate() {
    const size_t begin = at_;
    size_t end = at_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    const std::string_view name = text_.substr(begin, end - begin);
    const PredicateRow* row = nullptr;
    for (const PredicateRow& candidate : kPredicates) {
      if (candidate.name == name) row = &candidate;
    }
    if (row == nullptr) {
      fail(fmt::format("unparsable conditional expression '{}'", text_.substr(begin)), begin);
      return false;
    }
    at_ = end;
    std::vector<std::string> arguments;
    if (at_ < text_.size() && text_[at_] == '(' && !read_arguments(*row, &arguments)) return false;
    if (static_cast<int>(arguments.size()) < row->arguments) {
      fail(fmt::format("missing arguments (got {}/{}), type 'string' expected in argument {} of predicate '{}' used in "
                       "conditional expression",
                       arguments.size(), row->arguments, arguments.size(), row->name),
           begin);
      return false;
    }
    arguments.resize(2);
    return holds(row->predicate, arguments[0], arguments[1]);
  }

  bool read_arguments(const PredicateRow& row, std::vector<std::string>* arguments) {
    const size_t most = row.arguments == 0 ? 1 : static_cast<size_t>(row.arguments);
    ++at_;  // (
    std::string word;
    char quote = 0;
    while (true) {
      if (at_ >= text_.size()) {
        fail(fmt::format("expected ')' in argument {} of predicate '{}' used in conditional expression",
                         arguments->size() + 1, row.name),
             at_);
        return false;
      }
      const char c = text_[at_];
      if (c == '\\' && quote != '\'' && at_ + 1 < text_.size()) {
        word.push_back(text_[at_ + 1]);
        at_ += 2;
        continue;
      }
      if ((c == '"' || c == '\'') && (quote == 0 || quote == c)) {
        quote = quote == 0 ? c : '\0';
        ++at_;
        continue;
      }
      if (quote == 0 && (c == ',' || c == ')')) {
        arguments->push_back(std::move(word));
        word.clear();
        if (c == ',' && arguments->size() == most) {
          fail(fmt::format("expected ')' before '{}' in argument {} of predicate '{}' used in conditional expression",
                           text_.substr(at_), most == 1 ? 1 : most - 1, row.name),
               at_);
          return false;
        }
        ++at_;
        if (c == ')') return true;
        continue;
      }
      if (c == '$' && quote == '"') {
        word += variable();
        continue;
      }
      word.push_back(c);
      ++at_;
    }
  }

  /// `$name`, `${name}` or `${name-default}` in weak quotes; one that is not set is nothing.
  std::string variable() {
    ++at_;  // $
    const bool braces = at_ < text_.size() && text_[at_] == '{';
    if (braces) ++at_;
    const size_t from = at_;
    while (at_ < text_.size() && is_word(text_[at_]) && text_[at_] != '-' && text_[at_] != '.') ++at_;
    const std::string name(text_.substr(from, at_ - from));
    std::string absent;
    if (braces) {
      const size_t end = std::min(text_.find('}', at_), text_.size());
      if (at_ < end && text_[at_] == '-') absent = std::string(text_.substr(at_ + 1, end - at_ - 1));
      at_ = std::min(end + 1, text_.size());
    }
    if (facts_.variables == nullptr) return absent;
    const auto found = facts_.variables->find(name);
    return found == facts_.variables->end() ? absent : found->second;
  }

  bool holds(Predicate predicate, const std::string& a, const std::string& b) const {
    switch (predicate) {
      case Predicate::kDefined:
        return facts_.variables != nullptr && facts_.variables->contains(a);
      case Predicate::kFeature:
        if (a.empty()) return true;  // COMPAT: the empty name is found in the list
        for (std::string_view feature : facts_.features) {
          if (feature.starts_with('+') && feature.substr(1) == a) return true;
        }
        return false;
      case Predicate::kStreq:
        return a == b;
      case Predicate::kStrneq:
        return a != b;
      case Predicate::kStrstr:
        return a.find(b) != std::string::npos;
      case Predicate::kAtLeast:
        return compare_versions(facts_.version, a) >= 0;
      case Predicate::kBefore:
        return compare_versions(facts_.version, a) < 0;
      case Predicate::kEnabled:
        return a == "POLL" || a == "EPOLL" || a == "GETADDRINFO" || a == "REUSEPORT";
    }
    return false;
  }

  bool take(std::string_view token) {
    skip_spaces();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  void fail(std::string text, size_t at) {
    if (!error_.empty()) return;
    error_ = std::move(text);
    error_at_ = at;
  }

  std::string_view text_;
  const ConditionFacts& facts_;
  size_t at_ = 0;
  std::string error_;
  size_t error_at_ = 0;
};

/// major, minor, patch, phase (0 = dev, 1 = rc, 2 = release), number of the phase.
std::array<int64_t, 5> version_parts(std::string_view text) {
  std::array<int64_t, 5> parts{0, 0, 0, 2, 0};
  auto number = [&text]() {
    int64_t value = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
      if (value < 1'000'000'000) value = value * 10 + (text[0] - '0');
      text.remove_prefix(1);
    }
    return value;
  };
  for (int i = 0; i < 3; ++i) {
    parts[static_cast<size_t>(i)] = number();
    if (!text.starts_with('.')) break;
    text.remove_prefix(1);
  }
  if (text.starts_with("-dev") || text.starts_with("-rc")) {
    parts[3] = text.starts_with("-rc") ? 1 : 0;
    text.remove_prefix(parts[3] == 1 ? 3 : 4);
    parts[4] = number();
  }
  return parts;
}

}  // namespace

ConditionResult evaluate_condition(std::string_view expression, const ConditionFacts& facts) {
  if (expression.empty()) return {};
  if (expression.find_first_not_of(" \t") == std::string_view::npos) {
    return {false, fmt::format("unparsable conditional sub-expression '{}'", expression), 0};
  }
  return Evaluator(expression, facts).run();
}

int compare_versions(std::string_view a, std::string_view b) {
  const auto left = version_parts(a);
  const auto right = version_parts(b);
  return left < right ? -1 : (left == right ? 0 : 1);
}

}  // namespace holdfast::conf
