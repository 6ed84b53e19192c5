// A check program: the rules that one health check of a server executes on a fresh connection, in order.
//
// Every protocol check (redis-check, tcp-check) is such a program, evaluated by check/evaluator.h.
// Source: HAProxy configuration manual, `tcp-check connect|send|expect|comment`, 5.2 `check`.
// Invariant: `step` of a rule is its position in the configuration, counted from 0 and including comments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proxy/check/status.h"

namespace holdfast::proxy {

enum class MatchKind : uint8_t { kString, kRegex, kBinary, kBinaryRegex };

struct CheckRule {
  enum class Kind : uint8_t { kConnect, kSend, kExpect, kComment };
  Kind kind = Kind::kConnect;
  int step = 0;
  std::string comment;
  // connect
  std::optional<uint16_t> port;
  std::string address;  // numeric host, empty = the server's
  bool linger = false;  // close with FIN instead of RST
  // send: the bytes; expect: the pattern, decoded for binary, the source text for regexes
  std::string data;
  // expect
  MatchKind match = MatchKind::kString;
  bool negated = false;
  int min_recv = -1;  // -1 = wait for more when nothing matches; 0 = conclusive at once
  CheckStatus ok_status = CheckStatus::kL7Ok;
  CheckStatus error_status = CheckStatus::kL7Response;
  CheckStatus timeout_status = CheckStatus::kL7Timeout;
  std::string on_success;       // fixed text, replaces the success info
  std::string on_error;         // fixed text, replaces the failure's description
  bool report_payload = false;  // the error info is the first received line (redis-check)
  std::string pattern_text;     // as configured, for messages
};

struct CheckProgram {
  std::vector<CheckRule> rules;
  bool conclude_on_reply = false;  // an expect that does not match fails when a Redis reply is complete (redis_role.h)
  bool generated = false;          // a protocol preset: no `(tcp-check)` info, no steps in messages
  std::string success_info = "(tcp-check)";
  bool empty() const { return rules.empty(); }
};

/// The program that `tcp-check` lines mean: comments moved to the rules they precede, an implicit connect in front.
CheckProgram finish_tcp_check(const CheckProgram& lines);
/// `option redis-check`: PING, and +PONG or the error line as the reason.
CheckProgram redis_check_program();

}  // namespace holdfast::proxy
