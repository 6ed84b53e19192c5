#include "codec/resp/request.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "base/text.h"
#include "codec/resp/encode.h"

namespace holdfast::codec {
namespace {

using Status = RequestParser::Status;

/// All requests of `bytes` cut at `cuts` equal places, joined into one line each; an error ends the list.
std::vector<std::string> parse_all(std::string_view bytes, size_t chunk, const RequestLimits& limits = {}) {
  RequestStream stream;
  std::vector<std::string> out;
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    stream.feed(bytes.substr(at, chunk));
    Status status;
    while ((status = stream.next(limits)) == Status::kRequest) {
      std::string line;
      for (const std::string_view arg : stream.args()) line += quoted(arg) + " ";
      out.push_back(line);
    }
    if (status == Status::kError) {
      out.push_back("error: " + stream.error());
      return out;
    }
    stream.finish();
  }
  return out;
}

TEST(RequestStream, GivesTheSameWhateverTheChunks) {
  std::string bytes;
  append_request(bytes, {"SET", "key", std::string(3000, 'v')});
  bytes += "PING\r\n\r\nset \"a b\" 'c'\n";
  append_request(bytes, {"GET", ""});
  bytes += "*0\r\n*-1\r\n";
  append_request(bytes, {"LAST"});
  const auto whole = parse_all(bytes, bytes.size());
  EXPECT_EQ(whole.size(), 8u);
  for (size_t chunk = 1; chunk < 200; ++chunk) EXPECT_EQ(parse_all(bytes, chunk), whole) << chunk;
}

struct BadCase {
  std::string bytes;
  std::string error;
  bool authenticated = true;
};
class Broken : public testing::TestWithParam<BadCase> {};
TEST_P(Broken, AnswersInTheOriginalsWords) {
  RequestLimits limits;
  limits.authenticated = GetParam().authenticated;
  for (const size_t chunk : {size_t{1}, size_t{7}, GetParam().bytes.size()}) {
    const auto got = parse_all(GetParam().bytes, chunk, limits);
    ASSERT_FALSE(got.empty());
    EXPECT_EQ(got.back(), "error: Protocol error: " + GetParam().error);
  }
}
INSTANTIATE_TEST_SUITE_P(Cases, Broken,
                         testing::Values(BadCase{"*abc\r\n", "invalid multibulk length"},
                                         BadCase{"*3000000000\r\n", "invalid multibulk length"},
                                         BadCase{"*1\r\n:1\r\n", "expected '$', got ':'"},
                                         BadCase{"*1\r\n$-1\r\n", "invalid bulk length"},
                                         BadCase{"*1\r\n$99999999999\r\n", "invalid bulk length"},
                                         BadCase{"*1\r\n$x\r\n", "invalid bulk length"},
                                         BadCase{"*11\r\n", "unauthenticated multibulk length", false},
                                         BadCase{"*1\r\n$16385\r\n", "unauthenticated bulk length", false},
                                         BadCase{"set \"a\r\n", "unbalanced quotes in request"},
                                         BadCase{std::string(70000, 'a'), "too big inline request"},
                                         BadCase{"*" + std::string(70000, '1'), "too big mbulk count string"},
                                         BadCase{"*1\r\n$" + std::string(70000, '1'), "too big bulk count string"}));

TEST(RequestStream, HoldsNoMoreThanWhatArrived) {
  RequestStream stream;
  stream.feed("*1\r\n$536870912\r\nabc");
  EXPECT_EQ(stream.next({}), Status::kNeedMore);
  stream.finish();
  EXPECT_LT(stream.held(), 64u);
}

TEST(RequestStream, PostponedRequestComesAgain) {
  RequestStream stream;
  stream.feed("PING\r\nECHO x\r\n");
  ASSERT_EQ(stream.next({}), Status::kRequest);
  ASSERT_EQ(stream.next({}), Status::kRequest);
  EXPECT_EQ(stream.args()[0], "ECHO");
  stream.postpone();
  stream.finish();
  stream.feed({});
  ASSERT_EQ(stream.next({}), Status::kRequest);
  EXPECT_EQ(stream.args()[0], "ECHO");
  EXPECT_EQ(stream.next({}), Status::kNeedMore);
  stream.finish();
  EXPECT_EQ(stream.held(), 0u);
}

}  // namespace
}  // namespace holdfast::codec
