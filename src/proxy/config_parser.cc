#include "proxy/config_parser.h"

#include <fmt/format.h>

#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

/// Sections we know by name but do not act on: their lines are skipped.
constexpr std::string_view kIgnoredSections[] = {"peers", "mailers", "userlist", "ring",        "http-errors",
                                                 "cache", "program", "traces",   "log-profile", "crt-store"};

std::string place(const conf::HaproxyStatement& statement) {
  return fmt::format("{}:{}", statement.file, statement.line);
}

ProxyConfig built_in_defaults() {
  ProxyConfig proxy;
  proxy.kind = ProxyConfig::Kind::kDefaults;
  return proxy;
}

}  // namespace

ConfigParser::ConfigParser(Config& config, const ParseOptions& options, conf::Diagnostics& diagnostics)
    : config_(config), options_(options), diagnostics_(diagnostics) {
  defaults_.push_back(built_in_defaults());
}

std::string_view ConfigParser::section() const { return section_name_; }

bool ConfigParser::statement(conf::HaproxyStatement& statement) {
  bool is_section = false;
  const bool go_on = begin_section(statement, &is_section);
  if (is_section) return go_on;
  if (kind_ == Section::kIgnored) return true;
  if (kind_ == Section::kNone) {
    diagnostics_.alert(fmt::format("config : parsing [{}]: unknown keyword '{}' out of section.", place(statement),
                                   statement.words[0]));
    return true;
  }
  line_of_section(statement);
  return true;
}

bool ConfigParser::begin_section(const conf::HaproxyStatement& statement, bool* is_section) {
  const std::string& name = statement.words[0];
  *is_section = true;
  if (name == "global") return begin_global(statement);
  if (name == "defaults") return begin_defaults(statement);
  if (name == "frontend") return begin_proxy(statement, ProxyConfig::Kind::kFrontend);
  if (name == "backend") return begin_proxy(statement, ProxyConfig::Kind::kBackend);
  if (name == "listen") return begin_proxy(statement, ProxyConfig::Kind::kListen);
  if (name == "sentinels") return begin_sentinels(statement);
  if (name == "resolvers") return begin_resolvers(statement);
  for (std::string_view other : kIgnoredSections) {
    if (name != other) continue;
    kind_ = Section::kIgnored;
    section_name_ = statement.words.size() > 1 ? statement.words[1] : name;
    return true;
  }
  *is_section = false;
  return true;
}

bool ConfigParser::begin_global(const conf::HaproxyStatement& statement) {
  kind_ = Section::kGlobal;
  section_name_ = "global";
  if (statement.words.size() > 1) {
    diagnostics_.alert(fmt::format("config : parsing [{}] : 'global' cannot handle unexpected argument '{}'.",
                                   place(statement), statement.words[1]));
  }
  return true;
}

const ProxyConfig* ConfigParser::parent(const conf::HaproxyStatement& statement, size_t from_at, std::string_view what,
                                        std::string_view name) {
  const auto& words = statement.words;
  if (words.size() <= from_at || words[from_at] != "from") return &defaults_[current_defaults_];
  const std::string wanted = words.size() > from_at + 1 ? words[from_at + 1] : "";
  for (size_t i = defaults_.size(); i-- > 1;) {
    if (defaults_[i].name == wanted && !wanted.empty()) return &defaults_[i];
  }
  diagnostics_.alert(fmt::format("config : parsing [{}] : defaults section '{}' not found for {} '{}'.",
                                 place(statement), wanted, what, name));
  return nullptr;
}

bool ConfigParser::begin_defaults(const conf::HaproxyStatement& statement) {
  const auto& words = statement.words;
  kind_ = Section::kDefaults;
  const bool named = words.size() > 1 && words[1] != "from";
  const std::string name = named ? words[1] : "";
  section_name_ = named ? name : "defaults";
  ProxyConfig fresh = built_in_defaults();
  const size_t from_at = named ? 2 : 1;
  if (words.size() > from_at) {
    if (words[from_at] != "from") {
      diagnostics_.alert(fmt::format("config : parsing [{}] : 'defaults' cannot handle unexpected argument '{}'.",
                                     place(statement), words[from_at]));
      return true;
    }
    const ProxyConfig* base = parent(statement, from_at, "defaults", name);
    if (base == nullptr) return false;
    fresh = *base;
    fresh.rules_inherited = fresh.http_rules_inherited = true;
  }
  fresh.name = name;
  fresh.source = {std::string(statement.file), statement.line};
  fresh.inherited_timeouts = fresh.timeouts;
  defaults_.push_back(std::move(fresh));
  current_defaults_ = defaults_.size() - 1;
  return true;
}

bool ConfigParser::begin_sentinels(const conf::HaproxyStatement& statement) {
  kind_ = Section::kSentinels;
  const std::string name = statement.words.size() > 1 ? statement.words[1] : "";
  section_name_ = name;
  if (statement.words.size() != 2) {
    diagnostics_.alert(fmt::format("config : parsing [{}] : 'sentinels' expects one name.", place(statement)));
  }
  for (const SentinelsConfig& other : config_.sentinels) {
    if (other.name != name) continue;
    diagnostics_.alert(
        fmt::format("config : parsing [{}] : sentinels section '{}' is already defined.", place(statement), name));
  }
  config_.sentinels.push_back({.name = name, .members = {}, .auth = {}});
  return true;
}

