// What an `expect` of a whole protocol makes of the bytes received so far: MySQL packets, LDAP bind responses, HTTP
// responses. Pure. Source: the protocols' specifications; texts and statuses compared with HAProxy 2.6.12.
#pragma once

#include <string>
#include <string_view>

#include "proxy/check/program.h"
#include "proxy/check/regex.h"

namespace holdfast::proxy {

struct ProtocolVerdict {
  enum class Kind : uint8_t { kWait, kPass, kFail } kind = Kind::kWait;
  CheckStatus status = CheckStatus::kUnknown;  // kFail; kPass: kUnknown = the rule's
  int code = 0;
  std::string info;
};

/// `last`: no more bytes will come. `regex`: the rule's compiled pattern, null if it has none. `was_up`: the server may
/// be stopped softly by a 404 (disable-on-404).
struct ProtocolInput {
  std::string_view bytes;
  bool last = false;
  const Regex* regex = nullptr;
  const Regex* name_regex = nullptr;
  bool accepts_404 = false;
};
ProtocolVerdict match_protocol(const CheckRule& rule, const ProtocolInput& input);

}  // namespace holdfast::proxy
