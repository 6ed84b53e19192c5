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

enum class MatchKind : uint8_t {
  kString,
  kRegex,
  kBinary,
  kBinaryRegex,
  // of whole protocols (protocol_match.h)
  kMysqlGreeting,
  kMysqlOk,
  kLdapBind,
  kHttpStatus,
  kHttpStatusRegex,
  kHttpBody,
  kHttpBodyRegex,
  kHttpHeader,
};
inline bool is_protocol_match(MatchKind kind) { return kind >= MatchKind::kMysqlGreeting; }

/// How a header's name or value is compared.
enum class TextMatch : uint8_t { kAny, kExact, kBegin, kEnd, kSubstring, kRegex };

/// What an HTTP check asks; an empty method, URI or version is the default.
struct HttpCheckRequest {
  std::string method;   // OPTIONS
  std::string uri;      // /
  std::string version;  // HTTP/1.0
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
};

struct CheckRule {
  enum class Kind : uint8_t { kConnect, kSend, kExpect, kComment };
  Kind kind = Kind::kConnect;
  int step = 0;
  std::string comment;
  // connect
  std::optional<uint16_t> port;
  std::string address;  // numeric host, empty = the server's
  bool linger = false;  // close with FIN instead of RST
  bool tls = false;
  bool server_defaults = false;  // TLS as the server's own connections have it
  std::string sni;
  // send: the bytes; expect: the pattern, decoded for binary, the source text for regexes
  std::string data;
  // expect
  MatchKind match = MatchKind::kString;
  bool negated = false;
  int min_recv = -1;  // -1 = wait for more when nothing matches; 0 = conclusive at once
  CheckStatus ok_status = CheckStatus::kL7Ok;
  CheckStatus error_status = CheckStatus::kL7Response;
  CheckStatus timeout_status = CheckStatus::kL7Timeout;
  std::string on_success;          // fixed text, replaces the success info
  std::string on_error;            // fixed text, replaces the failure's description
  int error_from = -1;             // the error info is what was received from this byte on, up to the line's end
  int success_from = -1;           // likewise for the success info
  bool code_from_payload = false;  // the first three bytes are the code
  std::vector<std::pair<int, int>> codes;  // kHttpStatus: ranges, inclusive
  std::string header_name;                 // kHttpHeader
  TextMatch name_match = TextMatch::kExact;
  TextMatch value_match = TextMatch::kAny;
  std::optional<HttpCheckRequest> http;  // send of an HTTP check; `data` is made from it when the file was read
  bool send_state = false;               // an HTTP request that carries the server's state
  std::string pattern_text;              // as configured, for messages
};

struct CheckProgram {
  std::vector<CheckRule> rules;
  bool conclude_on_reply = false;  // an expect that does not match fails when a Redis reply is complete (redis_role.h)
  bool generated = false;          // a protocol preset: no `(tcp-check)` info, no steps in messages
  std::string success_info = "(tcp-check)";
  bool disable_on_404 = false;  // an HTTP answer 404 makes a server that is up stop softly
  bool empty() const { return rules.empty(); }
};

/// The program that `tcp-check` lines mean: comments moved to the rules they precede, an implicit connect in front.
CheckProgram finish_tcp_check(const CheckProgram& lines);
/// The marker in a request that is replaced by the server's state when it is sent.
inline constexpr std::string_view kServerStateMark = "\x01state\x01";
/// `option redis-check`: PING, and +PONG or the error line as the reason.
CheckProgram redis_check_program();
/// `option smtpchk [HELO|EHLO host]`.
CheckProgram smtp_check_program(std::string_view command);
enum class MysqlDialect : uint8_t { kPre41, kPost41, kPost80 };
/// Without a user only the greeting is looked at.
CheckProgram mysql_check_program(std::string_view user, MysqlDialect dialect);
CheckProgram pgsql_check_program(std::string_view user);
CheckProgram ldap_check_program();
CheckProgram ssl_hello_check_program();
/// `option httpchk` and its `http-check` rules. `request` is the option's own.
CheckProgram http_check_program(const HttpCheckRequest& request, const CheckProgram& lines, bool send_state);
/// An HTTP request as the bytes HAProxy sends.
std::string encode_http_check(const HttpCheckRequest& request, bool send_state);

}  // namespace holdfast::proxy
