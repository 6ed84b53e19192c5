#include "proxy/check/protocol_match.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"
#include "codec/http/http1.h"

namespace holdfast::proxy {
namespace {

using Kind = ProtocolVerdict::Kind;

uint32_t byte_at(std::string_view bytes, size_t at) { return static_cast<unsigned char>(bytes[at]); }
ProtocolVerdict fail(CheckStatus status, std::string info, int code = 0) {
  return {Kind::kFail, status, code, std::move(info)};
}
ProtocolVerdict cut_short(const ProtocolInput& input) {
  return input.last ? fail(CheckStatus::kL7Response, "") : ProtocolVerdict{};
}

/// The packet at `offset`: 3 bytes of length, a sequence number, the payload.
ProtocolVerdict match_mysql(const ProtocolInput& input, size_t offset) {
  const std::string_view bytes = input.bytes;
  if (bytes.size() < offset + 4) return cut_short(input);
  const size_t length = byte_at(bytes, offset) | byte_at(bytes, offset + 1) << 8 | byte_at(bytes, offset + 2) << 16;
  if (bytes.size() < offset + 4 + length || length == 0) return cut_short(input);
  const std::string_view packet = bytes.substr(offset + 4, length);
  if (byte_at(packet, 0) == 0xff) {
    const int code = packet.size() < 3 ? 0 : static_cast<int>(byte_at(packet, 1) | byte_at(packet, 2) << 8);
    return fail(CheckStatus::kL7Status, packet.size() < 3 ? "" : std::string(packet.substr(3)), code);
  }
  return {Kind::kPass, CheckStatus::kUnknown, 0, ""};
}

ProtocolVerdict match_mysql_ok(const ProtocolInput& input) {
  const std::string_view bytes = input.bytes;
  if (bytes.size() < 4) return cut_short(input);
  const size_t greeting = 4 + (byte_at(bytes, 0) | byte_at(bytes, 1) << 8 | byte_at(bytes, 2) << 16);
  return match_mysql(input, greeting);
}

/// LDAPMessage { messageID 1, bindResponse { resultCode ... } } in BER; lengths of one, two or four bytes.
ProtocolVerdict match_ldap(const ProtocolInput& input) {
  const ProtocolVerdict alien = fail(CheckStatus::kL7Response, "Not LDAPv3 protocol");
  std::string_view rest = input.bytes;
  if (rest.size() < 14) return cut_short(input);
  rest.remove_prefix(1);  // 0x30 was matched before
  size_t length = byte_at(rest, 0);
  size_t extra = 0;
  if ((length & 0x80) != 0) {
    extra = length & 0x7f;
    if (extra != 2 && extra != 4) return alien;
    length = 0;
    for (size_t i = 1; i <= extra; ++i) length = length << 8 | byte_at(rest, i);
  }
  rest.remove_prefix(1 + extra);
  if (rest.size() < length) return cut_short(input);
  if (!rest.starts_with(std::string_view("\x02\x01\x01\x61", 4))) return alien;
  rest.remove_prefix(4);
  if (rest.empty()) return cut_short(input);
  extra = (byte_at(rest, 0) & 0x80) != 0 ? byte_at(rest, 0) & 0x7f : 0;
  if (rest.size() < 1 + extra + 3) return cut_short(input);
  rest.remove_prefix(1 + extra);
  if (!rest.starts_with(std::string_view("\x0a\x01", 2))) return alien;
  if (const int code = static_cast<int>(byte_at(rest, 2)); code != 0) {
    return fail(CheckStatus::kL7Status, "See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9", code);
  }
  return {Kind::kPass, CheckStatus::kUnknown, 0, ""};
}

bool text_matches(TextMatch how, std::string_view text, std::string_view pattern, const Regex* regex,
                  bool ignore_case) {
  auto same = [ignore_case](std::string_view a, std::string_view b) {
    return ignore_case ? equal_ignoring_case(a, b) : a == b;
  };
  switch (how) {
    case TextMatch::kAny:
      return true;
    case TextMatch::kExact:
      return same(text, pattern);
    case TextMatch::kBegin:
      return text.size() >= pattern.size() && same(text.substr(0, pattern.size()), pattern);
    case TextMatch::kEnd:
      return text.size() >= pattern.size() && same(text.substr(text.size() - pattern.size()), pattern);
    case TextMatch::kSubstring:
      for (size_t at = 0; at + pattern.size() <= text.size(); ++at) {
        if (same(text.substr(at, pattern.size()), pattern)) return true;
      }
      return false;
    case TextMatch::kRegex:
      return regex != nullptr && regex->matches(text);
  }
  return false;
}

bool header_matches(const CheckRule& rule, const codec::HttpHead& head, const ProtocolInput& input) {
  return std::ranges::any_of(head.fields, [&](const codec::HttpField& field) {
    return text_matches(rule.name_match, field.name, rule.header_name, input.name_regex, true) &&
           text_matches(rule.value_match, field.value, rule.data, input.regex, false);
  });
}

ProtocolVerdict http_result(const CheckRule& rule, bool matched, CheckStatus usual, int code, std::string info) {
  if (matched != rule.negated) return {Kind::kPass, CheckStatus::kUnknown, code, ""};
  if (!rule.on_error.empty()) info = rule.on_error;
  return fail(rule.error_status == CheckStatus::kUnknown ? usual : rule.error_status, std::move(info), code);
}

ProtocolVerdict match_http_body(const CheckRule& rule, const ProtocolInput& input, const codec::HttpHead& head) {
  std::string body;
  const auto read = codec::read_http_body(head, input.bytes.substr(head.length), input.last, &body);
  const bool last = input.last || read != codec::HttpStatus::kNeedMore;
  if (body.empty()) {
    if (!last) return {};
    return fail(rule.error_status == CheckStatus::kUnknown ? CheckStatus::kL7Response : rule.error_status,
                rule.on_error.empty() ? "HTTP content check could not find a response body" : rule.on_error,
                head.status);
  }
  const bool fixed = rule.match == MatchKind::kHttpBody;
  const bool short_yet = (fixed && body.size() < rule.data.size()) ||
                         (rule.min_recv > 0 && body.size() < static_cast<size_t>(rule.min_recv));
  if (!last && short_yet) return {};
  const bool matched = fixed ? body.find(rule.data) != std::string::npos : input.regex->matches(body);
  if (!matched && !last && rule.min_recv == -1) return {};
  return http_result(rule, matched, CheckStatus::kL7Response, head.status,
                     rule.negated ? "HTTP check matched unwanted content" : "HTTP content check did not match");
}

ProtocolVerdict match_http(const CheckRule& rule, const ProtocolInput& input) {
  codec::HttpHead head;
  const codec::HttpStatus parsed = codec::parse_http_response(input.bytes, &head);
  if (parsed == codec::HttpStatus::kError) return fail(CheckStatus::kL7Response, "");
  if (parsed == codec::HttpStatus::kNeedMore) {
    return input.last ? fail(CheckStatus::kL7Response, "") : ProtocolVerdict{};
  }
  if (head.status == 404 && input.accepts_404) return {Kind::kPass, CheckStatus::kL7OkConditional, 404, ""};
  const std::string reason(head.reason);
  switch (rule.match) {
    case MatchKind::kHttpStatus: {
      const bool listed = std::ranges::any_of(
          rule.codes, [&](const auto& range) { return head.status >= range.first && head.status <= range.second; });
      return http_result(rule, listed, CheckStatus::kL7Status, head.status, reason);
    }
    case MatchKind::kHttpStatusRegex:
      return http_result(rule, input.regex->matches(std::to_string(head.status)), CheckStatus::kL7Status, head.status,
                         reason);
    case MatchKind::kHttpHeader:
      return http_result(rule, header_matches(rule, head, input), CheckStatus::kL7Status, head.status, reason);
    case MatchKind::kHttpBody:
    case MatchKind::kHttpBodyRegex:
      return match_http_body(rule, input, head);
    default:
      HF_UNREACHABLE();
  }
}

}  // namespace

ProtocolVerdict match_protocol(const CheckRule& rule, const ProtocolInput& input) {
  switch (rule.match) {
    case MatchKind::kMysqlGreeting:
      return match_mysql(input, 0);
    case MatchKind::kMysqlOk:
      return match_mysql_ok(input);
    case MatchKind::kLdapBind:
      return match_ldap(input);
    default:
      return match_http(rule, input);
  }
}

}  // namespace holdfast::proxy
