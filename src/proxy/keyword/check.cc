// `tcp-check` and `http-check`: the rules of a check program.
#include "base/text.h"
#include "conf/haproxy_value.h"
#include "proxy/check/regex.h"
#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

struct StatusRow {
  std::string_view name;
  CheckStatus status;
};
constexpr StatusRow kOkStatuses[] = {{"L7OK", CheckStatus::kL7Ok},
                                     {"L7OKC", CheckStatus::kL7OkConditional},
                                     {"L6OK", CheckStatus::kL6Ok},
                                     {"L4OK", CheckStatus::kL4Ok}};
constexpr StatusRow kErrorStatuses[] = {{"L7OKC", CheckStatus::kL7OkConditional},
                                        {"L7RSP", CheckStatus::kL7Response},
                                        {"L7STS", CheckStatus::kL7Status},
                                        {"L6RSP", CheckStatus::kL6Response},
                                        {"L4CON", CheckStatus::kL4Connection}};
constexpr StatusRow kTimeoutStatuses[] = {
    {"L7TOUT", CheckStatus::kL7Timeout}, {"L6TOUT", CheckStatus::kL6Timeout}, {"L4TOUT", CheckStatus::kL4Timeout}};

/// Bytes of a hexadecimal string, or HAProxy's words for what is wrong with it.
std::expected<std::string, std::string> from_hex(std::string_view text) {
  std::string bytes;
  int high = -1;
  for (char c : text) {
    int digit = -1;
    if (c >= '0' && c <= '9') digit = c - '0';
    if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    if (digit < 0) return std::unexpected(fmt::format("an hex digit is expected (found '{}')", c));
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<char>(high * 16 + digit));
      high = -1;
    }
  }
  if (high >= 0) return std::unexpected(std::string("an even number of hex digit is expected"));
  return bytes;
}

class CheckLine {
 public:
  CheckLine(KeywordContext& c, bool http) : c_(c), http_(http), verb_(c.word(1)) {}

  void run() {
    ProxyConfig& proxy = *c_.proxy;
    CheckProgram& program = http_ ? proxy.http_check_rules : proxy.tcp_check_rules;
    bool& inherited = http_ ? proxy.http_rules_inherited : proxy.rules_inherited;
    if (inherited) {
      program.rules.clear();
      inherited = false;
    }
    if (http_) {
      proxy.http_rules_unused = proxy.check_kind != CheckKind::kHttpCheck;
    } else {
      proxy.rules_unused = proxy.check_kind != CheckKind::kTcpCheck;
    }
    rule_.step = next_step(program);
    if (!parse()) return;
    if (verb_ == "comment") {
      pending_comment(program);
      return;
    }
    program.rules.push_back(std::move(rule_));
  }

 private:
  /// Comments count as steps: they are kept as rules of kind kComment until the program is finished.
  static int next_step(const CheckProgram& program) {
    return program.rules.empty() ? 0 : program.rules.back().step + 1;
  }
  void pending_comment(CheckProgram& program) {
    rule_.kind = CheckRule::Kind::kComment;
    program.rules.push_back(std::move(rule_));
  }

  bool parse() {
    if (verb_ == "connect") return connect();
    if (http_ && verb_ == "send") return send_http();
    if (!http_ && (verb_ == "send" || verb_ == "send-binary")) return send();
    if (verb_ == "expect") return expect();
    if (verb_ == "comment") {
      if (!c_.has(2)) return complain("expects a string as argument");
      rule_.comment = std::string(c_.word(2));
      return true;
    }
    if (verb_ == "send-lf" || verb_ == "send-binary-lf" || verb_.starts_with("set-var") ||
        verb_.starts_with("unset-var")) {
      c_.alert("'{} {}' is not supported by this version.", c_.word(0), verb_);
      return false;
    }
    if (http_) {
      c_.alert(
          "'http-check' only supports 'disable-on-404', 'send-state', 'comment', 'connect', 'send', 'expect', "
          "'set-var-fmt(*)', 'set-var(*)', 'unset-var(*)'. but got '{}'",
          verb_);
      return false;
    }
    c_.alert(
        "'tcp-check' only supports 'comment', 'connect', 'send', 'send-binary', 'expect', 'set-var-fmt(*)', "
        "'set-var(*)', 'unset-var(*)'. but got '{}'",
        verb_);
    return false;
  }

