#include <gtest/gtest.h>

#include "base/prng.h"
#include "repl/backlog.h"
#include "repl/replica_link.h"

namespace holdfast::repl {
namespace {

TEST(Backlog, AgreesWithTheWholeStream) {
  Prng prng(5);
  for (const size_t capacity : {size_t{1}, size_t{7}, size_t{100}, size_t{4096}}) {
    Backlog backlog(capacity, 1);
    std::string stream;
    for (int step = 0; step < 2000; ++step) {
      if (prng.below(100) == 0) backlog.resize(capacity / 2 + prng.below(capacity) + 1);
      std::string bytes;
      for (uint64_t i = prng.below(2 * capacity + 3); i > 0; --i) bytes += static_cast<char>('a' + prng.below(26));
      backlog.append(bytes);
      stream += bytes;
      backlog.check_invariants();
      ASSERT_EQ(backlog.end_offset(), static_cast<int64_t>(stream.size()) + 1);
      const int64_t from = backlog.first_offset() + static_cast<int64_t>(prng.below(backlog.size() + 1));
      ASSERT_TRUE(backlog.covers(from));
      ASSERT_FALSE(backlog.covers(backlog.first_offset() - 1));
      ASSERT_FALSE(backlog.covers(backlog.end_offset() + 1));
      const auto pieces = backlog.from(from);
      ASSERT_EQ(std::string(pieces.first) + std::string(pieces.second), stream.substr(static_cast<size_t>(from - 1)));
    }
  }
}

using Kind = ReplicaLink::Step::Kind;

/// Plays a primary's bytes in chunks and records what the link makes of them.
struct Played {
  std::string payload;
  std::string stream;
  std::string end;
  bool finished = false;
  OutQueue sent;
};
Played play(std::string_view bytes, size_t chunk) {
  Played out;
  ReplicaLink link({.password = "pw", .announced_port = 7, .announced_ip = "1.2.3.4"});
  link.connected(out.sent);
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    link.feed(bytes.substr(at, chunk));
    while (true) {
      const auto step = link.next(out.sent);
      if (step.kind == Kind::kNeedMore) break;
      if (step.kind == Kind::kPayload) out.payload += step.bytes;
      if (step.kind == Kind::kStream) out.stream += step.bytes;
      if (step.kind == Kind::kPayloadFinished) out.finished = true;
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

TEST(ReplicaLink, GoesOnAfterContinue) {
  const Played played = play(kHandshake + "+CONTINUE " + kId + "\r\n*1\r\n", 3);
  EXPECT_EQ(played.stream, "*1\r\n");
  EXPECT_EQ(played.end, "");
}

}  // namespace
}  // namespace holdfast::repl
