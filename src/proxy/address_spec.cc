#include "proxy/address_spec.h"

#include <fmt/format.h>

#include "conf/haproxy_value.h"

namespace holdfast::proxy {
namespace {

enum class Family : uint8_t { kAny, kIpv4, kIpv6, kUnix, kDescriptor, kUnsupported };

struct Prefix {
  std::string_view text;
  Family family;
};
constexpr Prefix kPrefixes[] = {
    {"unix@", Family::kUnix},         {"uxst@", Family::kUnix},         {"uxdg@", Family::kUnix},
    {"ipv4@", Family::kIpv4},         {"ipv6@", Family::kIpv6},         {"tcp@", Family::kAny},
    {"tcp4@", Family::kIpv4},         {"tcp6@", Family::kIpv6},         {"udp@", Family::kAny},
    {"udp4@", Family::kIpv4},         {"udp6@", Family::kIpv6},         {"fd@", Family::kDescriptor},
    {"abns@", Family::kUnsupported},  {"abnsz@", Family::kUnsupported}, {"sockpair@", Family::kUnsupported},
    {"quic4@", Family::kUnsupported}, {"quic6@", Family::kUnsupported}, {"rhttp@", Family::kUnsupported},
    {"mptcp@", Family::kUnsupported},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Parser {
 public:
  Parser(std::string_view text, const AddressRules& rules) : whole_(text), rules_(rules) {}

  std::expected<AddressSpec, std::string> run() {
    std::string_view rest = whole_;
    if (rest.starts_with("stream+")) rest.remove_prefix(7);
    Family family = Family::kAny;
    for (const Prefix& prefix : kPrefixes) {
      if (!rest.starts_with(prefix.text)) continue;
      family = prefix.family;
      rest.remove_prefix(prefix.text.size());
      break;
    }
    if (family == Family::kAny && rest.starts_with('/')) family = Family::kUnix;
    switch (family) {
      case Family::kUnix:
        return unix_socket(rest);
      case Family::kDescriptor:
        return descriptor(rest);
      case Family::kUnsupported:
        return fail(fmt::format("unsupported address family in '{}'", whole_));
      case Family::kAny:
      case Family::kIpv4:
      case Family::kIpv6:
        return internet(rest, family);
    }
    return spec_;
  }

 private:
  using Result = std::expected<AddressSpec, std::string>;
  static std::unexpected<std::string> fail(std::string text) { return std::unexpected(std::move(text)); }

  Result unix_socket(std::string_view path) {
    if (path.empty()) return fail(fmt::format("missing or empty UNIX path in '{}'", whole_));
    if (path.size() > 97) return fail(fmt::format("socket path '{}' too long (max 97)", path));
    spec_.address.unix_path = std::string(path);
    return spec_;
  }

  Result descriptor(std::string_view number) {
    const auto value = conf::whole_integer(number);
    if (!rules_.descriptor_allowed) return fail(fmt::format("'fd@' is not permitted here in '{}'", whole_));
    if (!value || *value < 0 || *value > 1'000'000) {
      return fail(fmt::format("file descriptor '{}' is not a valid integer in '{}'", number, whole_));
    }
    spec_.descriptor = static_cast<int>(*value);
    return spec_;
  }

  Result internet(std::string_view rest, Family family) {
    const size_t colon = rest.rfind(':');
    const size_t bracket = rest.rfind(']');
    std::string_view host = rest;
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
      host = rest.substr(0, colon);
      if (std::string error = read_port(rest.substr(colon + 1)); !error.empty()) return fail(std::move(error));
    }
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    if (!spec_.port_given && rules_.port_required) {
      return fail(fmt::format("missing port specification in '{}'", whole_));
    }
    if (spec_.port_given && rules_.port_forbidden) {
      return fail(fmt::format("port not permitted here in '{}'", whole_));
    }
    return read_host(host, family);
  }

  Result read_host(std::string_view host, Family family) {
    if (host.empty() || host == "*" || host == "0.0.0.0") {
      spec_.address.host = family == Family::kIpv6 ? "::*" : "*";
      return spec_;
    }
    if (host == "::") {
      spec_.address.host = "::*";
      return spec_;
    }
    if (is_numeric_host(host)) {
      spec_.address.host = std::string(host);
      return spec_;
    }
    spec_.name = std::string(host);
    if (rules_.names != nullptr) {
      for (const std::string& found : rules_.names->lookup(spec_.name)) {
        const bool v6 = found.find(':') != std::string::npos;
        if ((family == Family::kIpv4 && v6) || (family == Family::kIpv6 && !v6)) continue;
        spec_.address.host = found;
        return spec_;
      }
    }
    if (rules_.name_kept) return spec_;
    return fail(fmt::format("invalid address: '{}' in '{}'", host, whole_));
  }

  /// Empty = fine. The number must be a port, a range, or an offset where those are allowed.
  std::string read_port(std::string_view text) {
    spec_.port_given = true;
    if (text.empty()) {
      // COMPAT: `host:` means no port where none is needed.
      spec_.port_given = false;
      return rules_.port_required ? fmt::format("missing port specification in '{}'", whole_) : "";
    }
    if (text[0] == '+' || text[0] == '-') {
      const auto offset = conf::whole_integer(text);
      if (!rules_.offset_allowed) return fmt::format("port offset not permitted here in '{}'", whole_);
      if (!offset || *offset < -65535 || *offset > 65535) return fmt::format("invalid port offset '{}'", text);
      spec_.offset = true;
      spec_.offset_value = static_cast<int>(*offset);
      return "";
    }
    const size_t dash = text.find('-');
    const std::string_view low = text.substr(0, dash);
    for (char c : low) {
      if (!is_digit(c)) {
        return fmt::format("invalid character '{}' in port number '{}' in '{}'", c, text, whole_);
      }
    }
    const int64_t first = conf::leading_integer(low);
    if (first < 1 || first > 65535) return fmt::format("invalid port '{}'", low);
    spec_.address.port = static_cast<uint16_t>(first);
    spec_.port_high = static_cast<int>(first);
    if (dash == std::string_view::npos) return "";
    if (!rules_.range_allowed) return fmt::format("port range not permitted here in '{}'", whole_);
    const std::string_view high = text.substr(dash + 1);
    const auto last = conf::whole_integer(high);
    if (!last || *last < 1 || *last > 65535) return fmt::format("invalid port '{}'", high);
    if (*last < first) return fmt::format("invalid port range '{}'", text);
    spec_.port_high = static_cast<int>(*last);
    return "";
  }

  std::string_view whole_;
  const AddressRules& rules_;
  AddressSpec spec_;
};

}  // namespace

std::expected<AddressSpec, std::string> parse_address(std::string_view text, const AddressRules& rules) {
  return Parser(text, rules).run();
}

}  // namespace holdfast::proxy
