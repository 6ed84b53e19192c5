// DNS messages: the questions a stub resolver asks and the replies it gets, as values.
//
// Source: RFC 1035 (sections 3.1, 4.1), RFC 2782 (SRV), RFC 3596 (AAAA), RFC 6891 (the OPT record of a question).
// Names are kept as labels: a length byte and its bytes for each, without the closing zero (`3www7example3com`).
// A reply is foreign bytes: every length is checked, a compressed name may only point backwards, at most
// kDnsNameMax bytes come out of it. What a faulty reply counts as is HAProxy's classification (2.6.12), for its
// counters show it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::codec {

inline constexpr size_t kDnsNameMax = 255;
inline constexpr size_t kDnsHeaderSize = 12;
inline constexpr size_t kDnsMessageMax = 8192;  // the longest reply anybody may ask for

enum class DnsType : uint16_t { kA = 1, kCname = 5, kAaaa = 28, kSrv = 33 };

/// `www.example.com` as labels; nullopt = empty, a label of none or more than 63 bytes, or too long a name.
std::optional<std::string> dns_name(std::string_view host);
/// Labels as text.
std::string dns_host(std::string_view labels);

/// A question with recursion desired, and the size of reply we take.
std::string encode_dns_question(uint16_t id, std::string_view labels, DnsType type, uint16_t payload_size);

struct DnsRecord {
  std::string owner;  // labels
  DnsType type = DnsType::kA;
  std::string data;  // 4 or 16 bytes of an address; labels of a CNAME's or SRV's target
  uint16_t priority = 0;
  uint16_t weight = 0;
  uint16_t port = 0;
};

enum class DnsVerdict : uint8_t {
  kValid,
  kInvalid,        // cut short, malformed, or not an answer to a question like ours
  kNoSuchName,     // NXDOMAIN
  kRefused,        // REFUSED
  kOtherError,     // any other response code
  kQuestionCount,  // not exactly one question
  kWrongName,      // the question is not the one that was asked
  kNoAnswer,       // no records
  kBadAlias,       // a chain of CNAMEs without an end
  kTruncated,      // too long for the datagram
};

struct DnsReply {
  DnsVerdict verdict = DnsVerdict::kInvalid;
  std::vector<DnsRecord> answers;     // of a valid reply: A, AAAA, CNAME and SRV, in the reply's order
  std::vector<DnsRecord> additional;  // of a reply to an SRV question: A and AAAA
};

/// The id of a message; nullopt = too short to have one.
std::optional<uint16_t> dns_message_id(std::string_view message);
/// Reads a reply to a question about `asked` (labels); one that announces more than `most` answers is invalid.
DnsReply parse_dns_reply(std::string_view message, std::string_view asked, size_t most);

}  // namespace holdfast::codec
