#include "codec/resp/reply.h"

#include <gtest/gtest.h>

namespace holdfast::codec {
namespace {

using Type = Reply::Type;

TEST(ReplyReader, ReadsEveryTypeInAnyChunks) {
  const std::string bytes =
      "+OK\r\n-ERR no\r\n:7\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n_\r\n,1.5\r\n#t\r\n(123\r\n"
      "=7\r\ntxt:abc\r\n%1\r\n+k\r\n:1\r\n~1\r\n:1\r\n>1\r\n+p\r\n|1\r\n+a\r\n:1\r\n+after\r\n";
  const std::vector<Type> expected = {Type::kSimple, Type::kError,   Type::kInteger,   Type::kBulk,
                                      Type::kNull,   Type::kNull,    Type::kArray,     Type::kNull,
                                      Type::kDouble, Type::kBoolean, Type::kBigNumber, Type::kVerbatim,
                                      Type::kMap,    Type::kSet,     Type::kPush,      Type::kSimple};
  for (size_t chunk = 1; chunk <= bytes.size(); ++chunk) {
    ReplyReader reader;
    std::vector<Type> got;
    for (size_t at = 0; at < bytes.size(); at += chunk) {
      reader.feed(std::string_view(bytes).substr(at, chunk));
      while (auto reply = reader.next()) got.push_back(reply->type);
    }
    ASSERT_FALSE(reader.failed());
    ASSERT_EQ(got, expected) << chunk;
  }
}

TEST(ReplyReader, RefusesBadInput) {
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "*1\r\n";
  deep += ":1\r\n";
  for (const std::string& bad : {std::string("x\r\n"), std::string("$abc\r\n"), std::string("*99999999999\r\n"),
                                 std::string("$-2\r\n"), deep, std::string(1000, ':')}) {
    ReplyReader reader;
    reader.feed(bad);
    while (reader.next()) {
    }
    EXPECT_TRUE(reader.failed()) << bad.substr(0, 20);
  }
}

TEST(ReplyReader, KeepsItsLimit) {
  ReplyReader reader(1000);
  reader.feed("$100000\r\n" + std::string(2000, 'x'));
  EXPECT_FALSE(reader.next().has_value());
  EXPECT_TRUE(reader.failed());
}

}  // namespace
}  // namespace holdfast::codec
