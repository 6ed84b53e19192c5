// HTTP/1 messages, as far as a health check and a small responder need them: heads, and bodies with a known end.
//
// Source: RFC 9112. Lines end in CRLF or LF. Refused: heads beyond kHttpHeadMax, more than kHttpHeadersMax fields,
// control characters in the start line, names that are no tokens, folded fields. Views point into the parsed bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::codec {

inline constexpr size_t kHttpHeadMax = 16384;
inline constexpr size_t kHttpHeadersMax = 101;

enum class HttpStatus : uint8_t { kNeedMore, kComplete, kError };

struct HttpField {
  std::string_view name;
  std::string_view value;  // without surrounding blanks
};

struct HttpHead {
  std::string_view method;  // request
  std::string_view target;
  int status = 0;  // response
  std::string_view reason;
  int minor = 1;  // HTTP/1.x
  std::vector<HttpField> fields;
  size_t length = 0;  // bytes of the head, the empty line included

  /// The first field of this name, ignoring case; "" = none.
  std::string_view field(std::string_view name) const;
  bool has(std::string_view name, std::string_view word) const;  // `word` is in the comma-separated value
};

HttpStatus parse_http_request(std::string_view bytes, HttpHead* head);
HttpStatus parse_http_response(std::string_view bytes, HttpHead* head);

/// The body of a response: `rest` is what follows the head, `ended` = the peer will send no more. On kNeedMore `body`
/// holds what is there so far.
HttpStatus read_http_body(const HttpHead& head, std::string_view rest, bool ended, std::string* body);

}  // namespace holdfast::codec
