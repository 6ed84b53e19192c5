// Diagnostics of a haproxy.cfg: everything one run has to say about it, in the order HAProxy says it.
//
// `text` is what follows `(pid) : ` on standard error, e.g. `config : parsing [f:2] : unknown keyword 'x' in 'global'
// section`; it may hold further lines. Source of the line shapes: haproxy 2.6.12, `haproxy -c` compared line by line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::conf {

enum class Severity : uint8_t { kNotice, kDiag, kWarning, kAlert };

struct HaproxyDiagnostic {
  Severity severity = Severity::kAlert;
  std::string text;
};

class Diagnostics {
 public:
  void add(Severity severity, std::string text);
  void alert(std::string text) { add(Severity::kAlert, std::move(text)); }
  void warn(std::string text) { add(Severity::kWarning, std::move(text)); }

  const std::vector<HaproxyDiagnostic>& items() const { return items_; }
  int alerts() const { return alerts_; }
  int warnings() const { return warnings_; }

 private:
  std::vector<HaproxyDiagnostic> items_;
  int alerts_ = 0;
  int warnings_ = 0;
};

/// `[ALERT]    (123) : ` + text + newline.
std::string diagnostic_line(Severity severity, std::string_view text, int64_t pid);

}  // namespace holdfast::conf
