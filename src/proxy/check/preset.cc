// The ready-made check programs: what `option smtpchk`, `mysql-check`, `pgsql-check`, `ldap-check`, `ssl-hello-chk` and
// `httpchk` mean. Source: HAProxy configuration manual 4.2 and the protocols' own specifications; bytes and texts
// compared with 2.6.12.
#include <fmt/format.h>

#include "base/text.h"
#include "proxy/check/program.h"

namespace holdfast::proxy {
namespace {

constexpr std::string_view kMysqlQuit{"\x01\x00\x00\x00\x01", 5};

CheckProgram begin(bool linger) {
  CheckProgram program;
  program.generated = true;
  program.success_info.clear();
  program.rules.push_back(CheckRule{.kind = CheckRule::Kind::kConnect, .step = -1, .linger = linger});
  return program;
}

CheckRule& add(CheckProgram& program, CheckRule rule) {
  rule.step = static_cast<int>(program.rules.size()) - 1;
  program.rules.push_back(std::move(rule));
  return program.rules.back();
}

void send(CheckProgram& program, std::string data) {
  add(program, CheckRule{.kind = CheckRule::Kind::kSend, .data = std::move(data)});
}

CheckRule& expect(CheckProgram& program, MatchKind match, std::string_view pattern, int min_recv) {
  return add(program, CheckRule{.kind = CheckRule::Kind::kExpect,
                                .data = std::string(pattern),
                                .match = match,
                                .min_recv = min_recv,
                                .pattern_text = std::string(pattern)});
}

std::string big_endian(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 255));
  return out;
}

}  // namespace

CheckProgram smtp_check_program(std::string_view command) {
  CheckProgram program = begin(true);
  CheckRule& greeting = expect(program, MatchKind::kRegex, "^[0-9]{3}[ \r]", 4);
  greeting.error_status = CheckStatus::kL7Response;
  greeting.error_from = 0;
  auto positive = [&program](std::string_view pattern, int min_recv, bool reports) {
    CheckRule& rule = expect(program, MatchKind::kRegex, pattern, min_recv);
    rule.error_status = CheckStatus::kL7Status;
    rule.error_from = 4;
    if (reports) rule.success_from = 4;
    rule.code_from_payload = true;
  };
  positive("^2[0-9]{2}[ \r]", 4, false);
  send(program, fmt::format("{}\r\n", command));
  positive("^(2[0-9]{2}-[^\r]*\r\n)*2[0-9]{2}[ \r]", -1, true);
  send(program, "QUIT\r\n");
  positive("^2[0-9]{2}[- \r]", 4, true);
  return program;
}

CheckProgram mysql_check_program(std::string_view user, MysqlDialect dialect) {
  CheckProgram program = begin(true);
  if (user.empty()) {
    expect(program, MatchKind::kMysqlGreeting, "", -1);
    return program;
  }
  std::string login;
  if (dialect == MysqlDialect::kPre41) {
    login = std::string("\x00\x80\x00\x00\x01", 5);
  } else {
    login = dialect == MysqlDialect::kPost80 ? std::string("\x00\x82\x08\x00", 4) : std::string("\x00\x82\x00\x00", 4);
    login += std::string("\x00\x80\x00\x01\x21", 5) + std::string(23, '\0');
  }
  login += std::string(user) + std::string(2, '\0');  // the name's end, and no password
  if (dialect == MysqlDialect::kPost80) login += std::string("mysql_native_password") + '\0';
  std::string packet;
  for (int shift = 0; shift <= 16; shift += 8) packet.push_back(static_cast<char>(login.size() >> shift & 255));
  packet.push_back(1);  // sequence
  send(program, packet + login + std::string(kMysqlQuit));
  expect(program, MatchKind::kMysqlGreeting, "", -1);
  expect(program, MatchKind::kMysqlOk, "", -1);
  return program;
}

CheckProgram pgsql_check_program(std::string_view user) {
  CheckProgram program = begin(true);
  std::string start = big_endian(static_cast<uint32_t>(15 + user.size())) + std::string("\0\3\0\0user\0", 9);
  send(program, start + std::string(user) + std::string(2, '\0'));
  CheckRule& refused = expect(program, MatchKind::kRegex, "^E", 5);
  refused.negated = true;
  refused.error_from = 6;
  CheckRule& ready =
      expect(program, MatchKind::kBinaryRegex, "^52000000[A-Za-z0-9]{2}000000(00|02|03|04|05|06|07|09|0[Aa])", 9);
  ready.error_status = CheckStatus::kL7Status;
  ready.on_success = "PostgreSQL server is ok";
  ready.on_error = "PostgreSQL unknown error";
  return program;
}

