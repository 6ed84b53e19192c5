// AnswerSet: the records that a name's resolution has brought and that still hold, and which servers took which.
//
// Source: HAProxy configuration manual 5.2 `resolve-prefer`, `resolve-net`, `resolve-opts`, 5.3 `hold obsolete`.
// COMPAT: records are ordered by XXH32 of their data, seeded with their type: of several equally good addresses the
// same one is taken as there. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "codec/dns.h"
#include "proxy/resolve/resolvers_config.h"

namespace holdfast::proxy {

/// A server, wherever it is.
struct ServerRef {
  uint32_t backend = 0;
  uint32_t server = 0;
  bool operator==(const ServerRef&) const = default;
};

struct AnswerItem {
  /// The address of an SRV record's target that came along with it.
  struct Extra {
    codec::DnsType type = codec::DnsType::kA;
    std::string data;
    Mono last_seen{};
  };
  codec::DnsType type = codec::DnsType::kA;
  std::string data;
  uint16_t weight = 0;
  uint16_t port = 0;
  uint32_t key = 0;
  Mono last_seen{};
  std::optional<Extra> extra;
  std::vector<ServerRef> servers;  // that took it

  bool is_address() const { return type == codec::DnsType::kA || type == codec::DnsType::kAaaa; }
};

/// The text of 4 or 16 bytes of an address.
std::string address_text(std::string_view bytes);

class AnswerSet {
 public:
  std::vector<AnswerItem>& items() { return items_; }
  const std::vector<AnswerItem>& items() const { return items_; }
  /// Takes over the records of a valid reply.
  void merge(const codec::DnsReply& reply, Mono now);
  /// Removes and returns what was last seen more than `obsolete` ago.
  std::vector<AnswerItem> expire(Duration obsolete, Mono now);
  void clear() { items_.clear(); }
  /// Forgets that `server` took any of them.
  void release(ServerRef server);
  /// The record with an address that `server` took, null = none.
  const AnswerItem* taken_by(ServerRef server) const;
  /// Chooses an address for `server`, which has `current` (text, may be empty), and marks it taken. Null = none fits.
  const AnswerItem* choose(ServerRef server, const ServerResolve& options, std::string_view current);

 private:
  void add(const codec::DnsRecord& record, Mono now);
  void add_extra(const codec::DnsRecord& record, Mono now);

  std::vector<AnswerItem> items_;  // ordered by key
};

}  // namespace holdfast::proxy
