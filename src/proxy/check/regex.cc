#include "proxy/check/regex.h"

#include <regex.h>

namespace holdfast::proxy {

struct Regex::Compiled {
  regex_t regex{};
  bool valid = false;
  ~Compiled() {
    if (valid) regfree(&regex);
  }
};

Regex::Regex(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

std::expected<Regex, std::string> Regex::compile(std::string_view pattern, bool ignore_case) {
  if (pattern.find('\0') != std::string_view::npos) return std::unexpected(std::string("the pattern holds a NUL byte"));
  auto compiled = std::make_unique<Compiled>();
  const int error =
      regcomp(&compiled->regex, std::string(pattern).c_str(), REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0));
  if (error != 0) {
    char text[200];
    regerror(error, &compiled->regex, text, sizeof text);
    return std::unexpected(std::string(text));
  }
  compiled->valid = true;
  return Regex(std::move(compiled));
}

bool Regex::matches(std::string_view bytes) const {
  if (bytes.empty()) bytes = std::string_view("", 0);
  regmatch_t range[1];
  range[0].rm_so = 0;
  range[0].rm_eo = static_cast<regoff_t>(bytes.size());
  return regexec(&compiled_->regex, bytes.data(), 1, range, REG_STARTEND) == 0;
}

}  // namespace holdfast::proxy
