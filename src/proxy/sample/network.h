// Networks: IPv4 and IPv6 literals as bytes, and whether a host lies in one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::proxy {

/// 16 bytes of an IPv6 address, IPv4 in the last four; nullopt = not a literal.
std::optional<std::array<uint8_t, 16>> address_bytes(std::string_view host, bool* v6);
/// True when `host` (a literal) lies in `network` (`10.0.0.0/8`, `::1`, `10.1.2.3`).
bool in_network(std::string_view host, std::string_view network);
/// An IPv4 literal with all but its first `bits` bits cleared; other hosts unchanged.
std::string masked_v4(std::string_view host, int bits);

}  // namespace holdfast::proxy
