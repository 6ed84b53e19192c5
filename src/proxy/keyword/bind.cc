// `bind` and the options it shares with `stats socket`.
#include <algorithm>
#include "base/text.h"

#include "conf/haproxy_value.h"
#include "proxy/address_spec.h"
#include "proxy/keyword/keyword.h"
#include "proxy/keyword/tls.h"

namespace holdfast::proxy {
namespace {

enum class BindOption : uint8_t {
  kName,
  kId,
  kMaxconn,
  kBacklog,
  kMode,
  kLevel,
  kExpose,
  kV6only,
  kV4v6,
  kAcceptProxy,
  kIgnored,
  kIgnoredValue,
  kUnsupported,
};
struct BindRow {
  std::string_view name;
  BindOption option;
  bool value;  // takes one
};
constexpr BindRow kOptions[] = {
    {"name", BindOption::kName, true},
    {"id", BindOption::kId, true},
    {"maxconn", BindOption::kMaxconn, true},
    {"backlog", BindOption::kBacklog, true},
    {"mode", BindOption::kMode, true},
    {"level", BindOption::kLevel, true},
    {"expose-fd", BindOption::kExpose, true},
    {"v6only", BindOption::kV6only, false},
    {"v4v6", BindOption::kV4v6, false},
    {"user", BindOption::kIgnoredValue, true},
    {"group", BindOption::kIgnoredValue, true},
    {"uid", BindOption::kIgnoredValue, true},
    {"gid", BindOption::kIgnoredValue, true},
    {"nice", BindOption::kIgnoredValue, true},
    {"process", BindOption::kIgnoredValue, true},
    {"thread", BindOption::kIgnoredValue, true},
    {"shards", BindOption::kIgnoredValue, true},
    {"guid-prefix", BindOption::kIgnoredValue, true},
    {"severity-output", BindOption::kIgnoredValue, true},
    {"tfo", BindOption::kIgnored, false},
    {"defer-accept", BindOption::kIgnored, false},
    {"accept-proxy", BindOption::kAcceptProxy, false},
    {"transparent", BindOption::kUnsupported, false},
    {"interface", BindOption::kUnsupported, true},
    {"namespace", BindOption::kUnsupported, true},
};

class BindLine {
 public:
  BindLine(KeywordContext& c, size_t first, bool stats_socket) : c_(c), first_(first), stats_socket_(stats_socket) {}

  bool run(std::vector<BindConfig>* binds) {
    if (!read_addresses()) return false;
    for (size_t at = first_ + 1; at < c_.count();) {
      if (!read_option(&at)) return false;
    }
    for (BindConfig& bind : binds_) bind.tls = tls_;
    binds->insert(binds->end(), binds_.begin(), binds_.end());
    return true;
  }

 private:
  bool read_addresses() {
    for (std::string_view part : split(c_.word(first_), ',')) {
      AddressRules rules;
      rules.port_required = true;
      rules.range_allowed = !stats_socket_;
      rules.descriptor_allowed = true;
      rules.names = c_.options.names;
      const auto spec = parse_address(part, rules);
      if (!spec) {
        c_.alert("'{}' : {}", stats_socket_ ? "stats socket" : "bind", spec.error());
        return false;
      }
      const int high = std::max<int>(spec->port_high, spec->address.port);
      for (int port = spec->address.port; port <= high; ++port) {
        BindConfig bind;
        bind.address = spec->address;
        bind.address.port = static_cast<uint16_t>(port);
        bind.inherited_fd = spec->descriptor;
        bind.text = std::string(part);
        bind.source = c_.source();
        binds_.push_back(std::move(bind));
      }
    }
    return true;
  }

  bool read_option(size_t* at) {
    const std::string_view name = c_.word(*at);
    if (const TlsOptionResult tls = read_bind_tls(c_, tls_, at); tls.known) {
      if (!tls.before.empty()) c_.alert_plain(tls.before);
      return tls.error.empty() || complain(tls.error);
    }
    const BindRow* row = nullptr;
    for (const BindRow& candidate : kOptions) {
      if (candidate.name == name) row = &candidate;
    }
    if (row == nullptr) return complain(fmt::format("unknown keyword '{}'{}", name, stats_socket_ ? "." : ""));
    if (row->value && !c_.has(*at + 1)) {
      return complain(fmt::format("'{}' : missing {}", name, row->option == BindOption::kName ? "name" : "value"));
    }
    const std::string_view value = row->value ? c_.word(*at + 1) : "";
    *at += row->value ? 2 : 1;
    return apply(*row, value);
  }

