// `server` and `default-server`.
#include <algorithm>

#include "conf/haproxy_value.h"
#include "proxy/address_spec.h"
#include "proxy/keyword/keyword.h"
#include "proxy/keyword/server_row.h"
#include "proxy/keyword/tls.h"

namespace holdfast::proxy {
namespace {

std::string set_time(const ServerConfig& server, std::string_view name, std::string_view value, Duration* target,
                     bool zero_allowed = false) {
  if (value.empty()) return fmt::format("'{}' expects a delay as argument..", name);
  const conf::TimeValue time = conf::parse_haproxy_time(value, name == "slowstart");
  if (time.error == conf::TimeValue::Error::kCharacter) {
    return fmt::format("unexpected character '{}' in '{}' argument of server {}..", time.character, name, server.name);
  }
  if (time.error != conf::TimeValue::Error::kNone) return conf::time_error_text(time, value, name) + ".";
  if (time.value <= Duration{} && !zero_allowed) {
    return fmt::format("invalid value 0 for argument '{}' of server {}..", name, server.name);
  }
  *target = time.value;
  return "";
}

std::string set_positive(std::string_view name, std::string_view value, int* target) {
  const int64_t number = conf::leading_integer(value);
  if (number <= 0) return fmt::format("'{}' has to be > 0..", name);
  *target = static_cast<int>(std::min<int64_t>(number, 1'000'000));
  return "";
}

std::string set_weight(KeywordContext&, ServerConfig& server, std::string_view value) {
  const int64_t weight = conf::leading_integer(value);
  if (weight < 0 || weight > 256) {
    return fmt::format("weight of server {} is not within 0 and 256 ({})..", server.name, weight);
  }
  server.weight = static_cast<int>(weight);
  return "";
}

std::string set_id(KeywordContext& c, ServerConfig& server, std::string_view value) {
  const int64_t id = conf::leading_integer(value);
  if (id <= 0 || id > INT32_MAX) return "'id' : custom id has to be > 0.";
  for (const ServerConfig& other : c.proxy->servers) {
    if (other.forced_id && other.id == id) {
      return fmt::format("'id' : custom id {} already used at {}:{} ('server {}').", id, other.source.file,
                         other.source.line, other.name);
    }
  }
  server.id = static_cast<uint32_t>(id);
  server.forced_id = true;
  return "";
}

std::string set_check_address(KeywordContext& c, ServerConfig& server, std::string_view value) {
  if (value.empty()) return "'addr' expects <ipv4|ipv6> as argument..";
  AddressRules rules;
  rules.port_forbidden = true;
  rules.names = c.options.names;
  const auto spec = parse_address(value, rules);
  if (!spec) return fmt::format("'addr' : {}.", spec.error());
  server.check.address = spec->address.host;
  return "";
}

std::string set_check_port(KeywordContext&, ServerConfig& server, std::string_view value) {
  const int64_t port = conf::leading_integer(value);
  if (port < 0 || port > 65535) return fmt::format("'port' : invalid port '{}'.", value);
  server.check.port = static_cast<uint16_t>(port);
  return "";
}

std::string set_observe(KeywordContext&, ServerConfig& server, std::string_view value) {
  if (value == "layer4") {
    server.check.observe_layer4 = true;
  } else if (value == "none") {
    server.check.observe_layer4 = false;
  } else if (value == "layer7") {
    return "'observe' can only be used in http proxies..";
  } else {
    return fmt::format("'observe' expects one of 'none', 'layer4', 'layer7' but got '{}'.", value);
  }
  return "";
}

std::string set_on_error(KeywordContext&, ServerConfig& server, std::string_view value) {
  if (value == "fastinter") {
    server.check.on_error = OnError::kFastInter;
  } else if (value == "fail-check") {
    server.check.on_error = OnError::kFailCheck;
  } else if (value == "sudden-death") {
    server.check.on_error = OnError::kSuddenDeath;
  } else if (value == "mark-down") {
    server.check.on_error = OnError::kMarkDown;
  } else {
    return fmt::format(
        "'on-error' expects one of 'fastinter', 'fail-check', 'sudden-death' or 'mark-down' but got "
        "'{}'.",
        value);
  }
  return "";
}

std::string set_init_state(KeywordContext&, ServerConfig& server, std::string_view value) {
  if (value == "fully-up") {
    server.init_state = InitState::kFullyUp;
  } else if (value == "up") {
    server.init_state = InitState::kUp;
  } else if (value == "down") {
    server.init_state = InitState::kDown;
  } else if (value == "fully-down") {
    server.init_state = InitState::kFullyDown;
  } else if (value == "none") {
    server.init_state = InitState::kDefault;
  } else {
    return fmt::format("'init-state' expects one of 'fully-up', 'up', 'down', or 'fully-down' but got '{}'", value);
  }
  return "";
}

std::string set_source(KeywordContext& c, ServerConfig& server, std::string_view value) {
  if (value.empty()) {
    return "'source' expects <addr>[:<port>[-<port>]], and optionally 'usesrc' <addr>, and 'interface' <name> as "
           "argument..";
  }
  AddressRules rules;
  rules.names = c.options.names;
  const auto spec = parse_address(value, rules);
  if (!spec) return fmt::format("'source' : {}.", spec.error());
  server.bind_source = spec->address;
  return "";
}

#define HF_TIME(field, name) \
  [](KeywordContext&, ServerConfig& s, std::string_view v) { return set_time(s, name, v, &s.field); }
#define HF_FLAG(field, value)                                             \
  [](KeywordContext&, ServerConfig& s, std::string_view) -> std::string { \
    s.field = value;                                                      \
    return "";                                                            \
  }
#define HF_COUNT(field)                                                     \
  [](KeywordContext&, ServerConfig& s, std::string_view v) -> std::string { \
    s.field = std::max<int64_t>(0, conf::leading_integer(v));               \
    return "";                                                              \
  }
#define HF_IGNORE [](KeywordContext&, ServerConfig&, std::string_view) -> std::string { return ""; }

constexpr ServerRow kOptions[] = {
    {"check", 0, HF_FLAG(check.enabled, true)},
    {"no-check", 0, HF_FLAG(check.enabled, false)},
    {"inter", 1, HF_TIME(check.inter, "inter")},
    {"fastinter", 1, HF_TIME(check.fastinter, "fastinter")},
    {"downinter", 1, HF_TIME(check.downinter, "downinter")},
    {"rise", 1,
     [](KeywordContext&, ServerConfig& s, std::string_view v) { return set_positive("rise", v, &s.check.rise); }},
    {"fall", 1,
     [](KeywordContext&, ServerConfig& s, std::string_view v) { return set_positive("fall", v, &s.check.fall); }},
    {"port", 1, set_check_port},
    {"addr", 1, set_check_address},
    {"init-state", 1, set_init_state},
    {"observe", 1, set_observe},
    {"on-error", 1, set_on_error},
    {"error-limit", 1,
     [](KeywordContext&, ServerConfig& s, std::string_view v) -> std::string {
       return set_positive("error-limit", v, &s.check.error_limit).empty() ? "" : "error-limit has to be > 0..";
     }},
    {"on-marked-down", 1,
     [](KeywordContext&, ServerConfig& s, std::string_view v) -> std::string {
       if (v != "shutdown-sessions")
         return fmt::format("'on-marked-down' expects 'shutdown-sessions' but got '{}'.", v);
       s.on_marked_down_shutdown = true;
       return "";
     }},
    {"on-marked-up", 1,
     [](KeywordContext&, ServerConfig& s, std::string_view v) -> std::string {
       if (v != "shutdown-backup-sessions") {
         return fmt::format("'on-marked-up' expects 'shutdown-backup-sessions' but got '{}'.", v);
       }
       s.on_marked_up_shutdown_backup = true;
       return "";
     }},
    {"send-proxy", 0, HF_FLAG(send_proxy, SendProxy::kV1)},
    {"send-proxy-v2", 0, HF_FLAG(send_proxy, SendProxy::kV2)},
    {"no-send-proxy", 0, HF_FLAG(send_proxy, SendProxy::kNone)},
    {"no-send-proxy-v2", 0, HF_FLAG(send_proxy, SendProxy::kNone)},
    {"check-send-proxy", 0, HF_FLAG(check_send_proxy, true)},
    {"no-check-send-proxy", 0, HF_FLAG(check_send_proxy, false)},
    {"agent-check", 0, HF_FLAG(agent.enabled, true)},
    {"no-agent-check", 0, HF_FLAG(agent.enabled, false)},
    {"agent-inter", 1, HF_TIME(agent.inter, "agent-inter")},
    {"agent-port", 1,
     [](KeywordContext&, ServerConfig& s, std::string_view v) -> std::string {
       const int64_t port = conf::leading_integer(v);
       if (port < 0 || port > 65535) return fmt::format("'agent-port' : invalid port '{}'.", v);
       s.agent.port = static_cast<uint16_t>(port);
       return "";
     }},
    {"agent-addr", 1,
     [](KeywordContext& c, ServerConfig& s, std::string_view v) -> std::string {
       AddressRules rules;
       rules.port_forbidden = true;
       rules.names = c.options.names;
       const auto spec = parse_address(v, rules);
       if (!spec) return fmt::format("'agent-addr' : {}.", spec.error());
       s.agent.address = spec->address.host;
       return "";
     }},
    {"agent-send", 1,
     [](KeywordContext&, ServerConfig& s, std::string_view v) -> std::string {
       s.agent.send = std::string(v);
       return "";
     }},
    {"weight", 1, set_weight},
    {"backup", 0, HF_FLAG(backup, true)},
    {"no-backup", 0, HF_FLAG(backup, false)},
    {"non-stick", 0, HF_IGNORE},
    {"disabled", 0, HF_FLAG(disabled, true)},
    {"enabled", 0, HF_FLAG(disabled, false)},
    {"maxconn", 1, HF_COUNT(maxconn)},
    {"minconn", 1, HF_COUNT(minconn)},
    {"maxqueue", 1, HF_COUNT(maxqueue)},
    {"slowstart", 1,
     [](KeywordContext&, ServerConfig& s, std::string_view v) {
       return set_time(s, "slowstart", v, &s.slowstart, true);
     }},
    {"id", 1, set_id},
    {"guid", 1, HF_IGNORE},
    {"track", 1,
     [](KeywordContext&, ServerConfig& s, std::string_view v) -> std::string {
       if (v.empty()) return "'track' expects [<proxy>/]<server> as argument..";
       s.track = std::string(v);
       return "";
     }},
    {"source", 1, set_source},
    {"cookie", 1,
     [](KeywordContext&, ServerConfig&, std::string_view v) -> std::string {
       return v.empty() ? "'cookie' expects <value> as argument.." : "";
     }},
    {"tfo", 0, HF_IGNORE},
    {"pool-max-conn", 1, HF_IGNORE},  // nothing is kept idle
    {"pool-low-conn", 1, HF_IGNORE},
    {"pool-purge-delay", 1, HF_IGNORE},
};
#undef HF_TIME
#undef HF_FLAG
#undef HF_COUNT
#undef HF_IGNORE

constexpr int64_t kTemplateMax = 100'000;  // servers of one line

constexpr std::string_view kUnsupported[] = {"namespace", "socks4", "redir", "healthcheck"};

enum class ServerVerb : uint8_t { kServer, kDefaults, kTemplate };

class ServerLine {
 public:
  ServerLine(KeywordContext& c, ServerVerb verb)
      : c_(c), defaults_(verb == ServerVerb::kDefaults), template_(verb == ServerVerb::kTemplate) {}

