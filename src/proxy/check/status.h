// Check statuses: the outcome of one health check as the CSV, the CLI and the logs print it.
// Source: HAProxy management manual 9.1 field 36 `check_status`; the numeric values are those of `show servers state`.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::proxy {

enum class CheckStatus : uint8_t {
  kUnknown = 0,
  kInit = 1,
  kStart = 2,
  kForced = 3,  // set by an operator ("changed from CLI")
  kSocketError = 5,
  kL4Ok = 6,
  kL4Timeout = 7,
  kL4Connection = 8,
  kL6Ok = 9,
  kL6Timeout = 10,
  kL6Response = 11,
  kL7Timeout = 12,
  kL7Response = 13,
  kL7Ok = 15,
  kL7OkConditional = 16,
  kL7Status = 17,
  kProcessError = 18,
  kProcessTimeout = 19,
  kProcessOk = 20,
};

/// The numeric values of `srv_check_result`.
enum class CheckResult : uint8_t { kUnknown = 0, kNeutral = 1, kFailed = 2, kPassed = 3, kConditional = 4 };

CheckResult result_of(CheckStatus status);
/// `L7OK`, `L4CON`, ...
std::string_view short_name(CheckStatus status);
/// `Layer7 check passed`, ...
std::string_view description(CheckStatus status);
/// Whether the status carries data of the protocol: then `code:` is logged.
bool has_code(CheckStatus status);

}  // namespace holdfast::proxy
