// TlsHello: the first TLS record of a client, read without taking part in the handshake.
// Source: RFC 8446 4.1.2, RFC 6066 3 (server_name). Everything is bounds-checked; extensions that are not known are
// passed over.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::proxy {

struct TlsHello {
  int version = 0;  // major * 65536 + minor, as HAProxy's req.ssl_ver
  std::string server_name;
};
enum class TlsHelloStatus : uint8_t { kComplete, kNeedMore, kOther };

TlsHelloStatus parse_tls_hello(std::string_view bytes, TlsHello* hello);

}  // namespace holdfast::proxy
