#include "codec/proxy_header.h"

#include <gtest/gtest.h>

namespace holdfast::codec {
namespace {

const Address kFrom{.host = "10.0.0.9", .port = 5555, .unix_path = {}};
const Address kTo{.host = "10.0.0.1", .port = 6378, .unix_path = {}};
const Address kFrom6{.host = "fe80::9", .port = 5555, .unix_path = {}};
const Address kTo6{.host = "::1", .port = 6378, .unix_path = {}};

TEST(ProxyHeader, BothVersionsComeBackInAnyPieces) {
  const std::string all[] = {encode_proxy_v1(kFrom, kTo), encode_proxy_v2(kFrom, kTo), encode_proxy_v1(kFrom6, kTo6),
                             encode_proxy_v2(kFrom6, kTo6)};
  EXPECT_EQ(all[0], "PROXY TCP4 10.0.0.9 10.0.0.1 5555 6378\r\n");
  for (size_t i = 0; i < 4; ++i) {
    const std::string bytes = all[i] + "PING\r\n";
    ProxyHeader header;
    for (size_t cut = 0; cut < all[i].size(); ++cut) {
      EXPECT_EQ(parse_proxy_header(bytes.substr(0, cut), &header), ProxyHeaderStatus::kNeedMore) << i << ' ' << cut;
    }
    ASSERT_EQ(parse_proxy_header(bytes, &header), ProxyHeaderStatus::kComplete);
    EXPECT_EQ(header.length, all[i].size());
    EXPECT_EQ(header.source, i < 2 ? kFrom : kFrom6);
    EXPECT_EQ(header.destination, i < 2 ? kTo : kTo6);
  }
}

TEST(ProxyHeader, LocalAndUnknownKeepTheConnectionsOwnAddresses) {
  ProxyHeader header;
  EXPECT_EQ(parse_proxy_header(encode_proxy_v2_local(), &header), ProxyHeaderStatus::kComplete);
  EXPECT_TRUE(header.local);
  EXPECT_EQ(parse_proxy_header("PROXY UNKNOWN whatever\r\n", &header), ProxyHeaderStatus::kComplete);
  EXPECT_TRUE(header.local);
  EXPECT_EQ(encode_proxy_v1(kFrom, kTo6), "PROXY UNKNOWN\r\n");
}

TEST(ProxyHeader, GarbageIsRefusedAndBounded) {
  ProxyHeader header;
  for (const std::string& bytes :
       {std::string("*1\r\n$4\r\nPING\r\n"), std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"),
        std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n"), std::string("PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n"),
        std::string("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"), "PROXY " + std::string(200, 'x'),
        std::string("\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c", 16), std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", 16),
        std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02zz", 18)}) {
    EXPECT_EQ(parse_proxy_header(bytes, &header), ProxyHeaderStatus::kError) << bytes;
  }
}

}  // namespace
}  // namespace holdfast::codec