  void run() {
    size_t at = 1;
    if (defaults_) {
      server_ = c_.proxy->default_server;
    } else if (!begin_server(&at)) {
      return;
    }
    while (at < c_.count()) {
      if (!read_option(&at)) return;
    }
    if (defaults_) {
      c_.proxy->default_server = server_;
      return;
    }
    const std::string prefix = server_.name;
    for (int64_t number = low_; number <= high_; ++number) {
      if (template_) server_.name = fmt::format("{}{}", prefix, number);
      if (!finish()) return;
      c_.proxy->servers.push_back(server_);
      server_.forced_id = false;  // an id given by hand is the first one's
    }
  }

 private:
  bool begin_server(size_t* at) {
    const std::string_view verb = c_.word(0);
    *at = template_ ? 3 : 2;
    if (c_.count() <= *at || c_.word(*at).empty()) {
      c_.alert_at(fmt::format("'{}' expects {} <addr>[:<port>] as arguments.", verb,
                              template_ ? "<prefix> <nb | range>" : "<name> and"));
      return false;
    }
    server_ = c_.proxy->default_server;
    server_.name = std::string(c_.word(1));
    server_.source = c_.source();
    if (const char bad = forbidden_character(server_.name); bad != 0) {
      c_.alert_at(fmt::format("character '{}' is not permitted in {} {} '{}'.", bad, verb,
                              template_ ? "prefix" : "name", server_.name));
      return false;
    }
    return (!template_ || read_range()) && read_address((*at)++);
  }

