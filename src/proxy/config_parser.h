// ConfigParser: sections of haproxy.cfg into a Config. Knows sections and inheritance; lines belong to keyword rows.
// Source: HAProxy configuration manual 4 "Proxies", 3 "Global parameters".
#pragma once

#include <string>
#include <vector>

#include "conf/haproxy_reader.h"
#include "proxy/config_parse.h"

namespace holdfast::proxy {

class ConfigParser final : public conf::HaproxyStatementSink {
 public:
  ConfigParser(Config& config, const ParseOptions& options, conf::Diagnostics& diagnostics);

  bool statement(conf::HaproxyStatement& statement) override;
  std::string_view section() const override;
  /// Every file starts outside a section.
  void begin_file() { kind_ = Section::kNone; }

 private:
  enum class Section : uint8_t { kNone, kGlobal, kDefaults, kProxy, kSentinels, kResolvers, kIgnored };

  bool begin_section(const conf::HaproxyStatement& statement, bool* is_section);
  bool begin_global(const conf::HaproxyStatement& statement);
  bool begin_defaults(const conf::HaproxyStatement& statement);
  bool begin_proxy(const conf::HaproxyStatement& statement, ProxyConfig::Kind kind);
  bool begin_sentinels(const conf::HaproxyStatement& statement);
  bool begin_resolvers(const conf::HaproxyStatement& statement);
  void check_name_clash(const conf::HaproxyStatement& statement, ProxyConfig::Kind kind);
  /// The defaults section that `from` names, or the last one. Null = an alert was given.
  const ProxyConfig* parent(const conf::HaproxyStatement& statement, size_t from_at, std::string_view what,
                            std::string_view name);
  void line_of_section(conf::HaproxyStatement& statement);

  Config& config_;
  const ParseOptions& options_;
  conf::Diagnostics& diagnostics_;
  Section kind_ = Section::kNone;
  std::string section_name_;
  std::vector<ProxyConfig> defaults_;  // the first one holds the built-in defaults
  size_t current_defaults_ = 0;
};

/// What is only known once every file was read: references, ids, check programs, warnings.
void finish_config(Config& config, const ParseOptions& options, conf::Diagnostics& diagnostics);
/// Reads the state files of the process before.
void load_server_states(Config& config, const ParseOptions& options, conf::Diagnostics& diagnostics);
/// Looks up the names of servers. False = at least one is unknown (alerts given).
bool resolve_servers(Config& config, const ParseOptions& options, conf::Diagnostics& diagnostics);

}  // namespace holdfast::proxy
