// Conditions: what `acl` and `if` / `unless` say, and whether it holds for a connection.
// Source: HAProxy configuration manual 7 "Using ACLs". Fetches: always_true, always_false, src, dst_port,
// srv_is_up([backend/]server), nbsrv([backend]).
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "proxy/config.h"

namespace holdfast::proxy {

/// `words` = what follows `acl <name>`, or stands between `{` and `}`. The error is HAProxy's text.
std::expected<ConditionTerm, std::string> parse_condition_term(const std::vector<std::string_view>& words);

/// `words` = what follows `if` or `unless`.
std::expected<Condition, std::string> parse_condition(const std::vector<std::string_view>& words,
                                                      const std::map<std::string, Condition>& acls);

/// What a condition may ask about.
class ConditionSubject {
 public:
  virtual ~ConditionSubject() = default;
  virtual const Address& source() const = 0;
  virtual uint16_t destination_port() const = 0;
  virtual bool server_is_up(std::string_view backend_and_server) const = 0;
  virtual int64_t servers_up(std::string_view backend) const = 0;
};
bool holds(const Condition& condition, const ConditionSubject& subject);

/// True when `host` (a literal) lies in `network` (`10.0.0.0/8`, `::1`, `10.1.2.3`).
bool in_network(std::string_view host, std::string_view network);

}  // namespace holdfast::proxy
