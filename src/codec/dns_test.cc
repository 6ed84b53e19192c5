#include "codec/dns.h"

#include <gtest/gtest.h>

#include "codec/xxh32.h"

namespace holdfast::codec {
namespace {

std::string be16(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 255)}; }
std::string labels(std::string_view host) { return dns_name(host).value(); }

std::string record(const std::string& owner, unsigned type, const std::string& data) {
  return owner + be16(type) + be16(1) + std::string(4, '\0') + be16(static_cast<unsigned>(data.size())) + data;
}

/// A reply with the question that was asked; its name is at offset 12.
std::string reply(unsigned flags, unsigned answers, unsigned type, const std::string& body, unsigned additional = 0) {
  return be16(7) + be16(flags) + be16(1) + be16(answers) + be16(0) + be16(additional) + labels("a.example") + '\0' +
         be16(type) + be16(1) + body;
}
const std::string kPointer = "\xc0\x0c";
const std::string kV4 = {1, 2, 3, 4};

DnsReply parse(const std::string& message) { return parse_dns_reply(message, labels("a.example"), 80); }

TEST(Dns, NamesBothWays) {
  EXPECT_EQ(labels("www.example."), std::string("\3www\7example", 12));
  EXPECT_EQ(dns_host(labels("www.example")), "www.example");
  EXPECT_FALSE(dns_name(""));
  EXPECT_FALSE(dns_name("a..b"));
  EXPECT_FALSE(dns_name(std::string(64, 'x')));
  EXPECT_TRUE(dns_name(std::string(63, 'x')));
  std::string endless;
  for (int i = 0; i < 130; ++i) endless += "a.";
  EXPECT_FALSE(dns_name(endless));
}

TEST(Dns, AQuestionAsksForRecursionAndSaysItsSize) {
  const std::string question = encode_dns_question(0x1234, labels("a.b"), DnsType::kSrv, 1024);
  const std::string head = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  const std::string tail = {0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(question, head + std::string("\1a\1b\0", 5) + be16(33) + be16(1) + tail);
  EXPECT_EQ(dns_message_id(question), 0x1234);
  EXPECT_FALSE(dns_message_id("x"));
}

TEST(Dns, AddressesBehindAliases) {
  const std::string alias = labels("b.example") + '\0';
  const DnsReply got = parse(reply(
      0x8180, 3, 1, record(kPointer, 5, alias) + record(alias, 1, kV4) + record(alias, 28, std::string(16, 'x'))));
  ASSERT_EQ(got.verdict, DnsVerdict::kValid);
  ASSERT_EQ(got.answers.size(), 3u);
  EXPECT_EQ(got.answers[1].data, kV4);
  EXPECT_EQ(got.answers[2].type, DnsType::kAaaa);
  EXPECT_EQ(parse(reply(0x8180, 1, 1, record(kPointer, 5, alias))).verdict, DnsVerdict::kBadAlias);
  EXPECT_EQ(parse(reply(0x8180, 2, 1, record(kPointer, 5, alias) + record(kPointer, 1, kV4))).verdict,
            DnsVerdict::kBadAlias);
}

TEST(Dns, ServicesAndTheAddressesThatComeAlong) {
  const std::string target = labels("n1.example") + '\0';
  const std::string service = be16(0) + be16(300) + be16(6379) + target;
  const std::string opt = std::string(1, '\0') + be16(41) + be16(4096) + std::string(6, '\0');
  const DnsReply got = parse(reply(0x8180, 1, 33, record(kPointer, 33, service) + opt + record(target, 1, kV4), 2));
  ASSERT_EQ(got.verdict, DnsVerdict::kValid);
  ASSERT_EQ(got.answers.size(), 1u);
  EXPECT_EQ(got.answers[0].port, 6379);
  EXPECT_EQ(got.answers[0].weight, 300);
  EXPECT_EQ(dns_host(got.answers[0].data), "n1.example");
  ASSERT_EQ(got.additional.size(), 1u);
  EXPECT_EQ(got.additional[0].owner, got.answers[0].data);
}

TEST(Dns, WhatKindOfFault) {
  const std::string fine = record(kPointer, 1, kV4);
  EXPECT_EQ(parse(reply(0x8180, 1, 1, fine)).verdict, DnsVerdict::kValid);
  EXPECT_EQ(parse(reply(0x8183, 0, 1, "")).verdict, DnsVerdict::kNoSuchName);
  EXPECT_EQ(parse(reply(0x8185, 0, 1, "")).verdict, DnsVerdict::kRefused);
  EXPECT_EQ(parse(reply(0x8182, 0, 1, "")).verdict, DnsVerdict::kOtherError);
  EXPECT_EQ(parse(reply(0x8180, 0, 1, "")).verdict, DnsVerdict::kNoAnswer);
  EXPECT_EQ(parse(reply(0x8380, 1, 1, fine)).verdict, DnsVerdict::kTruncated);
  EXPECT_EQ(parse(reply(0x8180, 81, 1, fine)).verdict, DnsVerdict::kInvalid);
  EXPECT_EQ(parse(reply(0x8180, 1, 1, record(kPointer, 1, "xyz"))).verdict, DnsVerdict::kInvalid);
  EXPECT_EQ(parse(reply(0x8180, 1, 1, record(labels("b.example") + '\0', 1, kV4))).verdict, DnsVerdict::kInvalid);
  EXPECT_EQ(parse_dns_reply(reply(0x8180, 1, 1, fine), labels("b.example"), 80).verdict, DnsVerdict::kWrongName);
  std::string two = reply(0x8180, 1, 1, fine);
  two[5] = 2;
  EXPECT_EQ(parse(two).verdict, DnsVerdict::kQuestionCount);
}

TEST(Dns, EveryCutIsNoticed) {
  const std::string whole = reply(0x8180, 2, 1, record(kPointer, 1, kV4) + record(kPointer, 1, kV4));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(parse(whole.substr(0, length)).verdict, DnsVerdict::kValid) << length;
  }
}

TEST(Dns, CompressedNamesEnd) {
  const std::string self = {static_cast<char>(0xc0), 27};  // the answer's own place
  EXPECT_EQ(parse(reply(0x8180, 1, 1, record(self, 1, kV4))).verdict, DnsVerdict::kInvalid);
  const std::string ahead = {static_cast<char>(0xc0), 40};
  EXPECT_EQ(parse(reply(0x8180, 1, 1, record(ahead, 1, kV4))).verdict, DnsVerdict::kInvalid);
  // A label, then back to a place that leads here again: it grows, and is cut off at the longest name.
  std::string loop = reply(0x8180, 1, 1, "\1x" + std::string{static_cast<char>(0xc0), 27});
  EXPECT_EQ(parse(loop).verdict, DnsVerdict::kInvalid);
}

TEST(Xxh32, KnownValues) {
  EXPECT_EQ(xxh32("", 0), 0x02CC5D05u);
  EXPECT_EQ(xxh32("", 0x9E3779B1), 0x36B78AE7u);
  EXPECT_EQ(xxh32("a", 0), 0x550D7456u);
  EXPECT_EQ(xxh32("abc", 0), 0x32D153FFu);
  EXPECT_EQ(xxh32("Nobody inspects the spammish repetition", 0), 0xE2293B2Fu);
}

}  // namespace
}  // namespace holdfast::codec
