#include "conf/haproxy_lexer.h"

#include <fmt/format.h>

#include <optional>

namespace holdfast::conf {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.'; }
bool is_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The state of one pass over a line; every step leaves `at_` on the next unread byte.
class Lexer {
 public:
  Lexer(std::string_view line, const LexEnvironment& environment) : line_(line), environment_(environment) {}

  LexedLine run() {
    while (at_ < line_.size() && error_.empty()) step();
    if (error_.empty() && quote_ != 0) fail("unmatched quote", quote_at_);
    if (error_.empty()) finish_word();
    if (error_.empty() && words_.size() > kWordsMax) {
      // COMPAT: the position counts in the line as it is after unquoting, and names the last word that fits.
      size_t position = 1;
      for (size_t i = 0; i + 1 < kWordsMax; ++i) position += words_[i].size() + 1;
      error_ = fmt::format("too many words, truncating after word {}, position {}: <{}>.", kWordsMax, position,
                           words_[kWordsMax - 1]);
    }
    return {std::move(words_), std::move(error_)};
  }

 private:
  void step() {
    const char c = line_[at_];
    if (c == '\\' && quote_ != '\'') return escape();
    if (c == '"' && quote_ != '\'') return toggle('"');
    if (c == '\'' && quote_ != '"') return toggle('\'');
    if (c == '$' && quote_ == '"') return variable();
    if (quote_ == 0 && c == '#') {
      at_ = line_.size();
      return;
    }
    if (quote_ == 0 && is_space(c)) {
      finish_word();
      ++at_;
      return;
    }
    put(c);
    ++at_;
  }

  void toggle(char quote) {
    begin_word();
    quote_ = quote_ == 0 ? quote : '\0';
    quote_at_ = at_++;
  }

  void escape() {
    const char next = at_ + 1 < line_.size() ? line_[at_ + 1] : '\0';
    switch (next) {
      case 'n':
        put('\n');
        break;
      case 'r':
        put('\r');
        break;
      case 't':
        put('\t');
        break;
      case ' ':
      case '\\':
      case '"':
      case '\'':
      case '#':
      case '$':
        put(next);
        break;
      case 'x': {
        const int high = at_ + 2 < line_.size() ? hex_digit(line_[at_ + 2]) : -1;
        const int low = at_ + 3 < line_.size() ? hex_digit(line_[at_ + 3]) : -1;
        if (high < 0 || low < 0) return fail("truncated or invalid hexadecimal sequence", at_);
        put(static_cast<char>(high * 16 + low));
        at_ += 4;
        return;
      }
      default:
        // COMPAT: a backslash before anything else stays, and so does what follows.
        put('\\');
        ++at_;
        return;
    }
    at_ += 2;
  }

  void variable() {
    const size_t dollar = at_++;
    const bool braced = at_ < line_.size() && line_[at_] == '{';
    if (braced) ++at_;
    const size_t begin = at_;
    if (at_ >= line_.size() || !is_name_start(line_[at_]))
      return fail("forbidden first char in environment variable name", at_);
    while (at_ < line_.size() && is_name(line_[at_])) ++at_;
    // A dot belongs to the name of a pseudo-variable only.
    if (line_[begin] != '.') {
      const size_t dot = line_.substr(begin, at_ - begin).find('.');
      if (dot != std::string_view::npos) at_ = begin + dot;
    }
    const std::string name(line_.substr(begin, at_ - begin));
    std::optional<std::string> value = lookup(name);
    bool split = false;
    if (braced) {
      if (line_.substr(at_).starts_with("[*]")) {
        split = true;
        at_ += 3;
      } else if (at_ < line_.size() && line_[at_] == '-') {
        const size_t from = ++at_;
        while (at_ < line_.size() && line_[at_] != '}' && line_[at_] != '"') ++at_;
        // COMPAT: an empty default is refused like a missing brace.
        if (at_ == from) return fail("unmatched brace in environment variable name", dollar + 1);
        if (!value) value = std::string(line_.substr(from, at_ - from));
      }
      if (at_ >= line_.size() || line_[at_] != '}')
        return fail("unmatched brace in environment variable name", dollar + 1);
      ++at_;
    }
    begin_word();
    for (char c : value.value_or("")) {
      if (split && is_space(c)) {
        finish_word();
      } else {
        put(c);
      }
    }
  }

  std::optional<std::string> lookup(const std::string& name) const {
    if (name == ".FILE") return std::string(environment_.file);
    if (name == ".LINE") return fmt::format("{}", environment_.line);
    if (name == ".SECTION") return std::string(environment_.section);
    if (environment_.variables == nullptr) return std::nullopt;
    const auto found = environment_.variables->find(name);
    if (found == environment_.variables->end()) return std::nullopt;
    return found->second;
  }

  void begin_word() {
    if (in_word_) return;
    in_word_ = true;
    words_.emplace_back();
  }
  void put(char c) {
    begin_word();
    words_.back().push_back(c);
  }
  void finish_word() { in_word_ = false; }

  void fail(std::string_view what, size_t at) {
    size_t indent = 0;
    while (indent < line_.size() && is_space(line_[indent])) ++indent;
    const size_t caret = at >= indent ? at - indent : 0;
    error_ = fmt::format("{} at position {}:\n  {}\n  {:>{}}", what, at + 1, line_.substr(indent), "^", caret + 1);
  }

  std::string_view line_;
  const LexEnvironment& environment_;
  size_t at_ = 0;
  char quote_ = 0;
  size_t quote_at_ = 0;
  bool in_word_ = false;
  std::vector<std::string> words_;
  std::string error_;
};

}  // namespace

LexedLine lex_haproxy_line(std::string_view line, const LexEnvironment& environment) {
  // A variable may hold anything but its value is never lexed again; a CR before the end counts as white space.
  return Lexer(line, environment).run();
}

}  // namespace holdfast::conf
