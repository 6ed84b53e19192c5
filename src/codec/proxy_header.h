// The PROXY protocol: who the client is, said in front of a connection by what passed it on. Versions 1 and 2.
//
// Source: "The PROXY protocol, versions 1 & 2" (proxy-protocol.txt). Refused: lines beyond 107 bytes, headers beyond
// kProxyHeaderMax, addresses that do not parse. Extensions (TLVs) of version 2 are passed over.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/address.h"

namespace holdfast::codec {

inline constexpr size_t kProxyHeaderMax = 4096;

struct ProxyHeader {
  bool local = false;  // LOCAL or UNKNOWN: the connection's own addresses count
  Address source;
  Address destination;
  size_t length = 0;  // bytes of the header
};
enum class ProxyHeaderStatus : uint8_t { kNeedMore, kComplete, kError };

ProxyHeaderStatus parse_proxy_header(std::string_view bytes, ProxyHeader* header);
/// Addresses that are not both IPv4 or both IPv6 are written as unknown.
std::string encode_proxy_v1(const Address& source, const Address& destination);
std::string encode_proxy_v2(const Address& source, const Address& destination);
/// Version 2 for connections of our own, like health checks.
std::string encode_proxy_v2_local();

}  // namespace holdfast::codec
