// The `resolvers` section, and what servers say about their names.
#include <algorithm>

#include "base/text.h"
#include "codec/dns.h"
#include "conf/haproxy_value.h"
#include "proxy/address_spec.h"
#include "proxy/keyword/keyword.h"
#include "proxy/keyword/server_row.h"
#include "proxy/sample/network.h"

namespace holdfast::proxy {
namespace {

constexpr int64_t kPayloadMax = 65535;
constexpr size_t kNetworksMax = 5;
constexpr uint16_t kDnsPort = 53;

ResolversConfig& section_of(KeywordContext& c) { return c.config.resolvers.back(); }

const NameserverConfig* find_nameserver(const ResolversConfig& section, std::string_view name) {
  const auto at = std::ranges::find(section.nameservers, name, &NameserverConfig::name);
  return at == section.nameservers.end() ? nullptr : &*at;
}

void parse_nameserver(KeywordContext& c) {
  if (c.word(2).empty()) return c.alert("'nameserver' expects <name> and <addr>[:<port>] as arguments.");
  if (const char bad = forbidden_character(c.word(1)); bad != 0) {
    return c.alert("character '{}' is not permitted in server name '{}'.", bad, c.word(1));
  }
  if (const NameserverConfig* other = find_nameserver(section_of(c), c.word(1)); other != nullptr) {
    c.alert_plain(
        fmt::format("Parsing [{}:{}]: nameserver '{}' has same name as another nameserver (declared at {}:{}).",
                    c.source().file, c.source().line, c.word(1), other->source.file, other->source.line));
  }
  AddressRules rules;
  rules.port_required = true;
  rules.names = c.options.names;
  const auto spec = parse_address(c.word(2), rules);
  if (!spec) return c.alert("'nameserver {}' : {}", c.word(1), spec.error());
  NameserverConfig nameserver{std::string(c.word(1)), spec->address, false, c.source()};
  if (!spec->name.empty() && spec->address.host.empty()) nameserver.address.host = spec->name;
  nameserver.stream = c.word(2).starts_with("tcp") || c.word(2).starts_with("stream+");
  section_of(c).nameservers.push_back(std::move(nameserver));
}

void parse_resolv_conf(KeywordContext& c) {
  const auto warnings = add_system_nameservers(c.options, section_of(c));
  if (!warnings) return c.alert_tight("{}", warnings.error());
  for (const std::string& text : *warnings) c.warn_tight("{}", text);
}

void parse_hold(KeywordContext& c) {
  if (c.word(2).empty()) {
    c.alert("'hold' expects an <event> and a <time> as arguments.");
    return c.alert_plain("<event> can be either 'valid', 'nx', 'refused', 'timeout', or 'other'");
  }
  const conf::TimeValue time = conf::parse_haproxy_time(c.word(2));
  if (time.error == conf::TimeValue::Error::kCharacter) {
    return c.alert_tight("unexpected character '{}' in argument to <hold>.", time.character);
  }
  if (time.error != conf::TimeValue::Error::kNone) {
    return c.alert_tight("{}", conf::time_error_text(time, c.word(1), "hold"));
  }
  struct Row {
    std::string_view name;
    Duration ResolversConfig::Hold::* field;
  };
  using Hold = ResolversConfig::Hold;
  constexpr Row kEvents[] = {{"nx", &Hold::nx},           {"other", &Hold::other}, {"refused", &Hold::refused},
                             {"timeout", &Hold::timeout}, {"valid", &Hold::valid}, {"obsolete", &Hold::obsolete}};
  for (const Row& row : kEvents) {
    if (row.name == c.word(1)) {
      section_of(c).hold.*row.field = time.value;
      return;
    }
  }
  c.alert("'hold' unknown <event>: '{}', expects either 'nx', 'timeout', 'valid', 'obsolete' or 'other'.", c.word(1));
}

void parse_payload(KeywordContext& c) {
  if (c.word(1).empty()) return c.alert("'accepted_payload_size' expects <nb> as argument.");
  const int64_t value = conf::leading_integer(c.word(1));
  if (value < static_cast<int64_t>(codec::kDnsHeaderSize) || value > kPayloadMax) {
    return c.alert("'accepted_payload_size' must be between {} and {} inclusive (was {}).", codec::kDnsHeaderSize,
                   kPayloadMax, c.word(1));
  }
  section_of(c).payload_size = static_cast<uint16_t>(value);
}

void parse_pool_size(KeywordContext& c) {
  c.alert("'resolution_pool_size' directive is not supported anymore (it never appeared in a stable release).");
}

void parse_resolve_retries(KeywordContext& c) {
  if (c.word(1).empty()) return c.alert("'resolve_retries' expects <nb> as argument.");
  section_of(c).retries = static_cast<int>(std::clamp<int64_t>(conf::leading_integer(c.word(1)), 0, 1'000'000));
}

void parse_resolvers_timeout(KeywordContext& c) {
  const std::string_view event = c.word(1);
  if (event.empty()) return c.alert("'timeout' expects 'retry' or 'resolve' and <time> as arguments.");
  if (event != "retry" && event != "resolve") {
    return c.alert("'timeout' expects 'retry' or 'resolve' and <time> as arguments got '{}'.", event);
  }
  if (c.word(2).empty()) return c.alert("'timeout {}' expects <time> as argument.", event);
  const conf::TimeValue time = conf::parse_haproxy_time(c.word(2));
  if (time.error == conf::TimeValue::Error::kCharacter) {
    return c.alert_tight("unexpected character '{}' in argument to <timeout {}>.", time.character, event);
  }
  if (time.error != conf::TimeValue::Error::kNone) {
    return c.alert_tight("{}", conf::time_error_text(time, c.word(2), fmt::format("timeout {}", event)));
  }
  (event == "retry" ? section_of(c).retry : section_of(c).resolve) = time.value;
}

constexpr KeywordRow kRows[] = {
    {"nameserver", kInResolvers, parse_nameserver, "a nameserver: name, address; tcp@ asks over TCP"},
    {"parse-resolv-conf", kInResolvers, parse_resolv_conf, "the nameservers of /etc/resolv.conf"},
    {"hold", kInResolvers, parse_hold, "how long an outcome holds: valid, obsolete, nx, refused, timeout, other"},
    {"accepted_payload_size", kInResolvers, parse_payload, "the longest reply taken, in bytes"},
    {"resolution_pool_size", kInResolvers, parse_pool_size, "removed"},
    {"resolve_retries", kInResolvers, parse_resolve_retries, "tries of one resolution"},
    {"timeout", kInResolvers, parse_resolvers_timeout, "resolve, retry: between resolutions and between tries"},
};

// ---- server options ---------------------------------------------------------------------------------------------

/// Calls `each` with the words between commas until it answers with an error.
template <typename F>
std::string each_word(std::string_view list, F each) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    if (std::string error = each(list.substr(0, comma)); !error.empty()) return error;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return "";
}

std::string set_resolvers(KeywordContext&, ServerConfig& server, std::string_view value) {
  server.resolve.section = std::string(value);
  return "";
}

std::string set_prefer(KeywordContext&, ServerConfig& server, std::string_view value) {
  if (value != "ipv4" && value != "ipv6") return "'resolve-prefer' expects either ipv4 or ipv6 as argument..";
  server.resolve.prefer_ipv4 = value == "ipv4";
  return "";
}

std::string set_resolve_opts(KeywordContext&, ServerConfig& server, std::string_view value) {
  return each_word(value, [&](std::string_view word) -> std::string {
    if (word == "allow-dup-ip") {
      server.resolve.allow_duplicates = true;
    } else if (word == "prevent-dup-ip") {
      server.resolve.allow_duplicates = false;
    } else if (word == "ignore-weight") {
      server.resolve.ignore_weight = true;
    } else {
      return fmt::format(
          "'resolve-opts' : unknown resolve-opts option '{}', supported methods are 'allow-dup-ip', 'ignore-weight', "
          "and 'prevent-dup-ip'..",
          word);
    }
    return "";
  });
}

std::string set_resolve_net(KeywordContext&, ServerConfig& server, std::string_view value) {
  if (value.empty()) return "'resolve-net' expects a list of networks..";
  return each_word(value, [&](std::string_view word) -> std::string {
    auto& networks = server.resolve.networks;
    if (networks.size() >= kNetworksMax) return fmt::format("'resolve-net' exceed {} networks..", kNetworksMax);
    const std::string_view host = word.substr(0, word.find('/'));
    if (!in_network(host, word)) return fmt::format("'resolve-net' invalid network '{}'..", word);
    networks.emplace_back(word);
    return "";
  });
}

std::string set_init_addr(KeywordContext&, ServerConfig& server, std::string_view value) {
  using Method = InitAddress::Method;
  auto& methods = server.resolve.init;
  methods.clear();
  return each_word(value, [&](std::string_view word) -> std::string {
    if (word == "libc") {
      methods.push_back({Method::kLibc, ""});
    } else if (word == "last") {
      methods.push_back({Method::kLast, ""});
    } else if (word == "none") {
      methods.push_back({Method::kNone, ""});
    } else if (is_numeric_host(word)) {
      const auto literal = [](const InitAddress& method) { return method.method == Method::kLiteral; };
      if (std::ranges::any_of(methods, literal)) {
        return fmt::format("'init-addr' : initial address already specified, cannot add '{}'..", word);
      }
      methods.push_back({Method::kLiteral, std::string(word)});
    } else {
      return fmt::format("'init-addr' : unknown init-addr method '{}', supported methods are 'libc', 'last', 'none'..",
                         word);
    }
    return "";
  });
}

constexpr ServerRow kOptions[] = {
    {"resolvers", 1, set_resolvers},     {"resolve-prefer", 1, set_prefer}, {"resolve-opts", 1, set_resolve_opts},
    {"resolve-net", 1, set_resolve_net}, {"init-addr", 1, set_init_addr},
};

}  // namespace

