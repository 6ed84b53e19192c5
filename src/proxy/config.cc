#include "proxy/config_parse.h"

#include <fmt/format.h>

#include "conf/haproxy_condition.h"
#include "conf/haproxy_reader.h"
#include "proxy/config_lint.h"
#include "proxy/config_parser.h"
#include "proxy/version.h"

namespace holdfast::proxy {
namespace {

conf::ConditionFacts facts(const std::map<std::string, std::string>& variables) {
  return {kVersion, kFeatures, &variables};
}

void set_pseudo_environment(const std::vector<ConfigFile>& files, const ParseOptions& options, Config* config) {
  config->environment = options.environment;
  std::string names;
  for (const ConfigFile& file : files) {
    names += (names.empty() ? "" : ";") + file.name;
    config->files.push_back(file.name);
  }
  config->environment["HAPROXY_CFGFILES"] = names;
  config->environment["HAPROXY_STARTUP_VERSION"] = std::string(kVersion);
  config->environment["HAPROXY_BRANCH"] = std::string(kVersionBranch);
  config->environment["HAPROXY_LOCALPEER"] = options.localpeer.empty() ? options.hostname : options.localpeer;
}

bool has_listener(const Config& config) {
  if (!config.global.stats_sockets.empty()) return true;
  for (const ProxyConfig& proxy : config.proxies) {
    if (!proxy.binds.empty() && !proxy.disabled) return true;
  }
  return false;
}

}  // namespace

ParseOutcome parse_config(const std::vector<ConfigFile>& files, const ParseOptions& options) {
  ParseOutcome outcome;
  Config& config = outcome.config;
  set_pseudo_environment(files, options, &config);
  ConfigParser parser(config, options, outcome.diagnostics);
  conf::HaproxyReaderOptions reader;
  reader.variables = &config.environment;
  reader.facts = facts(config.environment);
  reader.diagnostic_mode = options.diagnostic_mode;
  bool errors = false;
  for (const ConfigFile& file : files) {
    parser.begin_file();
    const conf::ReadEnd end = conf::read_haproxy_file(file.name, file.text, reader, parser, outcome.diagnostics);
    if (end == conf::ReadEnd::kFine) continue;
    outcome.diagnostics.alert(fmt::format("config : Error(s) found in configuration file : {}", file.name));
    outcome.exit_code = 1;
    if (end == conf::ReadEnd::kAborted) return outcome;
    errors = true;
  }
  if (!errors) {
    const int before = outcome.diagnostics.alerts();
    finish_config(config, options, outcome.diagnostics);
    errors = outcome.diagnostics.alerts() > before;
  }
  if (!errors && options.diagnostic_mode) lint_config(config, outcome.diagnostics);
  if (errors) {
    outcome.diagnostics.alert("config : Fatal errors found in configuration.");
    outcome.exit_code = 1;
    return outcome;
  }
  load_server_states(config, options, outcome.diagnostics);
  if (!resolve_servers(config, options, outcome.diagnostics)) {
    outcome.diagnostics.alert("config : Failed to initialize server(s) addr.");
    outcome.exit_code = 1;
    return outcome;
  }
  if ((options.zero_warning || config.global.zero_warning) && outcome.diagnostics.warnings() > 0) {
    outcome.diagnostics.alert("config : Some warnings were found and 'zero-warning' is set. Aborting.");
    outcome.exit_code = 1;
    return outcome;
  }
  if (!has_listener(config)) outcome.exit_code = 2;
  return outcome;
}

int check_condition(const std::string& condition, const ParseOptions& options, std::string* error) {
  const auto result = conf::evaluate_condition(condition, facts(options.environment));
  if (!result.error.empty()) {
    *error = fmt::format("config : Failed to evaluate condition: {}", result.error);
    return 2;
  }
  return result.value ? 0 : 1;
}

StartupReport startup_report(const ParseOutcome& outcome, bool check_only, bool quiet, int64_t pid,
                             const std::string& executable) {
  StartupReport report;
  const auto& items = outcome.diagnostics.items();
  if (!items.empty()) {
    // The version and the executable are said once, before the first message.
    report.standard_error +=
        conf::diagnostic_line(conf::Severity::kNotice, fmt::format("haproxy version is {}", kVersion), pid);
    report.standard_error +=
        conf::diagnostic_line(conf::Severity::kNotice, fmt::format("path to executable is {}", executable), pid);
  }
  for (const conf::HaproxyDiagnostic& item : items) {
    if (quiet && item.severity != conf::Severity::kAlert) continue;
    report.standard_error += conf::diagnostic_line(item.severity, item.text, pid);
  }
  if (outcome.exit_code == 1) {
    report.exit_code = 1;
    return report;
  }
  if (outcome.exit_code == 2) {
    if (!quiet) {
      report.standard_output = "Configuration file has no error but will not start (no listener) => exit(2).\n";
    }
    report.exit_code = 2;
    return report;
  }
  if (check_only) {
    if (!quiet && outcome.diagnostics.warnings() > 0) report.standard_output += "Warnings were found.\n";
    if (!quiet) report.standard_output += "Configuration file is valid\n";
    report.exit_code = 0;
  }
  return report;
}

}  // namespace holdfast::proxy
