#include "conf/haproxy_diagnostics.h"

#include <fmt/format.h>

namespace holdfast::conf {

void Diagnostics::add(Severity severity, std::string text) {
  alerts_ += severity == Severity::kAlert;
  warnings_ += severity == Severity::kWarning;
  items_.push_back({severity, std::move(text)});
}

std::string diagnostic_line(Severity severity, std::string_view text, int64_t pid) {
  std::string_view label;
  switch (severity) {
    case Severity::kNotice:
      label = "[NOTICE]";
      break;
    case Severity::kDiag:
      label = "[DIAG]";
      break;
    case Severity::kWarning:
      label = "[WARNING]";
      break;
    case Severity::kAlert:
      label = "[ALERT]";
      break;
  }
  return fmt::format("{:<10} ({}) : {}\n", label, pid, text);
}

}  // namespace holdfast::conf
