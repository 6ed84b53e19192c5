#include "base/address.h"

#include <charconv>

namespace holdfast {

std::string host_port(std::string_view host, uint16_t port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  std::string out;
  out.reserve(host.size() + 8);
  if (v6) out += '[';
  out += host;
  if (v6) out += ']';
  out += ':';
  out += std::to_string(port);
  return out;
}

std::string to_string(const Address& address) {
  return address.is_unix() ? address.unix_path : host_port(address.host, address.port);
}

bool is_numeric_host(std::string_view host) {
  if (host.find(':') != std::string_view::npos) {
    return host.find_first_not_of("0123456789abcdefABCDEF:.%") == std::string_view::npos;
  }
  int parts = 0;
  while (true) {
    const size_t dot = host.find('.');
    const std::string_view part = host.substr(0, dot);
    unsigned value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (part.empty() || part.size() > 3 || error != std::errc() || end != part.data() + part.size() || value > 255) {
      return false;
    }
    ++parts;
    if (dot == std::string_view::npos) break;
    host.remove_prefix(dot + 1);
  }
  return parts == 4;
}

bool is_loopback(const Address& address) {
  return address.is_unix() || address.host.starts_with("127.") || address.host == "::1" ||
         address.host == "::ffff:127.0.0.1";
}

}  // namespace holdfast
