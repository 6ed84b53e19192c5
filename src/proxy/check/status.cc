#include "proxy/check/status.h"

namespace holdfast::proxy {
namespace {

struct StatusRow {
  CheckStatus status;
  CheckResult result;
  std::string_view short_name;
  std::string_view description;
};
constexpr StatusRow kRows[] = {
    {CheckStatus::kUnknown, CheckResult::kUnknown, "UNK", "Unknown"},
    {CheckStatus::kInit, CheckResult::kUnknown, "INI", "Initializing"},
    {CheckStatus::kStart, CheckResult::kUnknown, "", ""},
    {CheckStatus::kForced, CheckResult::kNeutral, "CHECKED", "No status change"},
    {CheckStatus::kSocketError, CheckResult::kFailed, "SOCKERR", "Socket error"},
    {CheckStatus::kL4Ok, CheckResult::kPassed, "L4OK", "Layer4 check passed"},
    {CheckStatus::kL4Timeout, CheckResult::kFailed, "L4TOUT", "Layer4 timeout"},
    {CheckStatus::kL4Connection, CheckResult::kFailed, "L4CON", "Layer4 connection problem"},
    {CheckStatus::kL6Ok, CheckResult::kPassed, "L6OK", "Layer6 check passed"},
    {CheckStatus::kL6Timeout, CheckResult::kFailed, "L6TOUT", "Layer6 timeout"},
    {CheckStatus::kL6Response, CheckResult::kFailed, "L6RSP", "Layer6 invalid response"},
    {CheckStatus::kL7Timeout, CheckResult::kFailed, "L7TOUT", "Layer7 timeout"},
    {CheckStatus::kL7Response, CheckResult::kFailed, "L7RSP", "Layer7 invalid response"},
    {CheckStatus::kL7Ok, CheckResult::kPassed, "L7OK", "Layer7 check passed"},
    {CheckStatus::kL7OkConditional, CheckResult::kConditional, "L7OKC", "Layer7 check conditionally passed"},
    {CheckStatus::kL7Status, CheckResult::kFailed, "L7STS", "Layer7 wrong status"},
    {CheckStatus::kProcessError, CheckResult::kFailed, "PROCERR", "External check error"},
    {CheckStatus::kProcessTimeout, CheckResult::kFailed, "PROCTOUT", "External check timeout"},
    {CheckStatus::kProcessOk, CheckResult::kPassed, "PROCOK", "External check passed"},
};

const StatusRow& row_of(CheckStatus status) {
  for (const StatusRow& row : kRows) {
    if (row.status == status) return row;
  }
  return kRows[0];
}

}  // namespace

CheckResult result_of(CheckStatus status) { return row_of(status).result; }
std::string_view short_name(CheckStatus status) { return row_of(status).short_name; }
std::string_view description(CheckStatus status) { return row_of(status).description; }
bool has_code(CheckStatus status) { return status >= CheckStatus::kL7Ok; }

}  // namespace holdfast::proxy
