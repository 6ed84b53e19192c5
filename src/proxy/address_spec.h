// Addresses as haproxy.cfg writes them: `*:6378`, `[::1]:80-90`, `unix@/path`, `fd@3`, `host:+10`.
// Source: HAProxy configuration manual 11 "Address formats", `bind`, `server`.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"
#include "proxy/config_parse.h"

namespace holdfast::proxy {

struct AddressRules {
  bool port_required = false;
  bool port_forbidden = false;
  bool range_allowed = false;
  bool offset_allowed = false;  // `+N`, `-N`
  bool descriptor_allowed = false;
  bool name_kept = false;  // an unknown host name is not an error, it is returned in `name`
  NameLookup* names = nullptr;
};

struct AddressSpec {
  Address address;  // host numeric, "*" or "::*" for every address, "" when only a name is known
  std::optional<int> descriptor;
  std::string name;   // the host name as written, empty for literals
  int port_high = 0;  // of a range; address.port is the low end
  bool port_given = false;
  bool offset = false;
  int offset_value = 0;
};

/// The error is HAProxy's text: `invalid port '99999'`, `missing port specification in '127.0.0.1'`.
std::expected<AddressSpec, std::string> parse_address(std::string_view text, const AddressRules& rules);

}  // namespace holdfast::proxy
