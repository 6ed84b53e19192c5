#include "proxy/sample/network.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "conf/haproxy_value.h"

namespace holdfast::proxy {

std::optional<std::array<uint8_t, 16>> address_bytes(std::string_view host, bool* v6) {
  std::array<uint8_t, 16> bytes{};
  *v6 = host.find(':') != std::string_view::npos;
  if (!*v6) {
    const auto parts = split(host, '.');
    if (parts.size() != 4) return std::nullopt;
    for (size_t i = 0; i < 4; ++i) {
      const auto part = parse_uint64(parts[i]);
      if (!part || *part > 255) return std::nullopt;
      bytes[12 + i] = static_cast<uint8_t>(*part);
    }
    return bytes;
  }
  std::array<uint16_t, 8> head{};
  size_t count = 0;
  std::optional<size_t> gap;
  std::string_view rest = host;
  while (!rest.empty() && count < 8) {
    if (rest.starts_with("::")) {
      if (gap) return std::nullopt;
      gap = count;
      rest.remove_prefix(2);
      continue;
    }
    if (rest.starts_with(':')) rest.remove_prefix(1);
    const size_t end = rest.find(':');
    const std::string_view group = rest.substr(0, end);
    if (group.empty() || group.size() > 4) return std::nullopt;
    uint32_t value = 0;
    for (char c : group) {
      const char lower = to_lower(c);
      if (!((lower >= '0' && lower <= '9') || (lower >= 'a' && lower <= 'f'))) return std::nullopt;
      value = value * 16 + static_cast<uint32_t>(lower <= '9' ? lower - '0' : lower - 'a' + 10);
    }
    head[count++] = static_cast<uint16_t>(value);
    rest.remove_prefix(group.size());
  }
  if (!rest.empty() || (!gap && count != 8)) return std::nullopt;
  std::array<uint16_t, 8> groups{};
  const size_t before = gap.value_or(count);
  for (size_t i = 0; i < before; ++i) groups[i] = head[i];
  for (size_t i = before; i < count; ++i) groups[8 - (count - i)] = head[i];
  for (size_t i = 0; i < 8; ++i) {
    bytes[2 * i] = static_cast<uint8_t>(groups[i] >> 8);
    bytes[2 * i + 1] = static_cast<uint8_t>(groups[i] & 255);
  }
  return bytes;
}

bool in_network(std::string_view host, std::string_view network) {
  const size_t slash = network.find('/');
  bool host_v6 = false;
  bool network_v6 = false;
  const auto left = address_bytes(host, &host_v6);
  const auto right = address_bytes(network.substr(0, slash), &network_v6);
  if (!left || !right || host_v6 != network_v6) return false;
  const int64_t most = host_v6 ? 128 : 32;
  int64_t bits = slash == std::string_view::npos ? most : conf::leading_integer(network.substr(slash + 1));
  if (bits < 0 || bits > most) return false;
  bits += 128 - most;
  for (size_t i = 0; i < 16; ++i) {
    const int64_t here = std::max<int64_t>(0, std::min<int64_t>(8, bits - static_cast<int64_t>(i) * 8));
    // The first 12 bytes of a mapped IPv4 address are zero on both sides.
    const auto mask = static_cast<uint8_t>(0xff00 >> here);
    if (((*left)[i] & mask) != ((*right)[i] & mask)) return false;
  }
  return true;
}

std::string masked_v4(std::string_view host, int bits) {
  bool v6 = false;
  auto bytes = address_bytes(host, &v6);
  if (!bytes || v6) return std::string(host);
  uint32_t value = 0;
  for (size_t i = 12; i < 16; ++i) value = value << 8 | (*bytes)[i];
  value &= bits <= 0 ? 0 : bits >= 32 ? UINT32_MAX : ~(UINT32_MAX >> bits);
  return fmt::format("{}.{}.{}.{}", value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255);
}

}  // namespace holdfast::proxy
