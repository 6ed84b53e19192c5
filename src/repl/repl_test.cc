#include <gtest/gtest.h>

#include "repl/replica_link.h"

namespace holdfast::repl {
namespace {

using Kind = ReplicaLink::Step::Kind;

/// Plays a primary's bytes in chunks and records what the link makes of them.
struct Played {
  std::string payload;
  std::string stream;
  std::string end;
  std::string facts = "none";
  bool finished = false;
  OutQueue sent;
};
Played play(std::string_view bytes, size_t chunk, bool ask_facts = false) {
  Played out;
  ReplicaLink link({.password = "pw", .announced_port = 7, .announced_ip = "1.2.3.4", .ask_facts = ask_facts});
  link.connected(out.sent);
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    link.feed(bytes.substr(at, chunk));
    while (true) {
      const auto step = link.next(out.sent);
      if (step.kind == Kind::kNeedMore) break;
      if (step.kind == Kind::kPayload) out.payload += step.bytes;
      if (step.kind == Kind::kStream) out.stream += step.bytes;
      if (step.kind == Kind::kPayloadFinished) out.finished = true;
      if (step.kind == Kind::kFacts) {
        EXPECT_EQ(out.sent.to_string().find("PSYNC"), std::string::npos);
        out.facts = step.text;
        link.synchronize(out.sent);
      }
      if (step.kind == Kind::kFailed) out.end = step.text;
      if (step.kind == Kind::kFailed) return out;
    }
  }
  return out;
}

const std::string kId(40, 'a');
const std::string kHandshake = "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n";

TEST(ReplicaLink, FindsPayloadAndStreamWhateverTheChunks) {
  const std::string mark(40, 'z');
  const std::string rdb = "REDIS0010" + std::string(300, 'z') + "\n\r\nend";
  const std::string stream = "*1\r\n$4\r\nPING\r\n";
  const std::string sized =
      kHandshake + "+FULLRESYNC " + kId + " 100\r\n\n\n$" + std::to_string(rdb.size()) + "\r\n" + rdb + stream;
  std::string tail = rdb;
  tail[9 + 299] = 'y';  // so that the mark does not occur inside
  for (size_t i = 20; i < 300; i += 30) tail[9 + i] = 'y';
  const std::string marked = kHandshake + "+FULLRESYNC " + kId + " 100\r\n$EOF:" + mark + "\r\n" + tail + mark + stream;
  for (size_t chunk = 1; chunk < 200; ++chunk) {
    const Played a = play(sized, chunk);
    EXPECT_EQ(a.payload, rdb) << chunk;
    EXPECT_EQ(a.stream, stream) << chunk;
    EXPECT_TRUE(a.finished);
    const Played b = play(marked, chunk);
    EXPECT_EQ(b.payload, tail) << chunk;
    EXPECT_EQ(b.stream, stream) << chunk;
    EXPECT_TRUE(b.finished);
  }
  EXPECT_NE(play(sized, 50).sent.to_string().find("ip-address"), std::string::npos);
}

TEST(ReplicaLink, FailsInWords) {
  EXPECT_EQ(play("-DENIED no\r\n", 99).end, "Error reply to PING from master: '-DENIED no'");
  EXPECT_EQ(play("+PONG\r\n-WRONGPASS x\r\n", 99).end, "Unable to AUTH to MASTER: -WRONGPASS x");
  EXPECT_EQ(play(kHandshake + "-ERR what\r\n", 99).end, "Unexpected reply to PSYNC from master: -ERR what");
  EXPECT_EQ(play(kHandshake + "+FULLRESYNC x y\r\n", 99).end,
            "Master replied with wrong +FULLRESYNC syntax: +FULLRESYNC x y");
  EXPECT_NE(play(kHandshake + "+FULLRESYNC " + kId + " 1\r\n$-5\r\n", 99).end, "");
  EXPECT_NE(play(kHandshake + "+FULLRESYNC " + kId + " 1\r\nhello\r\n", 99).end, "");
}

TEST(ReplicaLink, AsksForFactsBeforeItSynchronizes) {
  const std::string info = "# Server\r\nrun_id:1\r\n\r\nrole:master\r\n";
  const std::string answer = "$" + std::to_string(info.size()) + "\r\n" + info + "\r\n";
  for (size_t chunk = 1; chunk < 120; ++chunk) {
    const Played played = play(kHandshake + answer + "+CONTINUE " + kId + "\r\n*1\r\n", chunk, true);
    EXPECT_EQ(played.facts, info) << chunk;
    EXPECT_EQ(played.stream, "*1\r\n") << chunk;
    const Played denied = play(kHandshake + "-NOPERM no\r\n+CONTINUE\r\n*1\r\n", chunk, true);
    EXPECT_EQ(denied.facts, "");
    EXPECT_EQ(denied.stream, "*1\r\n");
  }
  for (const std::string& bad : {"$-1\r\n", "$999999999999\r\n"}) {
    EXPECT_NE(play(kHandshake + bad, 99, true).end, "") << bad;
  }
}

TEST(ReplicaLink, GoesOnAfterContinue) {
  const Played played = play(kHandshake + "+CONTINUE " + kId + "\r\n*1\r\n", 3);
  EXPECT_EQ(played.stream, "*1\r\n");
  EXPECT_EQ(played.end, "");
}

}  // namespace
}  // namespace holdfast::repl
