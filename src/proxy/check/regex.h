// A compiled extended regular expression over raw bytes (NUL bytes included).
// Source: POSIX regcomp/regexec with REG_STARTEND. Patterns come from the configuration only.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast::proxy {

class Regex {
 public:
  /// The error is the library's description.
  static std::expected<Regex, std::string> compile(std::string_view pattern, bool ignore_case = false);
  bool matches(std::string_view bytes) const;

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

 private:
  struct Compiled;
  explicit Regex(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace holdfast::proxy