  bool connect() {
    rule_.kind = CheckRule::Kind::kConnect;
    for (size_t at = 2; at < c_.count(); ++at) {
      const std::string_view word = c_.word(at);
      if (word == "default") {
        rule_.server_defaults = true;
        continue;
      }
      if (word == "ssl") {
        rule_.tls = true;
        continue;
      }
      if (word == "sni" || word == "alpn") {
        if (!c_.has(++at)) {
          return complain(fmt::format("'{}' expects a string as argument.", word));
        }
        if (word == "sni") rule_.sni = std::string(c_.word(at));
        continue;
      }
      if (word == "linger") {
        rule_.linger = true;
      } else if (word == "comment") {
        if (!c_.has(++at)) return complain("'comment' expects a string as argument");
        rule_.comment = std::string(c_.word(at));
      } else if (word == "port") {
        if (!c_.has(++at)) return complain("'port' expects a port number or a sample expression as argument.");
        const auto port = conf::whole_integer(c_.word(at));
        if (!port) {
          return complain(
              fmt::format("error detected while parsing port expression : unknown fetch method '{}'", c_.word(at)));
        }
        if (*port < 1 || *port > 65535) {
          return complain(fmt::format(
              "expects a valid TCP port (from range 1 to 65535) or a sample expression, got {}.", c_.word(at)));
        }
        rule_.port = static_cast<uint16_t>(*port);
      } else if (word == "addr") {
        if (!c_.has(++at) || !is_numeric_host(c_.word(at))) {
          return complain(fmt::format("'addr' : invalid address: '{}'", c_.word(at)));
        }
        rule_.address = std::string(c_.word(at));
      } else if (word == "send-proxy" || word == "via-socks4" || word == "proto") {
        return complain(fmt::format("'{}' is not supported by this version.", word));
      } else {
        return complain(
            fmt::format("expects 'comment', 'port', 'addr', 'send-proxy', 'ssl', 'sni', 'alpn' or "
                        "'via-socks4', 'linger', 'default' but got '{}' as argument.",
                        word));
      }
    }
    return true;
  }

  bool send() {
    rule_.kind = CheckRule::Kind::kSend;
    const bool binary = verb_ == "send-binary";
    if (c_.word(2).empty()) {
      return complain(fmt::format("'{}' expects a {} as argument", binary ? "binary string" : "string", verb_));
    }
    rule_.pattern_text = std::string(c_.word(2));
    if (binary) {
      auto bytes = from_hex(c_.word(2));
      if (!bytes) return complain(fmt::format("'{}' invalid binary string ({}).\n", c_.word(2), bytes.error()));
      rule_.data = std::move(*bytes);
    } else {
      rule_.data = rule_.pattern_text;
    }
    if (!c_.has(3)) return true;
    if (c_.word(3) != "comment") {
      return complain(fmt::format("expects 'comment' but got '{}' as argument.", c_.word(3)));
    }
    if (!c_.has(4)) return complain("'comment' expects a string as argument");
    rule_.comment = std::string(c_.word(4));
    return true;
  }

  bool send_http() {
    rule_.kind = CheckRule::Kind::kSend;
    HttpCheckRequest request;
    for (size_t at = 2; at < c_.count(); at += 2) {
      const std::string_view word = c_.word(at);
      if (word == "hdr") {
        if (!c_.has(at + 2)) return complain(fmt::format("'{}' expects <name> and <value> as arguments", word));
        request.fields.emplace_back(c_.word(at + 1), c_.word(at + 2));
        ++at;
        continue;
      }
      std::string* target = word == "meth"      ? &request.method
                            : word == "uri"     ? &request.uri
                            : word == "ver"     ? &request.version
                            : word == "body"    ? &request.body
                            : word == "comment" ? &rule_.comment
                                                : nullptr;
      if (target == nullptr) {
        return complain(fmt::format(
            "expects 'comment', 'meth', 'uri', 'uri-lf', 'ver', 'hdr', 'body' or 'body-lf' but got '{}' as argument.",
            word));
      }
      if (!c_.has(at + 1)) return complain(fmt::format("'{}' expects a string as argument.", word));
      *target = std::string(c_.word(at + 1));
    }
    rule_.http = std::move(request);
    return true;
  }

