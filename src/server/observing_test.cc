// Times, slow commands and clients' memory through the whole engine, with a clock of the test's own.
#include <string>
#include <vector>

#include "server/testing_engine.h"

namespace holdfast::server {
namespace {

int64_t clock_reading_ns = 0;
int64_t clock_step_ns = 0;

class ObservingTest : public EngineTest {
 protected:
  ObservingTest() : EngineTest(observed()) {}
  static EngineOptions observed() {
    clock_reading_ns = 0;
    clock_step_ns = 3'000;  // every command takes three microseconds
    EngineOptions options = quiet_options();
    options.settings.enable_debug_command = "yes";
    options.stopwatch = {[] { return clock_reading_ns += clock_step_ns; }};
    return options;
  }
  bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
};

TEST_F(ObservingTest, CommandsTakeWhatTheStopwatchSays) {
  call({"GET", "k"});
  call({"GET", "k"});
  EXPECT_TRUE(has(call({"INFO", "commandstats"}), "cmdstat_get:calls=2,usec=6,usec_per_call=3.00,"));
  EXPECT_TRUE(has(call({"INFO", "latencystats"}), "latency_percentiles_usec_get:p50=3.007,p99=3.007,p99.9=3.007\r\n"));
  call({"CONFIG", "RESETSTAT"});
  EXPECT_FALSE(has(call({"INFO", "latencystats"}), "usec_get"));
}

TEST_F(ObservingTest, WithoutAStopwatchTimeStandsStill) {
  clock_step_ns = 0;
  call({"CONFIG", "SET", "slowlog-log-slower-than", "1"});
  call({"GET", "k"});
  EXPECT_EQ(call({"SLOWLOG", "LEN"}), ":0\r\n");
  call({"DEBUG", "SLEEP", "0.5"});  // what the host is asked to stand still for counts
  EXPECT_EQ(call({"SLOWLOG", "LEN"}), ":1\r\n");
  EXPECT_TRUE(has(call({"SLOWLOG", "GET"}), ":500000\r\n"));
}

TEST_F(ObservingTest, SlowCommandsAreKeptFromTheThresholdOn) {
  call({"CONFIG", "SET", "slowlog-log-slower-than", "3"});
  call({"SLOWLOG", "RESET"});
  call({"CONFIG", "SET", "slowlog-log-slower-than", "4"});
  call({"GET", "k"});
  EXPECT_EQ(call({"SLOWLOG", "LEN"}), ":1\r\n");  // CONFIG SET itself came after its own change; RESET's entry
}

TEST_F(ObservingTest, SpikesAreRemembered) {
  call({"CONFIG", "SET", "latency-monitor-threshold", "10"});
  clock_step_ns = 12'000'000;
  call({"GET", "k"});
  clock_step_ns = 3'000;
  EXPECT_TRUE(has(call({"LATENCY", "LATEST"}), "$12\r\nfast-command\r\n"));
  EXPECT_TRUE(has(call({"LATENCY", "HISTORY", "fast-command"}), ":12\r\n"));
}

TEST_F(ObservingTest, TheLargestClientsGoFirst) {
  call({"CONFIG", "SET", "maxmemory-clients", "1000000"});
  const ConnId large = engine->accepted({}, now);
  const ConnId small = engine->accepted({}, now);
  const ConnId kept = engine->accepted({}, now);
  engine->receive(kept, request({"CLIENT", "NO-EVICT", "ON"}), now);
  engine->receive(kept, "*2\r\n$900000\r\n" + std::string(450'000, 'x'), now);
  engine->receive(small, "*2\r\n$900000\r\n" + std::string(150'000, 'x'), now);
  engine->receive(large, "*2\r\n$900000\r\n" + std::string(350'000, 'x'), now);
  act();
  EXPECT_TRUE(closed.empty());
  engine->receive(small, std::string(100'000, 'x'), now);
  act();
  EXPECT_TRUE(is_closed(large));
  EXPECT_FALSE(is_closed(small) || is_closed(kept) || is_closed(conn));
  EXPECT_TRUE(has(call({"INFO", "stats"}), "evicted_clients:1\r\n"));
  call({"CONFIG", "SET", "maxmemory-clients", "0"});
  engine->receive(small, std::string(600'000, 'x'), now);
  act();
  EXPECT_FALSE(is_closed(small));
}

TEST_F(ObservingTest, APartOfMaxmemory) {
  EXPECT_EQ(call({"CONFIG", "SET", "maxmemory-clients", "101%"}).substr(0, 4), "-ERR");
  EXPECT_EQ(call({"CONFIG", "SET", "maxmemory-clients", "20%"}), "+OK\r\n");
  EXPECT_TRUE(has(call({"CONFIG", "GET", "maxmemory-clients"}), "20%"));
  const ConnId other = engine->accepted({}, now);
  engine->receive(other, "*2\r\n$900000\r\n" + std::string(450'000, 'x'), now);
  act();
  EXPECT_FALSE(is_closed(other));  // of no bound
  call({"CONFIG", "SET", "maxmemory", "2000000"});
  EXPECT_TRUE(is_closed(other));
}

}  // namespace
}  // namespace holdfast::server
