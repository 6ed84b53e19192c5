// What a request is allowed, by rules in order: selectors, users, files and the log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "acl/log.h"
#include "acl/users.h"

namespace holdfast::acl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Verdict check(const User& user, std::vector<std::string_view> words) {
  SpecIndex spec = command::find_command(words[0]);
  if (words.size() > 1 && command::has_subcommands(spec)) {
    const SpecIndex sub = command::find_subcommand(spec, words[1]);
    if (sub != command::kNoSpec) spec = sub;
  }
  return user.check(spec, words);
}
Denied denied(const User& user, std::vector<std::string_view> words) { return check(user, std::move(words)).denied; }

/// The user after ACL SETUSER u <rules>, split at blanks.
const User& set(Users& users, std::string_view rules) {
  std::vector<std::string> words;
  std::string text(rules);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  const auto done = users.set("u", words);
  EXPECT_TRUE(done.has_value()) << done.error();
  return users.at(*users.find("u"));
}

std::string error_of(std::string_view rule) {
  Users users;
  const auto done = users.set("u", std::vector<std::string>{std::string(rule)});
  EXPECT_FALSE(users.find("u").has_value());
  return done ? "" : done.error();
}

TEST(Acl, NewUserMayNothing) {
  Users users;
  const User& user = set(users, "on");
  EXPECT_EQ(denied(user, {"get", "k"}), Denied::kCommand);
  EXPECT_EQ(denied(user, {"auth", "x"}), Denied::kNo);
  EXPECT_EQ(user.describe(), "on sanitize-payload resetchannels -@all");
}

TEST(Acl, CommandsInOrder) {
  Users users;
  const User& user = set(users, "on ~* +@all -@dangerous +info -config|get +config|get");
  EXPECT_EQ(denied(user, {"keys", "*"}), Denied::kCommand);
  EXPECT_EQ(denied(user, {"info"}), Denied::kNo);
  EXPECT_EQ(denied(user, {"config", "set", "a", "b"}), Denied::kCommand);
  EXPECT_EQ(denied(user, {"config", "get", "a"}), Denied::kNo);
  EXPECT_EQ(user.selectors()[0].describe_commands(), "+@all -@dangerous +info +config|get");
}

TEST(Acl, RuleAboutWholeCommandReplacesItsSubcommands) {
  Users users;
  set(users, "+client|id +client|setname +@read");
  EXPECT_EQ(set(users, "-client").selectors()[0].describe_commands(), "-@all +@read -client");
  EXPECT_EQ(denied(users.at(*users.find("u")), {"client", "id"}), Denied::kCommand);
}

TEST(Acl, FirstArgument) {
  Users users;
  const User& user = set(users, "+select|0 +SELECT|1");
  EXPECT_EQ(denied(user, {"select", "0"}), Denied::kNo);
  EXPECT_EQ(denied(user, {"select", "2"}), Denied::kCommand);
  EXPECT_EQ(users.take_warnings().size(), 2u);
  EXPECT_THAT(error_of("-select|0"), HasSubstr("Unknown command"));
  EXPECT_THAT(error_of("+config|get|x"), HasSubstr("Allowing first-arg of a subcommand is not supported"));
}

TEST(Acl, KeysByDirection) {
  Users users;
  const User& user = set(users, "+@all %R~in:* %W~out:* ~both");
  EXPECT_EQ(denied(user, {"get", "in:1"}), Denied::kNo);
  EXPECT_EQ(denied(user, {"get", "out:1"}), Denied::kKey);
  EXPECT_EQ(denied(user, {"set", "out:1", "v"}), Denied::kNo);
  EXPECT_EQ(denied(user, {"set", "out:1", "v", "get"}), Denied::kKey);
  EXPECT_EQ(denied(user, {"set", "both", "v", "get"}), Denied::kNo);
  EXPECT_EQ(denied(user, {"bitfield", "in:1", "get", "u8", "0"}), Denied::kNo);
  EXPECT_EQ(denied(user, {"bitfield", "in:1", "set", "u8", "0", "1"}), Denied::kKey);
  EXPECT_EQ(check(user, {"copy", "in:1", "elsewhere"}).position, 2u);
  EXPECT_EQ(user.selectors()[0].describe_keys(), "%R~in:* %W~out:* ~both");
}

TEST(Acl, PermissionsOfOnePatternAddUp) {
  Users users;
  EXPECT_EQ(set(users, "%R~x %W~x").selectors()[0].describe_keys(), "~x");
}

TEST(Acl, Channels) {
  Users users;
  const User& user = set(users, "+@all &news.*");
  EXPECT_EQ(denied(user, {"subscribe", "news.a"}), Denied::kNo);
  EXPECT_EQ(check(user, {"subscribe", "news.a", "other"}).position, 2u);
  EXPECT_EQ(denied(user, {"psubscribe", "news.*"}), Denied::kNo);
  EXPECT_EQ(denied(user, {"psubscribe", "news.a*"}), Denied::kChannel);
  EXPECT_EQ(denied(user, {"publish", "other", "m"}), Denied::kChannel);
  EXPECT_EQ(denied(user, {"unsubscribe", "other"}), Denied::kNo);
}