  /// `<number>` or `<low>-<high>`.
  bool read_range() {
    const std::string_view text = c_.word(2);
    const size_t dash = text.find('-');
    low_ = dash == std::string_view::npos ? 1 : conf::leading_integer(text.substr(0, dash));
    high_ = conf::leading_integer(dash == std::string_view::npos ? text : text.substr(dash + 1));
    if (low_ >= 0 && high_ >= low_ && high_ - low_ < kTemplateMax) return true;
    c_.alert_at(fmt::format("Wrong {} number or range arg '{}'.", c_.word(0), text));
    return false;
  }

  bool read_address(size_t at) {
    AddressRules rules;
    rules.offset_allowed = true;
    rules.name_kept = true;
    rules.names = nullptr;  // names are looked up once the whole configuration is known to be good
    const auto spec = parse_address(c_.word(at), rules);
    if (!spec) return complain(spec.error());
    server_.address = spec->address;
    server_.fqdn = spec->name;
    if (!spec->name.empty()) server_.address.host = spec->name;
    server_.port_mapped = !server_.address.is_unix() && (!spec->port_given || spec->offset);
    if (server_.is_service()) server_.port_mapped = false;  // the record says the port
    server_.port_offset = spec->offset_value;
    return true;
  }

  bool read_option(size_t* at) {
    const std::string_view name = c_.word(*at);
    if (const TlsOptionResult tls = read_server_tls(c_, server_.tls, at); tls.known) {
      if (tls.error.empty()) return true;
      if (tls.before.empty()) return complain(tls.period ? tls.error + "." : tls.error);
      complain(tls.before);
      c_.alert_plain(tls.error + ".");
      return false;
    }
    for (const std::span<const ServerRow> rows : {std::span<const ServerRow>(kOptions), resolve_options()}) {
      const auto row = std::ranges::find(rows, name, &ServerRow::name);
      if (row == rows.end()) continue;
      const std::string_view value = row->values > 0 ? c_.word(*at + 1) : "";
      *at += 1 + static_cast<size_t>(row->values);
      const std::string error = row->apply(c_, server_, value);
      return error.empty() || complain(error);
    }
    for (std::string_view other : kUnsupported) {
      if (name == other) return complain(fmt::format("'{}' is not supported by this version.", name));
    }
    if (defaults_) {
      c_.alert_at(fmt::format("unknown keyword '{}'. Hint: no address was expected for this server.", name));
      return false;
    }
    return complain(fmt::format("unknown keyword '{}'.", name));
  }

