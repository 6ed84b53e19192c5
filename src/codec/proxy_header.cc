#include "codec/proxy_header.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <cstring>
#include <optional>

#include "base/text.h"

namespace holdfast::codec {
namespace {

constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr size_t kLineMax = 107;

/// 4 or 16 bytes in network order; empty = not a literal of that family.
std::string address_bytes(const std::string& host, bool v6) {
  unsigned char bytes[16];
  if (inet_pton(v6 ? AF_INET6 : AF_INET, host.c_str(), bytes) != 1) return "";
  return {reinterpret_cast<const char*>(bytes), v6 ? size_t{16} : size_t{4}};
}
std::string address_text(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(bytes.size() == 16 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof text);
  return text;
}
bool is_v6(const Address& address) { return address.host.find(':') != std::string::npos; }

std::optional<Address> v1_address(std::string_view host, std::string_view port, bool v6) {
  const auto number = parse_uint64(port);
  if (!number || *number > 65535 || address_bytes(std::string(host), v6).empty()) return std::nullopt;
  return Address{.host = std::string(host), .port = static_cast<uint16_t>(*number), .unix_path = {}};
}

ProxyHeaderStatus parse_v1(std::string_view bytes, ProxyHeader* header) {
  const size_t end = bytes.substr(0, kLineMax).find("\r\n");
  if (end == std::string_view::npos) {
    return bytes.size() >= kLineMax ? ProxyHeaderStatus::kError : ProxyHeaderStatus::kNeedMore;
  }
  header->length = end + 2;
  const auto words = split(bytes.substr(0, end), ' ');
  if (words.size() >= 2 && words[1] == "UNKNOWN") {
    header->local = true;
    return ProxyHeaderStatus::kComplete;
  }
  if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) return ProxyHeaderStatus::kError;
  const bool v6 = words[1] == "TCP6";
  const auto source = v1_address(words[2], words[4], v6);
  const auto destination = v1_address(words[3], words[5], v6);
  if (!source || !destination) return ProxyHeaderStatus::kError;
  header->source = *source;
  header->destination = *destination;
  return ProxyHeaderStatus::kComplete;
}

uint16_t big_endian(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 | static_cast<unsigned char>(bytes[at + 1]));
}

ProxyHeaderStatus parse_v2(std::string_view bytes, ProxyHeader* header) {
  if (bytes.size() < 16) return ProxyHeaderStatus::kNeedMore;
  const auto version = static_cast<unsigned char>(bytes[12]);
  if (version >> 4 != 2 || (version & 15) > 1) return ProxyHeaderStatus::kError;
  const size_t length = big_endian(bytes, 14);
  if (16 + length > kProxyHeaderMax) return ProxyHeaderStatus::kError;
  if (bytes.size() < 16 + length) return ProxyHeaderStatus::kNeedMore;
  header->length = 16 + length;
  const auto family = static_cast<unsigned char>(bytes[13]);
  const size_t size = family == 0x11 ? 4 : family == 0x21 ? 16 : 0;
  if ((version & 15) == 0 || size == 0) {  // LOCAL, or a family that means nothing here
    header->local = true;
    return ProxyHeaderStatus::kComplete;
  }
  if (length < 2 * size + 4) return ProxyHeaderStatus::kError;
  const std::string_view body = bytes.substr(16, length);
  header->source = {.host = address_text(body.substr(0, size)), .port = big_endian(body, 2 * size), .unix_path = {}};
  header->destination = {
      .host = address_text(body.substr(size, size)), .port = big_endian(body, 2 * size + 2), .unix_path = {}};
  return ProxyHeaderStatus::kComplete;
}

void append_u16(std::string& out, uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value & 255));
}

}  // namespace

ProxyHeaderStatus parse_proxy_header(std::string_view bytes, ProxyHeader* header) {
  *header = {};
  if (bytes.starts_with("PROXY ")) return parse_v1(bytes, header);
  if (bytes.starts_with(kSignature)) return parse_v2(bytes, header);
  const bool begins = std::string_view("PROXY ").starts_with(bytes) || kSignature.starts_with(bytes);
  return begins ? ProxyHeaderStatus::kNeedMore : ProxyHeaderStatus::kError;
}

std::string encode_proxy_v1(const Address& source, const Address& destination) {
  const bool v6 = is_v6(source);
  const bool known = !source.is_unix() && !destination.is_unix() && v6 == is_v6(destination) &&
                     !address_bytes(source.host, v6).empty() && !address_bytes(destination.host, v6).empty();
  if (!known) return "PROXY UNKNOWN\r\n";
  return fmt::format("PROXY {} {} {} {} {}\r\n", v6 ? "TCP6" : "TCP4", source.host, destination.host, source.port,
                     destination.port);
}

std::string encode_proxy_v2(const Address& source, const Address& destination) {
  const bool v6 = is_v6(source);
  const std::string from = source.is_unix() ? "" : address_bytes(source.host, v6);
  const std::string to = destination.is_unix() ? "" : address_bytes(destination.host, v6);
  if (from.empty() || to.empty()) return encode_proxy_v2_local();
  std::string out(kSignature);
  out.push_back(0x21);
  out.push_back(v6 ? 0x21 : 0x11);
  append_u16(out, static_cast<uint16_t>(2 * from.size() + 4));
  out += from + to;
  append_u16(out, source.port);
  append_u16(out, destination.port);
  return out;
}

std::string encode_proxy_v2_local() {
  std::string out(kSignature);
  out.push_back(0x20);
  out.push_back(0);
  append_u16(out, 0);
  return out;
}

}  // namespace holdfast::codec
