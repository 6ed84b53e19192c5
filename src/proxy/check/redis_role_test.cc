#include "proxy/check/redis_role.h"

#include <gtest/gtest.h>

#include "proxy/check/evaluator.h"

namespace holdfast::proxy {
namespace {

CheckRule send(std::string data) { return {.kind = CheckRule::Kind::kSend, .data = std::move(data)}; }
CheckRule expect(std::string text) { return {.kind = CheckRule::Kind::kExpect, .data = text, .pattern_text = text}; }
CheckProgram program(std::vector<CheckRule> rules) {
  CheckProgram lines;
  lines.rules = std::move(rules);
  for (size_t i = 0; i < lines.rules.size(); ++i) lines.rules[i].step = static_cast<int>(i);
  return finish_tcp_check(lines);
}

TEST(RedisRole, KnowsTheArticlesProgramAndOthersLikeIt) {
  EXPECT_TRUE(asks_redis_role(
      program({send("PING\r\n"), expect("+PONG"), send("info replication\r\n"), expect("role:master")})));
  EXPECT_TRUE(asks_redis_role(program({send("*1\r\n$4\r\nROLE\r\n"), expect("master")})));
  EXPECT_TRUE(asks_redis_role(program({send("INFO\r\n"), expect("role:master")})));
  EXPECT_FALSE(asks_redis_role(program({send("PING\r\n"), expect("+PONG")})));
  EXPECT_FALSE(asks_redis_role(program({send("info replication\\r\\n"), expect("role:master")})));  // literal escapes
  EXPECT_FALSE(asks_redis_role(program({send("EHLO x\r\n"), expect("250")})));
  EXPECT_FALSE(asks_redis_role(program({send("info replication\r\n")})));
}

TEST(RedisRole, KnowsCompleteReplies) {
  EXPECT_TRUE(is_complete_reply("$4\r\nrole\r\n"));
  EXPECT_TRUE(is_complete_reply("-NOAUTH Authentication required.\r\n"));
  EXPECT_FALSE(is_complete_reply("$4\r\nro"));
  EXPECT_FALSE(is_complete_reply("+PONG\r\n+OK\r\n"));
  EXPECT_FALSE(is_complete_reply("220 mail ready\r\n"));
  EXPECT_FALSE(is_complete_reply(""));
}

/// What a check makes of a replica's answer, given in pieces.
CheckStep answer(bool fast, std::string_view command, std::string_view reply, size_t piece) {
  CheckProgram checked = program({send(std::string(command)), expect("role:master")});
  checked.conclude_on_reply = fast;
  const CompiledCheck compiled(checked);
  CheckEvaluator evaluator(compiled);
  evaluator.start();
  evaluator.connected();
  CheckStep step = evaluator.sent();
  for (size_t at = 0; at < reply.size() && step.want == CheckStep::Want::kReceive; at += piece) {
    step = evaluator.received(reply.substr(at, piece));
  }
  return step;
}

TEST(RedisRole, AReplicaFailsAsSoonAsItsReplyIsComplete) {
  const std::string_view reply = "$12\r\nrole:slave\r\n\r\n";
  for (size_t piece = 1; piece <= reply.size(); ++piece) {
    const CheckStep fast = answer(true, "info replication\r\n", reply, piece);
    ASSERT_EQ(fast.want, CheckStep::Want::kDone) << piece;
    EXPECT_EQ(fast.outcome.status, CheckStatus::kL7Response);
    EXPECT_EQ(fast.outcome.info, "TCPCHK did not match content 'role:master' at step 2");
    EXPECT_EQ(answer(false, "info replication\r\n", reply, piece).want, CheckStep::Want::kReceive);
    EXPECT_EQ(answer(true, "info replication\r\n", reply.substr(0, reply.size() - 1), piece).want,
              CheckStep::Want::kReceive);
    EXPECT_EQ(answer(true, "HELO\r\n", reply, piece).want, CheckStep::Want::kReceive);  // not a Redis command
  }
  EXPECT_EQ(answer(true, "info\r\n", "$13\r\nrole:master\r\n\r\n", 3).outcome.status, CheckStatus::kL7Ok);
}

}  // namespace
}  // namespace holdfast::proxy