  bool expect() {
    rule_.kind = CheckRule::Kind::kExpect;
    if (http_) rule_.error_status = CheckStatus::kUnknown;
    if (!c_.has(2)) {
      c_.alert("'{} expect' : expects at least a matching pattern as arguments.", c_.word(0));
      return false;
    }
    bool matched = false;
    for (size_t at = 2; at < c_.count(); ++at) {
      std::string_view word = c_.word(at);
      if (word == "!") {
        rule_.negated = true;
        word = c_.word(++at);
      } else if (word.starts_with('!')) {
        rule_.negated = true;
        word.remove_prefix(1);
      }
      if (http_ && is_http_pattern(word)) {
        if (matched) return complain("only one pattern expected");
        if (!http_pattern(word, &at)) return false;
        matched = true;
      } else if (!http_ && (word == "string" || word == "rstring" || word == "binary" || word == "rbinary")) {
        if (matched) return complain("only on pattern expected");
        if (!pattern(word, c_.word(++at))) return false;
        matched = true;
      } else if (!expect_option(word, &at)) {
        return false;
      }
    }
    if (!matched) return complain("expects at least a matching pattern as arguments");
    return true;
  }

  bool pattern(std::string_view kind, std::string_view text) {
    if (text.empty()) return complain(fmt::format("'{}' expects a <pattern> as argument", kind));
    rule_.pattern_text = rule_.data = std::string(text);
    if (kind == "string") {
      rule_.match = MatchKind::kString;
    } else if (kind == "binary") {
      rule_.match = MatchKind::kBinary;
      auto bytes = from_hex(text);
      if (!bytes) return complain(fmt::format("invalid binary string ({})", bytes.error()));
      rule_.data = std::move(*bytes);
    } else {
      rule_.match = kind == "rstring" ? MatchKind::kRegex : MatchKind::kBinaryRegex;
      return valid_regex(text);
    }
    return true;
  }

  static bool is_http_pattern(std::string_view word) {
    return word == "status" || word == "rstatus" || word == "string" || word == "rstring" || word == "hdr" ||
           word == "fhdr";
  }

  bool http_pattern(std::string_view word, size_t* at) {
    if (word == "hdr" || word == "fhdr") return http_header(word, at);
    const std::string_view text = c_.word(++*at);
    if (text.empty()) return complain(fmt::format("'{}' expects a <pattern> as argument", word));
    rule_.pattern_text = rule_.data = std::string(text);
    if (word == "status") return http_codes(text);
    rule_.match = word == "string"    ? MatchKind::kHttpBody
                  : word == "rstring" ? MatchKind::kHttpBodyRegex
                                      : MatchKind::kHttpStatusRegex;
    return word == "string" || valid_regex(text);
  }

  /// `200`, `200-399`, `200,204,301-302`
  bool http_codes(std::string_view text) {
    rule_.match = MatchKind::kHttpStatus;
    for (std::string_view part : split(text, ',')) {
      const size_t dash = part.find('-');
      const auto low = conf::whole_integer(part.substr(0, dash));
      const auto high = dash == std::string_view::npos ? low : conf::whole_integer(part.substr(dash + 1));
      if (!low || !high) {
        const size_t bad = text.find_first_not_of("0123456789-,");
        return complain(bad == std::string_view::npos
                            ? fmt::format("invalid range of status codes '{}'", text)
                            : fmt::format("invalid character '{}' in the list of status codes", text[bad]));
      }
      if (*low > *high || *low < 100 || *high > 999) {
        return complain(fmt::format("invalid range of status codes '{}'", text));
      }
      rule_.codes.emplace_back(static_cast<int>(*low), static_cast<int>(*high));
    }
    return true;
  }

  /// `hdr name [-m how] <name> [value [-m how] <value>]`
  bool http_header(std::string_view word, size_t* at) {
    rule_.match = MatchKind::kHttpHeader;
    if (c_.word(*at + 1) != "name" || !c_.has(*at + 2)) {
      return complain(fmt::format("'{}' expects at the name keyword as first argument followed by a pattern", word));
    }
    ++*at;
    if (!text_match(word, at, &rule_.name_match, &rule_.header_name)) return false;
    if (c_.word(*at + 1) != "value") return true;
    ++*at;
    return text_match(word, at, &rule_.value_match, &rule_.data);
  }

  bool text_match(std::string_view word, size_t* at, TextMatch* match, std::string* pattern) {
    *match = TextMatch::kExact;
    if (c_.word(*at + 1) == "-m") {
      const std::string_view how = c_.word(*at + 2);
      if (how == "beg") {
        *match = TextMatch::kBegin;
      } else if (how == "end") {
        *match = TextMatch::kEnd;
      } else if (how == "sub") {
        *match = TextMatch::kSubstring;
      } else if (how == "reg") {
        *match = TextMatch::kRegex;
      } else if (how != "str") {
        return complain(
            fmt::format("'{}' : '-m' only supports 'str', 'beg', 'end', 'sub' or 'reg' (got '{}')", word, how));
      }
      *at += 2;
    }
    if (!c_.has(++*at)) return complain(fmt::format("'{}' expect a pattern with the value keyword", word));
    *pattern = std::string(c_.word(*at));
    return *match != TextMatch::kRegex || valid_regex(*pattern);
  }

