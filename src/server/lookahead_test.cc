#include "server/lookahead.h"

#include <gtest/gtest.h>

#include <string>

#include "base/prng.h"
#include "server/testing_engine.h"

namespace holdfast::server {
namespace {

class LookaheadTest : public EngineTest {
 protected:
  size_t look(std::string_view bytes) const { return look_ahead(bytes, engine->state().data->db(0)); }
};

TEST_F(LookaheadTest, CountsWholeRequests) {
  const std::string set = request({"SET", "key", "value"});
  EXPECT_EQ(look(""), 0U);
  EXPECT_EQ(look(set), 1U);
  EXPECT_EQ(look(set + request({"PING"}) + request({"GET", ""}) + request({"GET", std::string(10'000, 'k')})), 4U);
  for (size_t cut = 0; cut < set.size(); ++cut) EXPECT_EQ(look(set + set.substr(0, cut)), 1U) << cut;
  std::string many;
  for (int i = 0; i < 100; ++i) many += set;
  EXPECT_EQ(look(many), kLookaheadMost);
}

TEST_F(LookaheadTest, WhatIsNoPlainRequestEndsIt) {
  for (const char* text : {"PING\r\n", "*0\r\n", "*-1\r\n", "*x\r\n", "*\r\n", "*2\n", "*99999999999999999999\r\n",
                           "*1000000\r\n$1\r\na\r\n", "*2\r\n$3\r\nGET\r\n$-1\r\n", "*2\r\n$3\r\nGET\r\n:1\r\n",
                           "*1\r\n$4294967295\r\nx\r\n", "*1\r\n$999999999\r\nx\r\n"}) {
    EXPECT_EQ(look(text), 0U) << text;
    EXPECT_EQ(look(request({"GET", "k"}) + text), 1U) << text;
  }
}

TEST_F(LookaheadTest, AnyBytesAreReadWithinTheirBounds) {
  Prng prng(3);
  const std::string whole = request({"SET", "key", "value"}) + request({"GET", "key"}) + request({"DEL", "a", "b"});
  for (int round = 0; round < 50'000; ++round) {
    std::string text = whole.substr(0, prng.below(whole.size() + 1));
    for (uint64_t i = prng.below(4); i > 0 && !text.empty(); --i)
      text[prng.below(text.size())] = static_cast<char>(prng.below(256));
    const std::unique_ptr<char[]> exact(new char[text.size()]);  // so that a byte too many is noticed
    std::copy(text.begin(), text.end(), exact.get());
    EXPECT_LE(look({exact.get(), text.size()}), 3U + text.size() / 4);
  }
}

TEST_F(LookaheadTest, PipelinesAreAnsweredAllTheSame) {
  std::string pipeline;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "key" + std::to_string(i);
    pipeline +=
        request({"SET", key, key}) + request({"GET", key}) + "PING\r\n" + request({"SELECT", std::to_string(i % 3)});
    expected += "+OK\r\n$" + std::to_string(key.size()) + "\r\n" + key + "\r\n+PONG\r\n+OK\r\n";
  }
  engine->receive(conn, pipeline, now);
  EXPECT_EQ(engine->output(conn).to_string(), expected);
}

}  // namespace
}  // namespace holdfast::server
