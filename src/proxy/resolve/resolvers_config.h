// Resolvers as configuration values: whom to ask for the addresses of servers, how often, and how long an answer holds.
// Source: HAProxy configuration manual 5.3 "Server IP address resolution using DNS". Read through config.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "proxy/rule/rule_config.h"

namespace holdfast::proxy {

struct NameserverConfig {
  std::string name;
  Address address;
  bool stream = false;  // over TCP
  Source source;
};

/// One `resolvers` section.
struct ResolversConfig {
  struct Hold {
    Duration valid = 10s, obsolete{}, nx = 30s, refused = 30s, timeout = 30s, other = 30s;
  };
  std::string name;
  std::vector<NameserverConfig> nameservers;
  Hold hold;
  Duration resolve = 1s;  // between resolutions
  Duration retry = 1s;    // between the tries of one
  int retries = 3;
  uint16_t payload_size = 512;  // the longest reply taken
  Source source;
};

/// How a server gets its address before it is asked for: one word of `init-addr`.
struct InitAddress {
  enum class Method : uint8_t { kLast, kLibc, kNone, kLiteral };
  Method method = Method::kLibc;
  std::string host;  // kLiteral
};

/// What a `server` line says about its name.
struct ServerResolve {
  std::string section;  // `resolvers`, empty = the name is looked up once
  bool prefer_ipv4 = false;
  bool allow_duplicates = false;
  bool ignore_weight = false;
  std::vector<std::string> networks;  // preferred ones, `resolve-net`
  std::vector<InitAddress> init;      // empty = last, libc and, with resolvers, none
};

}  // namespace holdfast::proxy