bool ConfigParser::begin_resolvers(const conf::HaproxyStatement& statement) {
  kind_ = Section::kResolvers;
  const std::string name = statement.words.size() > 1 ? statement.words[1] : "";
  section_name_ = name;
  if (name.empty()) {
    diagnostics_.alert(fmt::format("config : parsing [{}] : missing name for resolvers section.", place(statement)));
    return false;
  }
  if (const char bad = forbidden_character(name); bad != 0) {
    diagnostics_.alert(fmt::format("config : parsing [{}] : character '{}' is not permitted in 'resolvers' name '{}'.",
                                   place(statement), bad, name));
    return false;
  }
  for (const ResolversConfig& other : config_.resolvers) {
    if (other.name != name) continue;
    diagnostics_.alert(
        fmt::format("config : Parsing [{}]: resolvers '{}' has same name as another resolvers (declared at {}:{}).",
                    place(statement), name, other.source.file, other.source.line));
    return false;
  }
  ResolversConfig fresh;
  fresh.name = name;
  fresh.source = {std::string(statement.file), statement.line};
  config_.resolvers.push_back(std::move(fresh));
  return true;
}

void ConfigParser::check_name_clash(const conf::HaproxyStatement& statement, ProxyConfig::Kind kind) {
  ProxyConfig fresh;
  fresh.kind = kind;
  for (const ProxyConfig& other : config_.proxies) {
    if (other.name != statement.words[1]) continue;
    if (!(other.is_frontend() && fresh.is_frontend()) && !(other.is_backend() && fresh.is_backend())) continue;
    diagnostics_.alert(fmt::format("config : Parsing [{}]: {} '{}' has the same name as {} '{}' declared at {}:{}.",
                                   place(statement), kind_word(fresh), other.name, kind_word(other), other.name,
                                   other.source.file, other.source.line));
    return;
  }
}

bool ConfigParser::begin_proxy(const conf::HaproxyStatement& statement, ProxyConfig::Kind kind) {
  const auto& words = statement.words;
  if (words.size() < 2) {
    diagnostics_.alert(
        fmt::format("config : parsing [{}] : '{}' expects an <id> argument", place(statement), words[0]));
    return false;
  }
  kind_ = Section::kProxy;
  section_name_ = words[1];
  if (const char bad = forbidden_character(words[1]); bad != 0) {
    diagnostics_.alert(fmt::format("config : parsing [{}] : character '{}' is not permitted in '{}' name '{}'.",
                                   place(statement), bad, words[0], words[1]));
  }
  check_name_clash(statement, kind);
  if (words.size() > 2 && words[2] != "from") {
    const std::string_view hint = kind == ProxyConfig::Kind::kBackend
                                      ? std::string_view("'backend' cannot handle unexpected argument")
                                      : std::string_view("please use the 'bind' keyword for listening addresses.");
    diagnostics_.alert(fmt::format("config : parsing [{}] : {}", place(statement), hint));
  }
  const ProxyConfig* base = parent(statement, 2, words[0], words[1]);
  if (base == nullptr) return false;
  ProxyConfig proxy = *base;
  proxy.kind = kind;
  proxy.name = words[1];
  proxy.source = {std::string(statement.file), statement.line};
  proxy.inherited_timeouts = proxy.timeouts;
  proxy.rules_inherited = proxy.http_rules_inherited = true;
  proxy.rules_unused = proxy.http_rules_unused = false;
  proxy.description.clear();
  config_.proxies.push_back(std::move(proxy));
  return true;
}

void ConfigParser::line_of_section(conf::HaproxyStatement& statement) {
  bool negated = false;
  auto& words = statement.words;
  if (words[0] == "no" || words[0] == "default") {
    const bool known = words.size() > 1 && (words[1] == "option" || words[1] == "log" || words[1] == "busy-polling" ||
                                            words[1] == "set-dumpable" || words[1] == "strict-limits" ||
                                            words[1] == "insecure-fork-wanted" || words[1] == "redis-fast-check");
    if (!known) {
      diagnostics_.alert(fmt::format(
          "config : parsing [{}]: negation/default currently supported only for options, log, busy-polling, "
          "set-dumpable, strict-limits, insecure-fork-wanted and numa-cpu-mapping.",
          place(statement)));
      if (words.size() < 2) return;
    }
    negated = true;  // COMPAT: for flags that are off by default, `default` means what `no` means
    words.erase(words.begin());
  }
  ProxyConfig* proxy = nullptr;
  uint8_t section = kInGlobal;
  std::string_view section_word = "global";
  if (kind_ == Section::kDefaults) {
    proxy = &defaults_[current_defaults_];
    section = kInDefaults;
    section_word = "defaults";
  } else if (kind_ == Section::kProxy) {
    proxy = &config_.proxies.back();
    section = proxy->kind == ProxyConfig::Kind::kFrontend  ? kInFrontend
              : proxy->kind == ProxyConfig::Kind::kBackend ? kInBackend
                                                           : static_cast<uint8_t>(kInFrontend | kInBackend);
    section_word = proxy->kind == ProxyConfig::Kind::kListen ? "listen" : kind_word(*proxy);
  }
  if (kind_ == Section::kSentinels) {
    section = kInSentinels;
    section_word = "sentinels";
  } else if (kind_ == Section::kResolvers) {
    section = kInResolvers;
    section_word = "resolvers";
  }
  const KeywordRow* row = find_keyword(words[0], section);
  if (row == nullptr) {
    diagnostics_.alert(fmt::format("config : parsing [{}] : unknown keyword '{}' in '{}' section", place(statement),
                                   words[0], section_word));
    return;
  }
  KeywordContext context(config_, proxy, statement, options_, diagnostics_);
  context.negated = negated;
  row->parse(context);
}

}  // namespace holdfast::proxy