TEST(Acl, SelectorsAllowAsAWhole) {
  Users users;
  const User& user = set(users, "+get ~a (+set ~b) (%R~c +get)");
  EXPECT_EQ(denied(user, {"get", "a"}), Denied::kNo);
  EXPECT_EQ(denied(user, {"set", "b", "1"}), Denied::kNo);
  EXPECT_EQ(denied(user, {"set", "a", "1"}), Denied::kKey);
  EXPECT_EQ(denied(user, {"get", "b"}), Denied::kKey);
  EXPECT_EQ(denied(user, {"get", "c"}), Denied::kNo);
  EXPECT_EQ(user.describe(),
            "off sanitize-payload ~a resetchannels -@all +get (~b resetchannels -@all +set) (%R~c resetchannels -@all "
            "+get)");
  EXPECT_EQ(set(users, "clearselectors").selectors().size(), 1u);
}

TEST(Acl, Passwords) {
  Users users;
  set(users, "on >one >two");
  EXPECT_TRUE(users.authenticate("u", "one").has_value());
  EXPECT_TRUE(users.authenticate("u", "two").has_value());
  EXPECT_FALSE(users.authenticate("u", "three").has_value());
  set(users, "<one");
  EXPECT_FALSE(users.authenticate("u", "one").has_value());
  set(users, "nopass");
  EXPECT_TRUE(users.authenticate("u", "anything").has_value());
  set(users, "off");
  EXPECT_FALSE(users.authenticate("u", "anything").has_value());
  EXPECT_THAT(error_of("<one"), HasSubstr("does not exist"));
  EXPECT_THAT(error_of("#abc"), HasSubstr("exactly 64 characters"));
}

TEST(Acl, RefusedRulesChangeNothing) {
  Users users;
  set(users, "on +get ~a");
  const std::string before = users.at(*users.find("u")).describe();
  EXPECT_FALSE(users.set("u", std::vector<std::string>{"+set", "+nosuch"}).has_value());
  EXPECT_FALSE(users.set("u", std::vector<std::string>{"allkeys", "~b"}).has_value());
  EXPECT_FALSE(users.set("u", std::vector<std::string>{"(+get", "~b"}).has_value());
  EXPECT_EQ(users.at(*users.find("u")).describe(), before);
  EXPECT_EQ(error_of("%~a"), "Error in ACL SETUSER modifier '%~a': Syntax error");
  EXPECT_THAT(error_of("+@nosuch"), HasSubstr("Unknown command or category name in ACL"));
  EXPECT_THAT(error_of("nonsense"), HasSubstr("Syntax error"));
  EXPECT_THAT(error_of("(+get"), HasSubstr("Unmatched parenthesis in acl selector starting at '(+get'."));
}

TEST(Acl, DescriptionSetsTheSameAgain) {
  Users users;
  for (const std::string_view rules :
       {"on >pw ~a* %R~b &c +@all -@write +set", "off nopass allkeys allchannels +@read -get +config|get (~x +@all)"}) {
    users.remove("u");
    const std::string described = set(users, rules).describe();
    users.remove("u");
    EXPECT_EQ(set(users, described).describe(), described);
    users.check_invariants();
  }
}

TEST(Acl, FileReplacesEverybodyOrNobody) {
  Users users;
  set(users, "on +get");
  const auto broken = users.load("user a on +get\nuser b +nosuch\nnobody\nuser a off\n", "users.acl");
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error(),
            "users.acl:2: Error in applying operation '+nosuch': Unknown command or category name in ACL. users.acl:3 "
            "should start with user keyword followed by the username. WARNING: Duplicate user 'a' found on line 4. "
            "WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
  EXPECT_TRUE(users.find("u").has_value());
  ASSERT_TRUE(users.load("\nuser default off\r\nuser a on +get\n", "users.acl").has_value());
  EXPECT_FALSE(users.find("u").has_value());
  EXPECT_FALSE(users.default_is_open());
  users.check_invariants();
  const std::string saved = users.save();
  ASSERT_TRUE(users.load(saved, "users.acl").has_value());
  EXPECT_EQ(users.save(), saved);
  ASSERT_TRUE(users.load("user b on\n", "users.acl").has_value());
  EXPECT_TRUE(users.default_is_open());
  users.check_invariants();
}

TEST(Acl, SentinelKnowsItsOwnCommandsOnly) {
  Users users({Program::kSentinel, false});
  EXPECT_TRUE(users.set("u", std::vector<std::string>{"+sentinel|masters", "+ping"}).has_value());
  EXPECT_FALSE(users.set("u", std::vector<std::string>{"+set"}).has_value());
  EXPECT_THAT(error_of("+sentinel"), HasSubstr("Unknown command"));
}

TEST(AclLog, LikeEventsAreOneEntry) {
  Log log;
  const auto event = [](std::string object, int64_t at) {
    LogEntry out;
    out.reason = Denied::kKey;
    out.object = std::move(object);
    out.updated_ms = at;
    return out;
  };
  log.add(event("a", 1000), 3);
  log.add(event("b", 2000), 3);
  log.add(event("a", 3000), 3);
  ASSERT_EQ(log.entries().size(), 2u);
  EXPECT_EQ(log.entries()[0].object, "a");
  EXPECT_EQ(log.entries()[0].count, 2u);
  EXPECT_EQ(log.entries()[0].created_ms, 1000);
  log.add(event("a", 63001), 3);
  EXPECT_EQ(log.entries().size(), 3u);
  log.add(event("c", 63002), 3);
  EXPECT_EQ(log.entries().size(), 3u);
  EXPECT_EQ(log.entries()[0].id, 3u);
  EXPECT_EQ(log.counts().key, 5u);
}

}  // namespace
}  // namespace holdfast::acl
