#include "proxy/check/protocol_match.h"

#include <gtest/gtest.h>

namespace holdfast::proxy {
namespace {

using Kind = ProtocolVerdict::Kind;

CheckRule rule(MatchKind match) { return {.kind = CheckRule::Kind::kExpect, .match = match}; }
ProtocolVerdict match(MatchKind kind, std::string_view bytes, bool last = false) {
  return match_protocol(rule(kind), {.bytes = bytes, .last = last});
}

/// Any piece of a good answer waits for the rest, and is an invalid answer when nothing more comes.
void expect_patience(MatchKind kind, const std::string& whole) {
  EXPECT_EQ(match(kind, whole).kind, Kind::kPass);
  for (size_t cut = 1; cut < whole.size(); ++cut) {
    EXPECT_EQ(match(kind, whole.substr(0, cut)).kind, Kind::kWait) << cut;
    EXPECT_EQ(match(kind, whole.substr(0, cut), true).status, CheckStatus::kL7Response) << cut;
  }
}

TEST(ProtocolMatch, Mysql) {
  const std::string greeting("\x06\0\0\0\x0a8.0.\0", 10);
  const std::string ok("\x07\0\0\2\0\0\0\2\0\0\0", 11);
  expect_patience(MatchKind::kMysqlGreeting, greeting);
  EXPECT_EQ(match(MatchKind::kMysqlOk, greeting + ok).kind, Kind::kPass);
  EXPECT_EQ(match(MatchKind::kMysqlOk, greeting + ok.substr(0, 9)).kind, Kind::kWait);
  const ProtocolVerdict denied = match(MatchKind::kMysqlOk, greeting + std::string("\x05\0\0\2\xff\x15\x04no", 9));
  EXPECT_EQ(denied.status, CheckStatus::kL7Status);
  EXPECT_EQ(denied.code, 1045);
  EXPECT_EQ(denied.info, "no");
  EXPECT_EQ(match(MatchKind::kMysqlGreeting, std::string("\xff\xff\xff\0abc", 7)).kind,
            Kind::kWait);  // never read past
}

TEST(ProtocolMatch, Ldap) {
  const std::string good("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", 14);
  expect_patience(MatchKind::kLdapBind, good);
  std::string refused = good;
  refused[9] = 49;
  EXPECT_EQ(match(MatchKind::kLdapBind, refused).code, 49);
  std::string long_form = good;
  long_form[1] = static_cast<char>(0x84);  // four bytes of length that are not there
  EXPECT_NE(match(MatchKind::kLdapBind, long_form, true).kind, Kind::kPass);
  for (size_t at = 0; at < good.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string bent = good;
      bent[at] = static_cast<char>(value);
      match(MatchKind::kLdapBind, bent, true);  // must not read outside; the sanitizers watch
    }
  }
}

TEST(ProtocolMatch, HttpStatusAndSoftStop) {
  CheckRule wanted = rule(MatchKind::kHttpStatus);
  wanted.codes = {{200, 399}};
  wanted.error_status = CheckStatus::kUnknown;
  const std::string gone = "HTTP/1.1 404 Not Found\r\n\r\n";
  EXPECT_EQ(match_protocol(wanted, {.bytes = gone}).status, CheckStatus::kL7Status);
  EXPECT_EQ(match_protocol(wanted, {.bytes = gone, .accepts_404 = true}).status, CheckStatus::kL7OkConditional);
  EXPECT_EQ(match_protocol(wanted, {.bytes = gone.substr(0, 20)}).kind, Kind::kWait);
  wanted.negated = true;
  EXPECT_EQ(match_protocol(wanted, {.bytes = gone}).kind, Kind::kPass);
}

}  // namespace
}  // namespace holdfast::proxy
