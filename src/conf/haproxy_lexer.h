// One line of haproxy.cfg into words: quotes, escapes, comments and environment variables.
//
// Source: HAProxy configuration manual 2.2 "Quoting and escaping" and 2.3 "Environment variables"; error texts and
// positions as haproxy 2.6.12 prints them. Positions count from 1 in the line as written.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::conf {

inline constexpr size_t kWordsMax = 64;

/// Variables of the process, and where the parser stands (`.FILE`, `.LINE`, `.SECTION`).
struct LexEnvironment {
  const std::map<std::string, std::string>* variables = nullptr;
  std::string_view file;
  int line = 0;
  std::string_view section;
};

struct LexedLine {
  std::vector<std::string> words;
  std::string error;  // empty = fine; else what follows `parsing [file:line]: `, with the line and a caret
};

LexedLine lex_haproxy_line(std::string_view line, const LexEnvironment& environment);

}  // namespace holdfast::conf