CheckProgram ldap_check_program() {
  CheckProgram program = begin(false);
  send(program, std::string("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", 14));
  expect(program, MatchKind::kBinaryRegex, "^30", 14).on_error = "Not LDAPv3 protocol";
  expect(program, MatchKind::kLdapBind, "", -1);
  return program;
}

CheckProgram ssl_hello_check_program() {
  CheckProgram program = begin(false);
  // SSLv3 ClientHello: record, handshake, version, time, 28 bytes, no session, 39 cipher suites, no compression.
  std::string hello("\x16\x03\x00\x00\x79\x01\x00\x00\x75\x03\x00\x00\x00\x00\x00", 15);
  hello += "HAPROXYSSLCHK\nHAPROXYSSLCHK\n";
  hello += std::string("\x00\x00\x4e", 3);
  auto suites = [&hello](int from, int to) {
    for (int suite = from; suite <= to; ++suite) {
      hello.push_back('\0');
      hello.push_back(static_cast<char>(suite));
    }
  };
  suites(0x01, 0x1b);
  suites(0x2f, 0x3a);
  hello += std::string("\x01\x00", 2);
  send(program, hello);
  CheckRule& record = expect(program, MatchKind::kBinaryRegex, "^1[56]", 5);
  record.ok_status = CheckStatus::kL6Ok;
  record.error_status = CheckStatus::kL6Response;
  record.timeout_status = CheckStatus::kL6Timeout;
  return program;
}

std::string encode_http_check(const HttpCheckRequest& request, bool send_state) {
  const std::string method = request.method.empty() ? "OPTIONS" : request.method;
  const std::string version = request.version.empty() ? "HTTP/1.0" : request.version;
  std::string out = fmt::format("{} {} {}\r\n", method, request.uri.empty() ? "/" : request.uri, version);
  bool connection = false;
  for (const auto& [name, value] : request.fields) {
    out += fmt::format("{}: {}\r\n", to_lower(name), value);
    connection = connection || equal_ignoring_case(name, "connection");
  }
  if (send_state) out += fmt::format("x-haproxy-server-state: {}\r\n", kServerStateMark);
  const bool bodiless = method == "OPTIONS" || method == "GET" || method == "HEAD" || method == "DELETE";
  if (!bodiless || !request.body.empty()) out += fmt::format("content-length: {}\r\n", request.body.size());
  if (!connection && version != "HTTP/1.0") out += "connection: close\r\n";
  return out + "\r\n" + request.body;
}

CheckProgram http_check_program(const HttpCheckRequest& request, const CheckProgram& lines, bool send_state) {
  CheckProgram all = lines;
  // The option's request goes behind the first connect, or in front of everything; the first rule that sends completes
  // it instead where there is one.
  size_t at = !all.rules.empty() && all.rules[0].kind == CheckRule::Kind::kConnect ? 1 : 0;
  size_t first = at;
  while (first < all.rules.size() && all.rules[first].kind == CheckRule::Kind::kComment) ++first;
  if (first < all.rules.size() && all.rules[first].kind == CheckRule::Kind::kSend) {
    HttpCheckRequest& own = *all.rules[first].http;
    if (own.method.empty()) own.method = request.method;
    if (own.uri.empty()) own.uri = request.uri;
    if (own.version.empty()) own.version = request.version;
    if (own.fields.empty()) own.fields = request.fields;
  } else {
    CheckRule rule{.kind = CheckRule::Kind::kSend, .step = static_cast<int>(at), .http = request};
    all.rules.insert(all.rules.begin() + static_cast<long>(at), std::move(rule));
    for (size_t i = at + 1; i < all.rules.size(); ++i) ++all.rules[i].step;
  }
  if (all.rules.back().kind == CheckRule::Kind::kSend) {
    CheckRule rule{
        .kind = CheckRule::Kind::kExpect, .step = all.rules.back().step + 1, .match = MatchKind::kHttpStatus};
    rule.error_status = CheckStatus::kL7Status;
    rule.codes.emplace_back(200, 399);
    all.rules.push_back(std::move(rule));
  }
  for (CheckRule& rule : all.rules) {
    if (rule.kind != CheckRule::Kind::kSend) continue;
    rule.data = encode_http_check(*rule.http, send_state);
    rule.send_state = send_state;
  }
  CheckProgram program = finish_tcp_check(all);
  program.success_info.clear();
  return program;
}

}  // namespace holdfast::proxy
