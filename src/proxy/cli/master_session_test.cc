#include "proxy/cli/master_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/prng.h"

namespace holdfast::proxy {
namespace {

using testing::HasSubstr;
using Kind = MasterStep::Kind;

class MasterSessionTest : public testing::Test {
 protected:
  MasterSessionTest() {
    status.pid = 10;
    status.workers = {{.pid = 30, .reloads = 0, .up = {}, .leaving = false},
                      {.pid = 20, .reloads = 1, .up = {}, .leaving = true}};
  }
  /// Everything the session does with what it was given, as text; workers answer "<pid: line>".
  std::string run(MasterSession& session) {
    std::string out;
    while (true) {
      const MasterStep step = session.next(status);
      switch (step.kind) {
        case Kind::kAnswer:
          out += step.text;
          break;
        case Kind::kForward:
          out += "<" + std::to_string(step.pid) + ": " + step.text + ">";
          session.forwarded(status, true);
          break;
        case Kind::kRelay:
          out += "<<" + std::to_string(step.pid) + ": " + step.text + session.take_input() + ">>";
          session.forwarded(status, true);
          break;
        case Kind::kReload:
          out += step.hard ? "<hard>" : "<soft>";
          session.reloaded(true, "logs\n");
          break;
        case Kind::kWait:
          return out + "|";
        case Kind::kEnd:
          return out + "#";
      }
    }
  }
  std::string ask(std::string_view text, CliLevel level = CliLevel::kAdmin) {
    MasterSession session(level);
    EXPECT_TRUE(session.receive(text));
    return run(session);
  }

  MasterStatus status;
};

TEST_F(MasterSessionTest, PrefixesNameProcesses) {
  EXPECT_EQ(ask("@1 show info;@!20 show stat\n"), "<30: show info\n><20: show stat\n>#");
  EXPECT_EQ(ask("@!30;show info\n"), "<30: show info\n>#");
  EXPECT_EQ(ask("@2 x\n"), "Can't find the target PID matching the prefix '@2'\n#");
  EXPECT_EQ(ask("@!10 x\n"), "Can't find the target PID matching the prefix '@!10'\n#");
  EXPECT_EQ(ask("prompt\n@1\n@\n@99999999999999999999\n"),
            "master> 30> master> Can't find the target PID matching the prefix '@99999999999999999999'\n#");
}

TEST_F(MasterSessionTest, SemicolonsCanBeQuoted) { EXPECT_EQ(ask("@1 a\\;b;@1 c\\\n"), "<30: a\\;b\n><30: c\\\n>#"); }

TEST_F(MasterSessionTest, LevelsOnlyGoDownAndGoAlong) {
  EXPECT_EQ(ask("operator;@1 x\n"), "<30: operator -;x\n>#");
  EXPECT_EQ(ask("user;operator;show cli level\n"), "Permission denied!\n#");
  EXPECT_EQ(ask("hard-reload\n", CliLevel::kUser), "Permission denied\n\n#");
  EXPECT_EQ(ask("hard-reload;show version\n", CliLevel::kOperator), "<hard>Success=1\n--\nlogs\n\n#");
}

TEST_F(MasterSessionTest, PayloadsGoWithTheLastCommandOfTheirLine) {
  EXPECT_THAT(ask("@1 a;@1 b <<\nx\ny\n\nshow version\n"), testing::StartsWith("<30: a\n><30: b <<\nx\ny\n\n>3.4.0"));
  MasterSession session(CliLevel::kAdmin);
  session.receive("@1 b <<\nx\n");
  EXPECT_EQ(run(session), "|");
  session.receive("\r\n");
  EXPECT_EQ(run(session), "<30: b <<\nx\n\n>#");
}

TEST_F(MasterSessionTest, AWholeLineAndTheRestGoToAWorker) {
  EXPECT_EQ(ask("@@1 a;b <<\nmore\n"), "<<30: a;b <<\nmore\n>>#");
  EXPECT_EQ(ask("prompt\n@@!20\nmore\n"), "master> <<20: prompt\nmore\n>>#");
  EXPECT_EQ(ask("@@master x\n"), "Can't find the target PID matching the prefix '@master'\n#");
}

TEST_F(MasterSessionTest, OldWorkersAreListedApart) {
  const std::string table = ask("show proc\n");
  EXPECT_LT(table.find("# workers\n30 "), table.find("# old workers\n20 "));
}

TEST_F(MasterSessionTest, WhatNeverEndsIsRefused) {
  MasterSession line(CliLevel::kAdmin);
  EXPECT_TRUE(line.receive(std::string(MasterSession::kLineMax + 1, 'x')));
  EXPECT_EQ(run(line), "#");
  MasterSession payload(CliLevel::kAdmin);
  payload.receive("@1 x <<\n");
  const std::string more = std::string(1023, 'y') + "\n";
  bool taken = true;
  for (int i = 0; taken && i < 2000; ++i) {
    taken = payload.receive(more);
    EXPECT_EQ(run(payload), "|");
  }
  EXPECT_FALSE(taken);
}

TEST_F(MasterSessionTest, CutAnywhereTheAnswersAreTheSame) {
  const std::string text =
      "prompt\n@1\nshow x; @master show version;user\n@!20 set y <<\npayload\n\n\nexpert-mode on\nshow z\nquit\n";
  const std::string whole = ask(text);
  for (size_t cut = 1; cut < text.size(); ++cut) {
    MasterSession session(CliLevel::kAdmin);
    session.receive(text.substr(0, cut));
    std::string out = run(session);
    if (out.back() == '|') out.pop_back();
    session.receive(text.substr(cut));
    EXPECT_EQ(out + run(session), whole) << cut;
  }
}

TEST_F(MasterSessionTest, AnythingGoesWithoutHarm) {
  Prng prng(7);
  const std::string_view pieces[] = {"@",      "@@", "1",      "!20",       ";", "\n", " <<\n",
                                     "prompt", "\\", "reload", "show proc", " ", "\r", "quit"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (uint64_t i = prng.below(12); i > 0; --i) text += pieces[prng.below(std::size(pieces))];
    MasterSession session(CliLevel::kOperator);
    session.receive(text);
    run(session);
    session.end_of_input();
    EXPECT_EQ(run(session).back(), '#') << text;
  }
}

}  // namespace
}  // namespace holdfast::proxy