  bool apply(const BindRow& row, std::string_view value) {
    const int64_t number = conf::leading_integer(value);
    for (BindConfig& bind : binds_) {
      switch (row.option) {
        case BindOption::kName:
          bind.name = std::string(value);
          break;
        case BindOption::kId:
          if (number <= 0) return complain("'id' : custom id has to be > 0");
          bind.id = static_cast<uint32_t>(std::min<int64_t>(number, UINT32_MAX));
          break;
        case BindOption::kMaxconn:
          if (number < 0) return complain(fmt::format("'maxconn' : invalid value {}", number));
          bind.maxconn = number;
          break;
        case BindOption::kBacklog:
          if (number < 0) return complain(fmt::format("'backlog' : invalid value {}", number));
          bind.backlog = static_cast<int>(std::min<int64_t>(number, INT32_MAX));
          break;
        case BindOption::kMode:
          for (char ch : value) {
            if (ch < '0' || ch > '7')
              return complain(fmt::format("'mode' : missing or invalid mode '{}' (octal)", value));
            bind.unix_mode = (bind.unix_mode << 3 | static_cast<uint32_t>(ch - '0')) & 07777;
          }
          break;
        case BindOption::kLevel:
          if (value != "user" && value != "operator" && value != "admin") {
            return complain(fmt::format("'level' only supports 'user', 'operator', and 'admin' (got '{}')", value),
                            true);
          }
          bind.level = value == "user" ? CliLevel::kUser : (value == "admin" ? CliLevel::kAdmin : CliLevel::kOperator);
          break;
        case BindOption::kExpose:
          bind.expose_listeners = value == "listeners";
          break;
        case BindOption::kV6only:
          bind.v6only = true;
          break;
        case BindOption::kV4v6:
          bind.v6only = false;
          break;
        case BindOption::kAcceptProxy:
          bind.accept_proxy = true;
          break;
        case BindOption::kIgnored:
        case BindOption::kIgnoredValue:
          break;
        case BindOption::kUnsupported:
          return complain(fmt::format("'{}' : not supported by this version", row.name));
      }
    }
    return true;
  }

  bool complain(std::string_view text, bool quoted = false) {
    if (stats_socket_) {
      c_.alert("'stats socket' : {0}{1}{0}", quoted ? "'" : "", text);
    } else {
      // COMPAT: an unknown keyword is announced without a space before its colon.
      const std::string_view gap = text.starts_with("unknown") ? "" : " ";
      c_.alert("'bind {}' in section '{}'{}: {}", c_.word(first_),
               c_.proxy->kind == ProxyConfig::Kind::kListen ? "listen" : "frontend", gap, text);
    }
    return false;
  }

  KeywordContext& c_;
  size_t first_;
  bool stats_socket_;
  std::vector<BindConfig> binds_;
  BindTls tls_;  // one for all addresses of the line
};

void parse_bind(KeywordContext& c) {
  if (c.proxy->kind == ProxyConfig::Kind::kDefaults) return c.alert("'bind' not allowed in 'defaults' section.");
  if (c.ignored_without_frontend("bind")) return;
  if (c.word(1).empty()) {
    return c.alert("'bind' expects {{<path>|[addr1]:port1[-end1]}}{{,[addr]:port[-end]}}... as arguments.");
  }
  parse_bind_line(c, 1, false, &c.proxy->binds);
}

constexpr KeywordRow kRows[] = {
    {"bind", kInProxies, parse_bind, "addresses a frontend listens on"},
};

}  // namespace

bool parse_bind_line(KeywordContext& context, size_t first, bool stats_socket, std::vector<BindConfig>* binds) {
  return BindLine(context, first, stats_socket).run(binds);
}

std::span<const KeywordRow> bind_keywords() { return kRows; }

}  // namespace holdfast::proxy
