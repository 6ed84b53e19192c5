// From files to a Config: what goes in, what comes out, and what HAProxy would have printed about it.
// Exit codes and texts: HAProxy management manual 3 "-c", compared with 2.6.12. No I/O: files and names are handed in.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "conf/haproxy_diagnostics.h"
#include "proxy/config.h"

namespace holdfast::proxy {

struct ConfigFile {
  std::string name;
  std::string text;
};

/// Turns host names into numeric addresses while parsing (a proxy with an unknown server name must not start).
class NameLookup {
 public:
  virtual ~NameLookup() = default;
  virtual std::vector<std::string> lookup(const std::string& host) = 0;
};

/// Reads files that a directive names (passwords, lists of addresses). The error is the system's text.
class FileLookup {
 public:
  virtual ~FileLookup() = default;
  virtual std::expected<std::string, std::string> read(const std::string& path) = 0;
  /// The names in a directory, sorted; nothing: it is none.
  virtual std::optional<std::vector<std::string>> list(const std::string&) { return std::nullopt; }
};

struct ParseOptions {
  std::map<std::string, std::string> environment;
  NameLookup* names = nullptr;           // null: names stay and the machine resolves them at start
  FileLookup* files = nullptr;           // null: no file can be read
  TlsProvider* tls = nullptr;            // null: certificates are read, but no contexts are made
  bool ignore_resolve_failures = false;  // -dr
  bool zero_warning = false;             // -dW
  bool diagnostic_mode = false;          // -dD
  std::string hostname;
  std::string localpeer;  // -L, empty = hostname
};

struct ParseOutcome {
  Config config;  // meaningful when exit_code is 0
  conf::Diagnostics diagnostics;
  int exit_code = 0;  // 0 = fine, 1 = errors, 2 = no error, but nothing to listen on
};
ParseOutcome parse_config(const std::vector<ConfigFile>& files, const ParseOptions& options);

/// `-cc`: 0 = true, 1 = false, 2 = error with the text to print as an alert.
int check_condition(const std::string& condition, const ParseOptions& options, std::string* error);

struct StartupReport {
  std::string standard_output;
  std::string standard_error;
  std::optional<int> exit_code;  // set = stop here
};
/// What HAProxy prints before it starts (or, with `check_only`, instead of starting).
StartupReport startup_report(const ParseOutcome& outcome, bool check_only, bool quiet, int64_t pid,
                             const std::string& executable);

}  // namespace holdfast::proxy
