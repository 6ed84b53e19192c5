#include "conf/haproxy_reader.h"

#include <fmt/format.h>

#include "conf/haproxy_lexer.h"

namespace holdfast::conf {
namespace {

/// Where a nested block stands.
enum class Block : uint8_t {
  kTaken,    // this branch is read
  kWaiting,  // no branch was taken yet
  kDone,     // an earlier branch was taken, or an outer block is skipped
  kElseTaken,
  kElseSkipped,
};
constexpr bool is_read(Block block) { return block == Block::kTaken || block == Block::kElseTaken; }
constexpr size_t kNestingMax = 16;

class Reader {
 public:
  Reader(std::string_view name, const HaproxyReaderOptions& options, HaproxyStatementSink& sink,
         Diagnostics& diagnostics)
      : name_(name), options_(options), sink_(sink), diagnostics_(diagnostics) {}

  ReadEnd run(std::string_view text) {
    while (!text.empty()) {
      const size_t end = text.find('\n');
      std::string_view line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      ++line_;
      if (!read_line(line)) return ReadEnd::kAborted;
      if (end == std::string_view::npos) {
        alert(fmt::format("Missing LF on last line, file might have been truncated at position {}.", line.size() + 1));
      }
    }
    if (!blocks_.empty()) {
      alert("non-terminated '.if' block.");
      return ReadEnd::kAborted;
    }
    return errors_ ? ReadEnd::kErrors : ReadEnd::kFine;
  }

 private:
  bool read_line(std::string_view line) {
    if (const size_t nul = line.find('\0'); nul != std::string_view::npos) line = line.substr(0, nul);
    const LexEnvironment environment{options_.variables, name_, line_, sink_.section()};
    LexedLine lexed = lex_haproxy_line(line, environment);
    if (!lexed.error.empty()) {
      alert(std::move(lexed.error));
      return true;
    }
    if (lexed.words.empty()) return true;
    if (lexed.words[0].starts_with('.')) {
      const int known = directive(lexed.words);
      if (known >= 0) return known == 1;
    }
    if (!reading()) return true;
    HaproxyStatement statement{std::move(lexed.words), name_, line_};
    const int before = diagnostics_.alerts();
    const bool go_on = sink_.statement(statement);
    errors_ |= diagnostics_.alerts() > before;
    return go_on;
  }

  bool reading() const { return blocks_.empty() || is_read(blocks_.back()); }

  /// -1 = not a directive, 0 = abort, 1 = done.
  int directive(const std::vector<std::string>& words) {
    const std::string& name = words[0];
    if (name == ".if") return begin_block(words);
    if (name == ".elif") return alternative(words);
    if (name == ".else") return otherwise(words);
    if (name == ".endif") {
      if (blocks_.empty()) return abort_with("lone '.endif' with no matching '.if'.");
      blocks_.pop_back();
      return 1;
    }
    if (name != ".notice" && name != ".warning" && name != ".alert" && name != ".diag") return -1;
    if (!reading()) return 1;
    if (words.size() > 2) {
      alert(fmt::format("Unexpected argument '{}' for '{}'. Use quotes if the message should contain spaces.", words[2],
                        name));
      return 1;
    }
    std::string text = fmt::format("config : parsing [{}:{}]: '{}'.", name_, line_, words.size() > 1 ? words[1] : "");
    if (name == ".alert") {
      errors_ = true;
      diagnostics_.alert(std::move(text));
      return 0;
    } else if (name == ".warning") {
      diagnostics_.warn(std::move(text));
    } else if (name == ".notice") {
      diagnostics_.add(Severity::kNotice, std::move(text));
    } else if (options_.diagnostic_mode) {
      diagnostics_.add(Severity::kDiag, std::move(text));
    }
    return 1;
  }

  int begin_block(const std::vector<std::string>& words) {
    if (blocks_.size() >= kNestingMax) return abort_with("too many nested '.if' (max is 16).");
    if (!reading()) {
      blocks_.push_back(Block::kDone);
      return 1;
    }
    const int value = condition(words);
    if (value < 0) return 0;
    blocks_.push_back(value == 1 ? Block::kTaken : Block::kWaiting);
    return 1;
  }

  int alternative(const std::vector<std::string>& words) {
    if (blocks_.empty()) return abort_with("lone '.elif' with no matching '.if'.");
    Block& block = blocks_.back();
    switch (block) {
      case Block::kElseTaken:
      case Block::kElseSkipped:
        return abort_with("'.elif' after '.else' is not permitted.");
      case Block::kTaken:
        block = Block::kDone;
        return 1;
      case Block::kDone:
        return 1;
      case Block::kWaiting:
        break;
    }
    const int value = condition(words);
    if (value < 0) return 0;
    if (value == 1) block = Block::kTaken;
    return 1;
  }

  int otherwise(const std::vector<std::string>& words) {
    if (blocks_.empty()) return abort_with("lone '.else' with no matching '.if'.");
    if (words.size() > 1) return abort_with(fmt::format("Unexpected argument '{}' for '.else'.", words[1]));
    Block& block = blocks_.back();
    switch (block) {
      case Block::kElseTaken:
      case Block::kElseSkipped:
        return abort_with("'.else' after '.else' is not permitted.");
      case Block::kWaiting:
        block = Block::kElseTaken;
        return 1;
      case Block::kTaken:
      case Block::kDone:
        block = Block::kElseSkipped;
        return 1;
    }
    return 1;
  }

  /// -1 = error (reported), else the value. The words are joined by single spaces again.
  int condition(const std::vector<std::string>& words) {
    std::string expression;
    for (size_t i = 1; i < words.size(); ++i) {
      if (i > 1) expression.push_back(' ');
      expression += words[i];
    }
    const ConditionResult result = evaluate_condition(expression, options_.facts);
    if (result.error.empty()) return result.value ? 1 : 0;
    alert(fmt::format("{} in '{}' at position {}:\n  {} {}\n  {:>{}}", result.error, words[0], result.error_at + 1,
                      words[0], expression, "^", words[0].size() + 2 + result.error_at));
    return -1;
  }

  int abort_with(std::string_view text) {
    alert(std::string(text));
    return 0;
  }
  void alert(std::string text) {
    errors_ = true;
    diagnostics_.alert(fmt::format("config : parsing [{}:{}]: {}", name_, line_, text));
  }

  std::string_view name_;
  const HaproxyReaderOptions& options_;
  HaproxyStatementSink& sink_;
  Diagnostics& diagnostics_;
  int line_ = 0;
  bool errors_ = false;
  std::vector<Block> blocks_;
};

}  // namespace

ReadEnd read_haproxy_file(std::string_view name, std::string_view text, const HaproxyReaderOptions& options,
                          HaproxyStatementSink& sink, Diagnostics& diagnostics) {
  return Reader(name, options, sink, diagnostics).run(text);
}

}  // namespace holdfast::conf
