// Eviction and freeing in steps, through the whole engine.
#include <string>
#include <vector>

#include "server/testing_engine.h"

namespace holdfast::server {
namespace {

constexpr int kKeys = 400;

class EvictTest : public EngineTest {
 protected:
  /// Ticks until nothing is due; how many it took.
  int settle() {
    int ticks = 0;
    for (; engine->next_deadline() <= now.mono; ++ticks) {
      engine->tick(now);
      act();
      if (ticks > 10'000) break;
    }
    return ticks;
  }
  void pass(int64_t seconds) {
    now.mono += std::chrono::seconds(seconds);
    now.wall += std::chrono::seconds(seconds);
  }
  const store::Keyspace& db() const { return engine->state().data->db(0); }
  bool has(int number) const { return db().contains(engine->state().data->key(name(number))); }
  static std::string name(int number) { return "key:" + std::to_string(number); }
  void fill(bool with_expiry) {
    for (int i = 0; i < kKeys; ++i) {
      call({"SET", name(i), std::string(200, 'x')});
      if (with_expiry && i % 2 == 0) call({"EXPIRE", name(i), std::to_string(10'000 + i)});
    }
  }
  size_t used() const { return engine->state().data->used_memory(); }
  /// A bound that about `percent` of the data may stay under.
  void bound(const std::string& policy, size_t percent) {
    EXPECT_EQ(call({"CONFIG", "SET", "maxmemory-policy", policy}), "+OK\r\n");
    EXPECT_EQ(call({"CONFIG", "SET", "maxmemory", std::to_string(used() * percent / 100)}), "+OK\r\n");
    settle();
  }
  size_t limit() const { return static_cast<size_t>(engine->state().settings.maxmemory); }
};

TEST_F(EvictTest, EveryPolicyKeepsTheBoundAndItsKindOfKeys) {
  for (const std::string policy : {"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu",
                                   "volatile-random", "volatile-ttl"}) {
    call({"CONFIG", "SET", "maxmemory", "0"});
    call({"FLUSHALL"});
    settle();
    call({"CONFIG", "RESETSTAT"});
    fill(true);
    bound(policy, 75);
    EXPECT_LE(used(), limit()) << policy;
    EXPECT_LT(db().size(), static_cast<size_t>(kKeys)) << policy;
    EXPECT_EQ(engine->state().stats.evicted_keys, kKeys - db().size()) << policy;
    EXPECT_EQ(call({"SET", "one", std::string(300, 'y')}), "+OK\r\n") << policy;
    call({"PING"});
    EXPECT_LE(used(), limit()) << policy;
    if (!policy.starts_with("volatile")) continue;
    for (int i = 1; i < kKeys; i += 2) ASSERT_TRUE(has(i)) << policy << " " << i;
    // Nothing with an expiry is left: no room can be made.
    bound(policy, 30);
    EXPECT_EQ(db().expiring(), 0U) << policy;
    EXPECT_EQ(call({"SET", "two", "y"}), "-OOM command not allowed when used memory > 'maxmemory'.\r\n") << policy;
    EXPECT_EQ(call({"GET", "none"}), "$-1\r\n");
  }
}

TEST_F(EvictTest, NoEvictionRefusesWhatNeedsMemory) {
  fill(false);
  bound("noeviction", 50);
  EXPECT_EQ(db().size(), static_cast<size_t>(kKeys));
  EXPECT_TRUE(call({"SET", "a", "b"}).starts_with("-OOM "));
  EXPECT_EQ(call({"DEL", name(1)}), ":1\r\n");
  EXPECT_EQ(call({"MULTI"}), "+OK\r\n");
  EXPECT_TRUE(call({"GET", "a"}).starts_with("-OOM "));
  EXPECT_TRUE(call({"EXEC"}).starts_with("-EXECABORT "));
}

TEST_F(EvictTest, TheLongestUnusedGoFirst) {
  fill(false);
  pass(1000);
  for (int i = 0; i < kKeys; i += 2) call({"GET", name(i)});
  bound("allkeys-lru", 60);
  int used_gone = 0;
  for (int i = 0; i < kKeys; i += 2) used_gone += has(i) ? 0 : 1;
  EXPECT_LE(used_gone, 8);
}

TEST_F(EvictTest, TheLeastUsedGoFirst) {
  call({"CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"});
  call({"CONFIG", "SET", "lfu-log-factor", "0"});
  fill(false);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kKeys; i += 2) call({"GET", name(i)});
  }
  EXPECT_EQ(call({"OBJECT", "FREQ", name(0)}), ":15\r\n");
  EXPECT_EQ(call({"OBJECT", "FREQ", name(1)}), ":5\r\n");
  bound("allkeys-lfu", 60);
  int used_gone = 0;
  for (int i = 0; i < kKeys; i += 2) used_gone += has(i) ? 0 : 1;
  EXPECT_LE(used_gone, 8);
  pass(3600);
  call({"CONFIG", "SET", "lfu-decay-time", "20"});
  EXPECT_EQ(call({"OBJECT", "FREQ", name(0)}), has(0) ? ":12\r\n" : "$-1\r\n");
}

TEST_F(EvictTest, TheSoonestToExpireGoFirst) {
  fill(true);
  bound("volatile-ttl", 85);
  int late_gone = 0;
  int early_gone = 0;
  for (int i = 0; i < kKeys; i += 2) (i < kKeys / 2 ? early_gone : late_gone) += has(i) ? 0 : 1;
  EXPECT_GT(early_gone, 20);
  EXPECT_LE(late_gone, early_gone / 5);
}

TEST_F(EvictTest, UnreadRepliesCountToo) {
  fill(false);
  call({"CONFIG", "SET", "maxmemory-policy", "allkeys-random"});
  call({"CONFIG", "SET", "maxmemory", std::to_string(used() + 100'000)});
  settle();
  EXPECT_EQ(db().size(), static_cast<size_t>(kKeys));
  const ConnId deaf = engine->accepted({}, now);
  std::string requests;
  for (int i = 0; i < 700; ++i) requests += "*2\r\n$3\r\nGET\r\n$5\r\nkey:1\r\n";
  engine->receive(deaf, requests, now);
  call({"PING"});
  settle();
  EXPECT_LT(db().size(), static_cast<size_t>(kKeys));
  const size_t left = db().size();
  engine->closed(deaf, {}, now);
  call({"PING"});
  EXPECT_EQ(db().size(), left);
}

TEST_F(EvictTest, LargeCollectionsGoInSteps) {
  constexpr int kMembers = 60'000;
  for (const std::string kind : {"SADD", "RPUSH", "HSET", "ZADD"}) {
    for (const std::string deletion : {"DEL", "UNLINK", "SET", "RENAME"}) {
      const size_t before = used();
      for (int i = 0; i < kMembers; i += 1000) {
        std::vector<std::string> words = {kind, "big"};
        for (int j = i; j < i + 1000; ++j) {
          if (kind == "HSET" || kind == "ZADD") words.push_back(std::to_string(j));
          words.push_back(kind == "RPUSH" ? std::string(100, 'e') : "member:" + std::to_string(j));
        }
        call(words);
      }
      const size_t full = used();
      call({"CONFIG", "RESETSTAT"});
      if (deletion == "SET") {
        call({"SET", "big", "small"});
      } else if (deletion == "RENAME") {
        call({"SET", "other", "small"});
        call({"RENAME", "other", "big"});
      } else {
        EXPECT_EQ(call({deletion, "big"}), ":1\r\n");
      }
      const bool in_steps = kind != "RPUSH" || deletion == "UNLINK";
      EXPECT_EQ(engine->state().data->pending(), in_steps ? 1U : 0U) << kind << deletion;
      EXPECT_EQ(used() > before + (full - before) / 2, in_steps) << kind << deletion;
      const int ticks = settle();
      EXPECT_EQ(ticks > 5, in_steps) << kind << deletion;
      EXPECT_EQ(engine->state().data->pending(), 0U);
      call({"DEL", "big"});
      settle();
      EXPECT_LE(used(), before + 1024) << kind << deletion;
      EXPECT_EQ(const_cast<family::State&>(engine->state()).data->context().freed_lazily,
                deletion == "UNLINK" ? 1U : 0U);
    }
  }
}

TEST_F(EvictTest, FlushedKeysGoInStepsAndCountIfAsynchronous) {
  for (const std::string mode : {"ASYNC", "SYNC"}) {
    call({"CONFIG", "RESETSTAT"});
    for (int i = 0; i < 10'000; ++i) call({"SET", name(i), "v"});
    EXPECT_EQ(call({"FLUSHALL", mode}), "+OK\r\n");
    EXPECT_GT(engine->state().data->pending(), 1000U);
    EXPECT_GT(settle(), 1);
    EXPECT_EQ(engine->state().data->pending(), 0U);
    EXPECT_EQ(const_cast<family::State&>(engine->state()).data->context().freed_lazily, mode == "ASYNC" ? 10'000U : 0U);
  }
}

}  // namespace
}  // namespace holdfast::server
