#include "codec/http/http1.h"

#include <gtest/gtest.h>

namespace holdfast::codec {
namespace {

TEST(Http1, ReadsARequestInAnyPieces) {
  const std::string whole = "GET /haproxy?stats HTTP/1.1\r\nHost: a.b\r\nAuthorization:  Basic eA== \r\n\r\nrest";
  for (size_t cut = 0; cut + 4 < whole.size(); ++cut) {
    HttpHead head;
    EXPECT_EQ(parse_http_request(whole.substr(0, cut), &head), HttpStatus::kNeedMore) << cut;
  }
  HttpHead head;
  ASSERT_EQ(parse_http_request(whole, &head), HttpStatus::kComplete);
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/haproxy?stats");
  EXPECT_EQ(head.field("HOST"), "a.b");
  EXPECT_EQ(head.field("authorization"), "Basic eA==");
  EXPECT_EQ(whole.substr(head.length), "rest");
}

TEST(Http1, RefusesWhatIsNoHead) {
  for (const std::string& text :
       {"GET /\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "G\x01T / HTTP/1.1\r\n\r\n", "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\n folded: x\r\n\r\n", "*1\r\n$4\r\nPING\r\n"}) {
    HttpHead head;
    EXPECT_EQ(parse_http_request(text, &head), HttpStatus::kError) << text;
  }
  HttpHead head;
  EXPECT_EQ(parse_http_request("GET / HTTP/1.1\r\nx: " + std::string(kHttpHeadMax, 'x'), &head), HttpStatus::kError);
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 200; ++i) many += "a: b\r\n";
  EXPECT_EQ(parse_http_request(many + "\r\n", &head), HttpStatus::kError);
}

std::string body_of(const std::string& text, bool ended, HttpStatus want) {
  HttpHead head;
  EXPECT_EQ(parse_http_response(text, &head), HttpStatus::kComplete);
  std::string body;
  EXPECT_EQ(read_http_body(head, std::string_view(text).substr(head.length), ended, &body), want) << text;
  return body;
}

TEST(Http1, KnowsWhereABodyEnds) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  EXPECT_EQ(body_of(ok + "content-length: 3\r\n\r\nabcdef", false, HttpStatus::kComplete), "abc");
  EXPECT_EQ(body_of(ok + "content-length: 9\r\n\r\nabc", false, HttpStatus::kNeedMore), "abc");
  body_of(ok + "content-length: 9\r\n\r\nabc", true, HttpStatus::kError);
  EXPECT_EQ(body_of(ok + "\r\nabc", true, HttpStatus::kComplete), "abc");
  EXPECT_EQ(body_of(ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n", false,
                    HttpStatus::kComplete),
            "abcde");
  body_of(ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, HttpStatus::kError);
  EXPECT_EQ(body_of("HTTP/1.0 204 No Content\r\n\r\n", false, HttpStatus::kComplete), "");
}

}  // namespace
}  // namespace holdfast::codec
