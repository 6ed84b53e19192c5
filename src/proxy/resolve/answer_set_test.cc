#include "proxy/resolve/answer_set.h"

#include <gtest/gtest.h>

namespace holdfast::proxy {
namespace {

using codec::DnsType;

codec::DnsRecord address(std::initializer_list<int> bytes) {
  codec::DnsRecord record;
  for (const int byte : bytes) record.data.push_back(static_cast<char>(byte));
  record.type = record.data.size() == 4 ? DnsType::kA : DnsType::kAaaa;
  return record;
}
const std::initializer_list<int> kLocal6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

codec::DnsReply reply(std::vector<codec::DnsRecord> answers) {
  return {.verdict = codec::DnsVerdict::kValid, .answers = std::move(answers), .additional = {}};
}

TEST(AddressText, IsTheCanonicalForm) {
  EXPECT_EQ(address_text(address({127, 0, 0, 1}).data), "127.0.0.1");
  EXPECT_EQ(address_text(address(kLocal6).data), "::1");
  EXPECT_EQ(address_text(std::string(16, '\0')), "::");
  EXPECT_EQ(address_text(address({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2}).data), "2001:db8::1:0:0:2");
  EXPECT_EQ(address_text(address({0, 1, 0, 2, 0, 3, 0, 0, 0, 5, 0, 6, 0, 7, 0, 8}).data), "1:2:3:0:5:6:7:8");
}

TEST(AnswerSet, EachServerTakesAnAddressOfItsOwn) {
  AnswerSet set;
  set.merge(reply({address({10, 0, 0, 1}), address({10, 0, 0, 2})}), Mono(1s));
  const ServerResolve options;
  const AnswerItem* first = set.choose({0, 0}, options, "");
  const AnswerItem* second = set.choose({0, 1}, options, "");
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_NE(first->data, second->data);
  EXPECT_EQ(set.choose({0, 2}, options, ""), nullptr);
  EXPECT_NE(set.choose({1, 0}, options, ""), nullptr);  // another backend may share them
  ServerResolve shared;
  shared.allow_duplicates = true;
  EXPECT_NE(set.choose({0, 2}, shared, ""), nullptr);
}

TEST(AnswerSet, FamilyBeforeNetworkBeforeWhatItHas) {
  AnswerSet set;
  set.merge(reply({address({10, 0, 0, 1}), address({10, 1, 0, 1}), address(kLocal6)}), Mono(1s));
  ServerResolve options;
  EXPECT_EQ(address_text(set.choose({0, 0}, options, "10.0.0.1")->data), "::1");
  options.prefer_ipv4 = true;
  EXPECT_EQ(address_text(set.choose({0, 0}, options, "10.1.0.1")->data), "10.1.0.1");
  EXPECT_EQ(address_text(set.choose({0, 0}, options, "10.0.0.1")->data), "10.0.0.1");
  options.networks = {"10.1.0.0/16"};
  EXPECT_EQ(address_text(set.choose({0, 0}, options, "10.0.0.1")->data), "10.1.0.1");
  EXPECT_EQ(set.taken_by({0, 0})->data, address({10, 1, 0, 1}).data);
}

TEST(AnswerSet, RecordsExpireWhenRepliesLeaveThemOut) {
  AnswerSet set;
  set.merge(reply({address({10, 0, 0, 1}), address({10, 0, 0, 2})}), Mono(1s));
  EXPECT_TRUE(set.expire(0s, Mono(1s)).empty());
  set.merge(reply({address({10, 0, 0, 2})}), Mono(3s));
  EXPECT_TRUE(set.expire(2s, Mono(3s)).empty());
  const auto gone = set.expire(1s, Mono(3s));
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(address_text(gone[0].data), "10.0.0.1");
  EXPECT_EQ(set.items().size(), 1u);
}

TEST(AnswerSet, ServicesDifferByTargetAndPort) {
  codec::DnsRecord one;
  one.type = DnsType::kSrv;
  one.data = codec::dns_name("n1.example").value();
  one.port = 1;
  codec::DnsRecord other = one;
  other.port = 2;
  codec::DnsReply both = reply({one, other, one});
  codec::DnsRecord extra = address({10, 0, 0, 1});
  extra.owner = one.data;
  both.additional = {extra, extra};
  AnswerSet set;
  set.merge(both, Mono(1s));
  ASSERT_EQ(set.items().size(), 2u);
  EXPECT_TRUE(set.items()[0].extra && set.items()[1].extra);
  set.merge(reply({one}), Mono(2s));
  EXPECT_EQ(set.expire(0s, Mono(2s)).size(), 1u);
  EXPECT_FALSE(set.items()[0].extra);  // it was not said again
}

}  // namespace
}  // namespace holdfast::proxy