  bool valid_regex(std::string_view text) {
    const auto regex = Regex::compile(text);
    return regex.has_value() || complain(fmt::format("regex '{}' is invalid ({})", text, regex.error()));
  }

  bool expect_option(std::string_view word, size_t* at) {
    if (word == "min-recv") {
      if (!c_.has(++*at)) return complain(fmt::format("'{}' expects a integer as argument", word));
      const int64_t value = conf::leading_integer(c_.word(*at));
      if (value < -1 || value > INT32_MAX)
        return complain(fmt::format("'{}' expects -1 or an integer from 0 to INT_MAX", word));
      rule_.min_recv = static_cast<int>(value);
      return true;
    }
    if (word == "comment") {
      if (!c_.has(++*at)) return complain("'comment' expects a string as argument");
      rule_.comment = std::string(c_.word(*at));
      return true;
    }
    if (word == "on-success" || word == "on-error") {
      if (!c_.has(++*at)) return complain(fmt::format("'{}' expects a string as argument", word));
      if (c_.word(*at).find('%') != std::string_view::npos) {
        return complain(fmt::format("'{}' : log-format variables are not supported by this version.", word));
      }
      (word == "on-success" ? rule_.on_success : rule_.on_error) = std::string(c_.word(*at));
      return true;
    }
    const std::string_view value = c_.word(*at + 1);
    if (word == "ok-status") {
      ++*at;
      return status(word, value, kOkStatuses, "'L4OK', 'L6OK', 'L7OK' or 'L7OKC'", &rule_.ok_status);
    }
    if (word == "error-status") {
      ++*at;
      return status(word, value, kErrorStatuses, "'L4CON', 'L6RSP', 'L7RSP' or 'L7STS'", &rule_.error_status);
    }
    if (word == "tout-status") {
      ++*at;
      return status(word, value, kTimeoutStatuses, "'L4TOUT', 'L6TOUT' or 'L7TOUT'", &rule_.timeout_status);
    }
    if (http_) {
      return complain(fmt::format(
          "'only supports min-recv, error-status, ok-status, 'status', '[!]string', '[!]rstring', '[!]string-lf', "
          "'[!]rstatus', '[!]hdr', '[!]fhdr' or comment but got '{}' as argument.",
          word));
    }
    return complain(
        fmt::format("'only supports min-recv, '[!]binary', '[!]string', '[!]rstring', '[!]string-lf'"
                    "'[!]rbinary', '[!]binary-lf' or comment but got '{}' as argument.",
                    word));
  }

  template <size_t N>
  bool status(std::string_view word, std::string_view value, const StatusRow (&rows)[N], std::string_view supported,
              CheckStatus* target) {
    for (const StatusRow& row : rows) {
      if (row.name != value) continue;
      *target = row.status;
      return true;
    }
    return complain(fmt::format("'{}' only supports {} status (got '{}').", word, supported, value));
  }

  bool complain(std::string_view text) {
    c_.alert("'{} {}' : {}.", c_.word(0), verb_, text);
    return false;
  }

  KeywordContext& c_;
  bool http_;
  std::string_view verb_;
  CheckRule rule_;
};

void parse_tcp_check(KeywordContext& c) {
  if (!c.ignored_without_backend("tcp-check")) CheckLine(c, false).run();
}

void parse_http_check(KeywordContext& c) {
  if (c.ignored_without_backend("http-check")) return;
  if (c.word(1) == "disable-on-404") {
    if (c.at_most(2, "http-check disable-on-404")) c.proxy->http_check_rules.disable_on_404 = true;
  } else if (c.word(1) == "send-state") {
    if (c.at_most(2, "http-check send-state")) c.proxy->http_check_send_state = true;
  } else {
    CheckLine(c, true).run();
  }
}

constexpr KeywordRow kRows[] = {
    {"http-check", kInProxies, parse_http_check, "a rule of the HTTP health check"},
    {"tcp-check", kInProxies, parse_tcp_check, "a rule of the health check program"},
};

}  // namespace

std::span<const KeywordRow> check_keywords() { return kRows; }

}  // namespace holdfast::proxy