std::expected<std::vector<std::string>, std::string> add_system_nameservers(const ParseOptions& options,
                                                                            ResolversConfig& section) {
  constexpr std::string_view kFile = "/etc/resolv.conf";
  const auto text =
      options.files == nullptr ? std::unexpected(std::string("unreadable")) : options.files->read(std::string(kFile));
  if (!text) return std::unexpected(fmt::format("failed to open {}.", kFile));
  std::vector<std::string> warnings;
  int number = 0;
  for (const std::string_view line : split(*text, '\n')) {
    ++number;
    if (!line.starts_with("nameserver")) continue;
    std::string_view rest = line.substr(10);
    const size_t begin = rest.find_first_not_of("\r\t ");
    if (begin == std::string_view::npos) {
      warnings.push_back(fmt::format("parsing [{}:{}] : nameserver line is missing address.", kFile, number));
      continue;
    }
    if (begin == 0) continue;  // another word that begins the same
    rest.remove_prefix(begin);
    const std::string name(rest.substr(0, rest.find_first_of("\r\t ")));
    if (const NameserverConfig* other = find_nameserver(section, name); other != nullptr) {
      warnings.push_back(fmt::format(
          "Parsing [{}:{}] : generated name for {} nameserver '{}' conflicts with another nameserver (declared at "
          "{}:{}), it appears to be a duplicate and will be excluded.",
          kFile, number, kFile, name, other->source.file, other->source.line));
    } else if (!is_numeric_host(name)) {
      warnings.push_back(fmt::format(
          "parsing [{}:{}] : address '{}' could not be recognized, nameserver will be excluded.", kFile, number, name));
    } else {
      section.nameservers.push_back({name, Address{name, kDnsPort, {}}, false, {std::string(kFile), number}});
    }
  }
  return warnings;
}

std::span<const KeywordRow> resolvers_keywords() { return kRows; }
std::span<const ServerRow> resolve_options() { return kOptions; }

}  // namespace holdfast::proxy
