#include "proxy/check/evaluator.h"

#include <gtest/gtest.h>

#include "proxy/config_parse.h"

namespace holdfast::proxy {
namespace {

using Want = CheckStep::Want;

/// The program that these `tcp-check` lines mean, through the real parser.
CheckProgram program(const std::string& lines) {
  const std::string text = "listen l\n bind :1\n option tcp-check\n" + lines + " server s 127.0.0.1:1 check\n";
  const ParseOutcome outcome = parse_config({{"t.cfg", text}}, {});
  EXPECT_EQ(outcome.exit_code, 0);
  return outcome.config.proxies.at(0).check_program;
}

/// Answers every send with the next of `replies` and expects to end there.
CheckOutcome run(const CheckProgram& rules, std::vector<std::string> replies, bool end = false, bool time_out = false) {
  const CompiledCheck check(rules);
  CheckEvaluator evaluator(check);
  CheckStep step = evaluator.start();
  size_t next = 0;
  for (int guard = 0; guard < 100; ++guard) {
    switch (step.want) {
      case Want::kConnect:
        step = evaluator.connected();
        break;
      case Want::kSend:
        step = evaluator.sent();
        break;
      case Want::kReceive:
        if (next < replies.size()) {
          step = evaluator.received(replies[next++]);
        } else if (end) {
          end = false;
          step = evaluator.ended();
        } else if (time_out) {
          step = evaluator.timed_out(true);
        } else {
          return {.status = CheckStatus::kUnknown, .info = "waiting"};
        }
        break;
      case Want::kDone:
        return step.outcome;
    }
  }
  ADD_FAILURE() << "the check does not end";
  return {};
}

const std::string kArticle =
    " tcp-check connect\n tcp-check send PING\\r\\n\n tcp-check expect string +PONG\n"
    " tcp-check send info\\ replication\\r\\n\n tcp-check expect string role:master\n"
    " tcp-check send QUIT\\r\\n\n tcp-check expect string +OK\n";

TEST(CheckEvaluator, TheArticlesCheckPassesOnAPrimary) {
  const CheckOutcome outcome = run(program(kArticle), {"+PONG\r\n", "$99\r\nrole:mas", "ter\r\n", "+OK\r\n"});
  EXPECT_EQ(outcome.status, CheckStatus::kL7Ok);
  EXPECT_EQ(outcome.info, "(tcp-check)");
}

TEST(CheckEvaluator, AReplicaIsTimedOutNotRejected) {
  const CheckProgram rules = program(kArticle);
  EXPECT_EQ(run(rules, {"+PONG\r\n", "$9\r\nrole:slave\r\n"}).info, "waiting");
  const CheckOutcome outcome = run(rules, {"+PONG\r\n", "$9\r\nrole:slave\r\n"}, false, true);
  EXPECT_EQ(outcome.status, CheckStatus::kL7Timeout);
  EXPECT_EQ(outcome.info, " at step 5 of tcp-check (expect string 'role:master')");
}

TEST(CheckEvaluator, MinRecvZeroIsConclusive) {
  const std::string lines = " tcp-check send PING\\r\\n\n tcp-check expect min-recv 0 string +PONX\n";
  const CheckOutcome outcome = run(program(lines), {"+PONG\r\n"});
  EXPECT_EQ(outcome.status, CheckStatus::kL7Response);
  EXPECT_EQ(outcome.info, "TCPCHK did not match content '+PONX' at step 2");
}

TEST(CheckEvaluator, ExpectsInARowLookAtTheSameBytes) {
  const std::string lines =
      " tcp-check send x\n tcp-check expect rstring role:(master|slave)\n"
      " tcp-check expect min-recv 0 string role:master\n";
  EXPECT_EQ(run(program(lines), {"ro", "le:master"}).status, CheckStatus::kL7Ok);
  EXPECT_EQ(run(program(lines), {"role:slave___"}).info, "TCPCHK did not match content 'role:master' at step 3");
}

TEST(CheckEvaluator, ASendDropsWhatCameBefore) {
  const std::string lines =
      " tcp-check send a\n tcp-check expect string +OK\n tcp-check send b\n tcp-check expect string +OK\n";
  EXPECT_EQ(run(program(lines), {"+OK+OK+OK"}).info, "waiting");
}

TEST(CheckEvaluator, NegationAndBinary) {
  EXPECT_EQ(run(program(" tcp-check send x\n tcp-check expect ! string +PO\n"), {"+PONG"}).info,
            "TCPCHK matched unwanted content '+PO' at step 2");
  EXPECT_EQ(run(program(" tcp-check send x\n tcp-check expect !string -ERR\n"), {"+PONG"}).status, CheckStatus::kL7Ok);
  EXPECT_EQ(run(program(" tcp-check expect binary 0041\n"), {std::string("\0A", 2)}).status, CheckStatus::kL7Ok);
  EXPECT_EQ(run(program(" tcp-check expect rbinary 00(41|42)$\n"), {std::string("x\0B", 3)}).status,
            CheckStatus::kL7Ok);
}

TEST(CheckEvaluator, NamesTheCommentAndTheEmptyResponse) {
  EXPECT_EQ(
      run(program(" tcp-check connect\n tcp-check comment foo\n tcp-check expect string hello comment \"bar baz\"\n"),
          {}, true)
          .info,
      "TCPCHK got an empty response at step 3 comment: 'bar baz'");
}

TEST(CheckEvaluator, ConnectionFailuresNameTheirStep) {
  const CompiledCheck check(program(" tcp-check connect comment xx\n"));
  CheckEvaluator evaluator(check);
  evaluator.start();
  const CheckOutcome refused = evaluator.failed("Connection refused", false).outcome;
  EXPECT_EQ(refused.status, CheckStatus::kL4Connection);
  EXPECT_EQ(refused.info, "Connection refused at step 1 of tcp-check (connect) comment: 'xx'");
}

TEST(CheckEvaluator, RedisCheck) {
  EXPECT_EQ(run(redis_check_program(), {"+PONG\r\n"}).info, "Redis server is ok");
  const CheckOutcome refused = run(redis_check_program(), {"-NOAUTH Authentication required.\r\n"}, true);
  EXPECT_EQ(refused.status, CheckStatus::kL7Status);
  EXPECT_EQ(refused.info, "-NOAUTH Authentication required.");
}

TEST(CheckEvaluator, TheBufferIsBoundedAndAFullOneDecides) {
  const CheckProgram rules = program(" tcp-check expect string needle\n");
  const CheckOutcome outcome = run(rules, {std::string(20000, 'x')});
  EXPECT_EQ(outcome.status, CheckStatus::kL7Response);
}

}  // namespace
}  // namespace holdfast::proxy
