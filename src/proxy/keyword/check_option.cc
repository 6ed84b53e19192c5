// `option X` where X chooses the kind of health check: tcp-check, redis-check, httpchk, smtpchk, mysql-check,
// pgsql-check, ldap-check, ssl-hello-chk, external-check.
#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

void tcp_check(KeywordContext& c) {
  if (!c.at_most(2, "option tcp-check")) return;
  c.proxy->check_kind = CheckKind::kTcpCheck;
  c.proxy->rules_unused = false;
}
void redis_check(KeywordContext& c) {
  if (c.at_most(2, "option redis-check")) c.proxy->check_kind = CheckKind::kRedisCheck;
}

void preset(KeywordContext& c, CheckProgram program) {
  c.proxy->check_kind = CheckKind::kPreset;
  c.proxy->preset_program = std::move(program);
}

void smtp_check(KeywordContext& c) {
  const bool greets = c.word(2) == "EHLO" || c.word(2) == "HELO";
  if (!c.at_most(4, "option smtpchk")) return;
  preset(c, smtp_check_program(greets && c.has(3) ? fmt::format("{} {}", c.word(2), c.word(3)) : "HELO localhost"));
}

void mysql_check(KeywordContext& c) {
  if (!c.at_most(5, "option mysql-check")) return;
  if (!c.has(2)) return preset(c, mysql_check_program("", MysqlDialect::kPost41));
  if (c.word(2) != "user") {
    return c.alert("'option mysql-check' only supports optional values: 'user' (got '{}').", c.word(2));
  }
  if (c.word(3).empty()) return c.alert("'option mysql-check user' expects <username> as argument.");
  MysqlDialect dialect = MysqlDialect::kPost41;
  if (c.word(4) == "pre-41") {
    dialect = MysqlDialect::kPre41;
  } else if (c.word(4) == "post-80") {
    dialect = MysqlDialect::kPost80;
  } else if (!c.word(4).empty() && c.word(4) != "post-41") {
    return c.alert("keyword 'user' only supports 'post-41', 'pre-41' and 'post-80' (got '{}').", c.word(4));
  }
  preset(c, mysql_check_program(c.word(3), dialect));
}

void pgsql_check(KeywordContext& c) {
  if (!c.at_most(4, "option pgsql-check")) return;
  if (c.word(2).empty() || c.word(3).empty()) {
    return c.alert("'option pgsql-check' expects 'user <username>' as argument.");
  }
  if (c.word(2) != "user") return c.alert("'option pgsql-check' only supports optional values: 'user'.");
  preset(c, pgsql_check_program(c.word(3)));
}

void ldap_check(KeywordContext& c) {
  if (c.at_most(2, "option ldap-check")) preset(c, ldap_check_program());
}
void ssl_hello_check(KeywordContext& c) {
  if (c.at_most(2, "option ssl-hello-chk")) preset(c, ssl_hello_check_program());
}

void external_check(KeywordContext& c) {
  if (c.at_most(2, "option external-check")) c.proxy->check_kind = CheckKind::kExternal;
}

void http_check(KeywordContext& c) {
  if (!c.at_most(6, "option httpchk")) return;
  HttpCheckRequest request;
  if (c.has(2)) (c.has(3) ? request.method : request.uri) = std::string(c.word(2));
  if (c.has(3)) request.uri = std::string(c.word(3));
  if (c.has(4)) request.version = std::string(c.word(4));
  if (request.version.find("\r\n") != std::string::npos) {
    return c.alert(
        "'option httpchk' : hiding headers or body at the end of the version string is unsupported."
        "Use 'http-check send' directive instead..");
  }
  if (c.has(5)) request.fields.emplace_back("host", std::string(c.word(5)));
  c.proxy->check_kind = CheckKind::kHttpCheck;
  c.proxy->http_rules_unused = false;
  c.proxy->http_check_request = std::move(request);
}

struct Row {
  std::string_view name;
  void (*parse)(KeywordContext&);
};
constexpr Row kRows[] = {
    {"tcp-check", tcp_check},   {"redis-check", redis_check},       {"httpchk", http_check},
    {"smtpchk", smtp_check},    {"mysql-check", mysql_check},       {"pgsql-check", pgsql_check},
    {"ldap-check", ldap_check}, {"ssl-hello-chk", ssl_hello_check}, {"external-check", external_check},
};

}  // namespace

bool parse_check_option(KeywordContext& c, std::string_view name) {
  if (name == "spop-check") {
    c.alert("'option {}' is not supported by this version.", name);
    return true;
  }
  for (const Row& row : kRows) {
    if (row.name != name) continue;
    if (!c.ignored_without_backend(name)) row.parse(c);
    return true;
  }
  return false;
}

}  // namespace holdfast::proxy