  bool finish() {
    if (!server_.track.empty() && server_.check.enabled) {
      return complain("unable to enable checks and tracking at the same time!");
    }
    if (server_.agent.enabled && server_.agent.port == 0) {
      return complain(fmt::format("server {} does not have agent port. Agent check has been disabled.", server_.name));
    }
    for (const ServerConfig& other : c_.proxy->servers) {
      if (other.name != server_.name) continue;
      return complain(
          fmt::format("another server named '{}' was already defined at line {}, please use distinct names.",
                      server_.name, other.source.line));
    }
    return true;
  }

  bool complain(std::string_view text) {
    c_.alert_at(defaults_ ? std::string(text) : fmt::format("'server {}/{}' : {}", c_.proxy->name, server_.name, text));
    return false;
  }

  KeywordContext& c_;
  bool defaults_;
  bool template_;
  ServerConfig server_;
  int64_t low_ = 1;
  int64_t high_ = 1;
};

void parse_server(KeywordContext& c) {
  const std::string_view verb = c.word(0);
  if (c.proxy->kind == ProxyConfig::Kind::kDefaults) {
    return c.alert_at(fmt::format("'{}' not allowed in 'defaults' section.", verb));
  }
  if (c.proxy->kind == ProxyConfig::Kind::kFrontend) {
    return c.alert_at(fmt::format("parsing [{}:{}] : '{}' not allowed because {} '{}' has no backend capability.",
                                  c.source().file, c.source().line, verb, kind_word(*c.proxy), c.proxy->name));
  }
  ServerLine(c, verb == "server-template" ? ServerVerb::kTemplate : ServerVerb::kServer).run();
}
void parse_default_server(KeywordContext& c) {
  if (!c.ignored_without_backend("default-server")) ServerLine(c, ServerVerb::kDefaults).run();
}

constexpr KeywordRow kRows[] = {
    {"server", kInProxies, parse_server, "a server: name, address, checks, weight, limits"},
    {"server-template", kInProxies, parse_server, "servers alike: prefix, how many, name of the service"},
    {"default-server", kInProxies, parse_default_server, "options of the servers that follow"},
};

}  // namespace

std::span<const KeywordRow> server_keywords() { return kRows; }

}  // namespace holdfast::proxy
