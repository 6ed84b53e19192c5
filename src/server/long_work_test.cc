// What is too much for one turn, through the whole engine: others are served meanwhile, answers stay those of a moment.
#include <algorithm>
#include <string>
#include <vector>

#include "server/testing_engine.h"

namespace holdfast::server {
namespace {

class LongWorkTest : public EngineTest {
 protected:
  LongWorkTest() : EngineTest(with_debug()) {
    other = engine->accepted({}, now);
    act();
  }
  ~LongWorkTest() override { engine->check_invariants(); }
  static EngineOptions with_debug() {
    EngineOptions options = quiet_options();
    options.settings.enable_debug_command = "yes";
    return options;
  }
  void send(ConnId to, const std::vector<std::string>& words) {
    engine->receive(to, request(words), now);
    act();
  }
  std::string take(ConnId from) {
    std::string reply = engine->output(from).to_string();
    engine->output(from).clear();
    engine->drained(from, now);
    act();
    return reply;
  }
  std::string call(ConnId to, const std::vector<std::string>& words) {
    send(to, words);
    return take(to);
  }
  bool busy() const { return engine->next_deadline() <= now.mono; }
  void tick() {
    engine->tick(now);
    act();
  }
  void fill(int keys) { call(conn, {"DEBUG", "POPULATE", std::to_string(keys), "key"}); }
  /// The elements of an array of bulk strings, sorted.
  static std::vector<std::string> elements(std::string_view reply) {
    std::vector<std::string> out;
    size_t at = reply.find("\r\n") + 2;
    while (at < reply.size()) {
      at = reply.find("\r\n", at) + 2;
      const size_t end = reply.find("\r\n", at);
      out.emplace_back(reply.substr(at, end - at));
      at = end + 2;
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  static std::string header(std::string_view reply) { return std::string(reply.substr(0, reply.find("\r\n"))); }
  std::string info(const std::string& name) {
    const std::string all = call(other, {"INFO", "everything"});
    const size_t at = all.find(name + ":");
    return at == std::string::npos ? "" : all.substr(at + name.size() + 1, all.find("\r\n", at) - at - name.size() - 1);
  }

  ConnId other;
};

TEST_F(LongWorkTest, KeysOfALargeDatabaseAreThoseOfTheMomentOfTheRequest) {
  fill(50'000);
  send(conn, {"KEYS", "*"});
  send(conn, {"PING"});
  size_t turns = 0;
  while (busy()) {
    EXPECT_EQ(take(conn), "");  // the answer comes whole, and before that of the next request
    const std::string number = std::to_string(turns * 17);
    call(other, {"DEL", "key:" + number});
    call(other, {"SET", "later" + number, "x"});
    EXPECT_EQ(call(other, {"RENAME", "key:" + std::to_string(49'999 - turns), "moved" + number}), "+OK\r\n");
    tick();
    ++turns;
  }
  EXPECT_GT(turns, 8U);
  const std::string reply = take(conn);
  ASSERT_TRUE(reply.ends_with("+PONG\r\n"));
  EXPECT_EQ(header(reply), "*50000");
  const auto names = elements(std::string_view(reply).substr(0, reply.size() - 7));
  ASSERT_EQ(names.size(), 50'000U);
  std::vector<std::string> expected;
  for (int i = 0; i < 50'000; ++i) expected.push_back("key:" + std::to_string(i));
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(names, expected);
  EXPECT_NE(call(other, {"INFO", "commandstats"}).find("cmdstat_keys:calls=1,"), std::string::npos);
}

TEST_F(LongWorkTest, KeysLookAtPatternsAndExpiry) {
  fill(30'000);
  call(conn, {"PEXPIRE", "key:12", "50"});
  call(conn, {"PEXPIRE", "key:13", "5000"});
  now.mono += 100ms;
  now.wall += 100ms;
  engine->tick(now);
  send(conn, {"KEYS", "key:1?"});
  while (busy()) tick();
  const auto names = elements(take(conn));
  EXPECT_EQ(names.size(), 9U);
  EXPECT_EQ(std::count(names.begin(), names.end(), "key:12"), 0);
  EXPECT_EQ(std::count(names.begin(), names.end(), "key:13"), 1);
}

TEST_F(LongWorkTest, KeysOfSeveralClientsAreWorkedOffInTurnAndForgottenWithThem) {
  fill(30'000);
  const ConnId third = engine->accepted({}, now);
  send(conn, {"KEYS", "*"});
  send(other, {"KEYS", "key:2*"});
  send(third, {"KEYS", "*"});
  tick();
  engine->closed(third, {}, now);
  engine->closed(conn, {}, now);  // the one under way
  act();
  conn = engine->accepted({}, now);
  EXPECT_EQ(call(conn, {"SET", "another", "x"}), "+OK\r\n");
  while (busy()) tick();
  EXPECT_EQ(header(take(other)), "*11111");
}

TEST_F(LongWorkTest, KeysSurviveAFlushASwapAndAReload) {
  fill(30'000);
  send(conn, {"KEYS", "*"});
  tick();
  call(other, {"SWAPDB", "0", "1"});
  call(other, {"FLUSHALL"});
  while (busy()) tick();
  EXPECT_EQ(header(take(conn)), "*30000");
  fill(30'000);
  send(conn, {"KEYS", "*"});
  tick();
  call(other, {"SET", "one more", "x"});
  EXPECT_EQ(call(other, {"DEBUG", "RELOAD"}), "+OK\r\n");  // begins anew: still a moment before the answer
  while (busy()) tick();
  EXPECT_EQ(header(take(conn)), "*30001");
}

TEST_F(LongWorkTest, KeysInATransactionAndWithoutRepliesAreDoneAtOnce) {
  fill(30'000);
  while (busy()) tick();  // what so many new keys set off
  send(conn, {"MULTI"});
  send(conn, {"KEYS", "*"});
  send(conn, {"DBSIZE"});
  take(conn);
  const std::string reply = call(conn, {"EXEC"});
  EXPECT_TRUE(reply.starts_with("*2\r\n*30000\r\n"));
  EXPECT_TRUE(reply.ends_with(":30000\r\n"));
  EXPECT_FALSE(busy());
  send(conn, {"CLIENT", "REPLY", "SKIP"});
  send(conn, {"KEYS", "*"});
  EXPECT_EQ(call(conn, {"PING"}), "+PONG\r\n");
  EXPECT_FALSE(busy());
}

TEST_F(LongWorkTest, AFlushedDatabaseIsFreedInSlicesAndTold) {
  fill(100'000);
  const size_t used = std::stoul(info("used_memory"));
  EXPECT_EQ(call(conn, {"FLUSHALL", "ASYNC"}), "+OK\r\n");
  EXPECT_EQ(info("lazyfree_pending_objects"), "100000");
  EXPECT_GT(std::stoul(info("used_memory")), used * 9 / 10);  // it is still there
  size_t slices = 0;
  size_t left = 100'000;
  while (busy()) {
    tick();
    const size_t now_left = std::stoul(info("lazyfree_pending_objects"));
    EXPECT_LE(left - now_left, 6000U);
    left = now_left;
    ++slices;
  }
  EXPECT_GT(slices, 15U);
  EXPECT_EQ(left, 0U);
  EXPECT_EQ(info("lazyfreed_objects"), "100000");
  EXPECT_LT(std::stoul(info("used_memory")), used / 20);
}

TEST_F(LongWorkTest, AHugeCollectionIsGoneAtOnceAndFreedInSlices) {
  for (const std::string how : {"DEL", "UNLINK"}) {
    std::vector<std::string> words = {"SADD", "set"};
    for (int i = 0; i < 100'000; ++i) words.push_back(fmt::format("member{:08}", i));
    call(conn, words);
    const size_t used = std::stoul(info("used_memory"));
    EXPECT_EQ(call(conn, {how, "set"}), ":1\r\n");
    EXPECT_EQ(call(conn, {"EXISTS", "set"}), ":0\r\n");
    EXPECT_EQ(info("lazyfree_pending_objects"), "1");
    EXPECT_GT(std::stoul(info("used_memory")), used / 2);
    size_t slices = 0;
    for (; busy(); ++slices) tick();
    EXPECT_GT(slices, 10U) << how;
    EXPECT_EQ(info("lazyfree_pending_objects"), "0");
    EXPECT_LT(std::stoul(info("used_memory")), used / 2);
  }
  EXPECT_EQ(info("lazyfreed_objects"), "1");  // UNLINK's
}

TEST_F(LongWorkTest, ADatasetThatIsReplacedIsFreedInSlices) {
  fill(60'000);
  EXPECT_EQ(call(conn, {"DEBUG", "RELOAD"}), "+OK\r\n");
  EXPECT_EQ(info("lazyfree_pending_objects"), "60000");
  EXPECT_EQ(call(conn, {"DBSIZE"}), ":60000\r\n");
  size_t slices = 0;
  for (; busy(); ++slices) tick();
  EXPECT_GT(slices, 10U);
  EXPECT_EQ(info("lazyfree_pending_objects"), "0");
}

}  // namespace
}  // namespace holdfast::server
