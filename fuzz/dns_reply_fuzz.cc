// Replies of nameservers: any bytes, and what comes of them stays within its bounds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "codec/dns.h"
#include "proxy/resolve/answer_set.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  (void)codec::dns_message_id(message);
  // The asked name is what the message itself says, so that more than the question is read.
  std::string_view asked;
  if (size > codec::kDnsHeaderSize) {
    const std::string_view rest = message.substr(codec::kDnsHeaderSize);
    asked = rest.substr(0, rest.find('\0'));
  }
  const codec::DnsReply reply = codec::parse_dns_reply(message, asked, 80);
  for (const auto* records : {&reply.answers, &reply.additional}) {
    for (const codec::DnsRecord& record : *records) {
      if (record.data.size() > codec::kDnsNameMax || record.owner.size() > codec::kDnsNameMax) std::abort();
      (void)codec::dns_host(record.data);
    }
  }
  if (reply.answers.size() > 80) std::abort();
  if (reply.verdict != codec::DnsVerdict::kValid && !reply.answers.empty()) std::abort();
  proxy::AnswerSet set;
  set.merge(reply, Mono(std::chrono::seconds(1)));
  const proxy::AnswerItem* item = set.choose({0, 0}, {}, "");
  if (item != nullptr) (void)proxy::address_text(item->data);
  return 0;
}
