// Directives: one row per keyword of haproxy.cfg, and what a row's parse function works with.
//
// The rows of all sections are joined by hand in table.cc. Texts of errors and warnings are HAProxy's (2.6.12
// compared).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conf/haproxy_reader.h"
#include "proxy/config_parse.h"

namespace holdfast::proxy {

inline constexpr uint8_t kInGlobal = 1;
inline constexpr uint8_t kInDefaults = 2;
inline constexpr uint8_t kInFrontend = 4;
inline constexpr uint8_t kInBackend = 8;
inline constexpr uint8_t kInSentinels = 16;
inline constexpr uint8_t kInResolvers = 32;
inline constexpr uint8_t kInProxies = kInDefaults | kInFrontend | kInBackend;

/// One statement being parsed. `proxy` is the section's (a defaults section has one too), null in `global`.
class KeywordContext {
 public:
  KeywordContext(Config& into, ProxyConfig* section, const conf::HaproxyStatement& statement,
                 const ParseOptions& parse_options, conf::Diagnostics& diagnostics)
      : config(into), proxy(section), options(parse_options), statement_(statement), diagnostics_(diagnostics) {}

  Config& config;
  ProxyConfig* proxy;
  const ParseOptions& options;
  bool negated = false;  // `no option X`

  /// Word `i` of the line, empty past its end: HAProxy's way of seeing missing arguments.
  std::string_view word(size_t i) const { return i < count() ? std::string_view(statement_.words[i]) : ""; }
  bool has(size_t i) const { return i < count(); }
  size_t count() const { return statement_.words.size(); }
  /// False (and an alert) when there are words after the first `words`; `name` is printed.
  bool at_most(size_t words, std::string_view name);
  Source source() const { return {std::string(statement_.file), statement_.line}; }

  /// `config : parsing [f:l] : ` + text.
  template <typename... A>
  void alert(fmt::format_string<A...> format, A&&... arguments) {
    say(conf::Severity::kAlert, " : ", fmt::format(format, std::forward<A>(arguments)...));
  }
  template <typename... A>
  void warn(fmt::format_string<A...> format, A&&... arguments) {
    say(conf::Severity::kWarning, " : ", fmt::format(format, std::forward<A>(arguments)...));
  }
  /// `config : parsing [f:l]: ` + text (some of HAProxy's messages have no space there).
  template <typename... A>
  void alert_tight(fmt::format_string<A...> format, A&&... arguments) {
    say(conf::Severity::kAlert, ": ", fmt::format(format, std::forward<A>(arguments)...));
  }
  template <typename... A>
  void warn_tight(fmt::format_string<A...> format, A&&... arguments) {
    say(conf::Severity::kWarning, ": ", fmt::format(format, std::forward<A>(arguments)...));
  }
  void say(conf::Severity severity, std::string_view separator, std::string_view text);
  /// `config : [f:l] : ` + text: the form of server lines.
  void alert_at(std::string_view text);
  /// `config : ` + text.
  void alert_plain(std::string_view text);

  /// Warns and answers true when the section lacks the capability: the line is ignored.
  bool ignored_without_backend(std::string_view name);
  bool ignored_without_frontend(std::string_view name, std::string_view hint = "");

 private:
  const conf::HaproxyStatement& statement_;
  conf::Diagnostics& diagnostics_;
};

struct KeywordRow {
  std::string_view name;
  uint8_t sections = 0;
  void (*parse)(KeywordContext&) = nullptr;
  std::string_view summary;
};

/// Every keyword of `global` and of proxies. Sorted by topic; found by find_keyword.
std::span<const KeywordRow> global_keywords();
std::span<const KeywordRow> section_keywords();
std::span<const KeywordRow> log_keywords();
std::span<const KeywordRow> server_keywords();
std::span<const KeywordRow> bind_keywords();
std::span<const KeywordRow> check_keywords();
std::span<const KeywordRow> option_keywords();
std::span<const KeywordRow> routing_keywords();
std::span<const KeywordRow> redis_keywords();
std::span<const KeywordRow> table_keywords();
std::span<const KeywordRow> resolvers_keywords();
std::span<const KeywordRow> http_keywords();
std::span<const KeywordRow> tls_keywords();

/// The row for a keyword in a section kind, or null.
const KeywordRow* find_keyword(std::string_view name, uint8_t section);
/// All tables, in the order of the generated reference.
std::span<const std::span<const KeywordRow>> all_keywords();

/// `frontend`, `backend` or `proxy` (a listen), as HAProxy's messages call a section.
std::string_view kind_word(const ProxyConfig& proxy);

/// `option X` where X chooses the kind of health check. False = X is none of these.
bool parse_check_option(KeywordContext& context, std::string_view name);
/// The first character of a section's or server's name that is not allowed there; 0 = none.
char forbidden_character(std::string_view name);
/// Adds the nameservers of /etc/resolv.conf. Warnings, or why it could not be read.
std::expected<std::vector<std::string>, std::string> add_system_nameservers(const ParseOptions& options,
                                                                            ResolversConfig& section);
/// HTTP-only: accepted in a TCP proxy and mentioned once, when the file was read.
void remember_http_only(KeywordContext& context);
/// Used by `log` in global and proxies.
bool parse_log_target(KeywordContext& context, LogTarget* target);
/// Parses one address list and the options of `bind` and `stats socket`. False = an alert was given.
bool parse_bind_line(KeywordContext& context, size_t first, bool stats_socket, std::vector<BindConfig>* binds);

}  // namespace holdfast::proxy
