// The data server's directives: one row each, serving start-up, CONFIG GET, CONFIG SET and CONFIG REWRITE.
//
// Source: redis.conf 7.2 (names, units, ranges, error texts).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conf/redis_conf.h"
#include "family/settings.h"

namespace holdfast::server {

using family::Settings;
/// The words after a directive's name.
using Values = std::span<const std::string>;

enum ConfigFlag : unsigned {
  kConfigImmutable = 1u << 0,  // not by CONFIG SET
  kConfigMultiple = 1u << 1,   // several lines add up in a file; CONFIG SET takes them as one value
  kConfigHidden = 1u << 2,     // CONFIG GET with patterns skips it
  kConfigBytes = 1u << 3,      // CONFIG REWRITE writes whole kb, mb and gb as such
  kConfigWords = 1u << 4,      // several words: CONFIG REWRITE does not quote them
};

struct ConfigRow {
  std::string_view name;
  std::string_view alias;  // the older name, empty if none
  unsigned flags;
  /// Empty = good; else the error's words.
  std::string (*parse)(const ConfigRow&, Settings&, Values);
  /// CONFIG GET's value.
  std::string (*print)(const ConfigRow&, const Settings&);
  std::string_view summary;
  // Of rows that are kept but not acted on (config_accepted.cc).
  std::string_view initial = {};
  std::string_view choices = {};  // comma separated; empty: any
};

/// All rows, by name.
std::span<const ConfigRow* const> config_rows();
// Its parts.
std::span<const ConfigRow> acted_rows();
std::span<const ConfigRow> persistence_rows();
std::span<const ConfigRow> watching_rows();
std::span<const ConfigRow> tls_rows();
std::span<const ConfigRow> accepted_rows();
/// Six decimals without trailing zeros: a percentile as CONFIG GET and INFO show it.
std::string trimmed_decimal(double value);
/// `1k` = 1000, `1kb` = 1024 and so on, in any case.
std::optional<int64_t> parse_memory(std::string_view text);
/// A value as CONFIG SET hands it over: one argument, split only by directives that want several words.
std::vector<std::string> config_values(const ConfigRow& row, std::string_view value);
/// The directive as CONFIG REWRITE writes it; several lines where a file has several, none where it has none.
std::vector<std::string> config_lines(const ConfigRow& row, const Settings& settings);
/// By name or alias, in any case; null if unknown.
const ConfigRow* find_config_row(std::string_view name);

struct StartConfig {
  Settings settings;
  std::vector<conf::Diagnostic> errors;
};
/// Applies a file's directives to the defaults; all errors of the file in one run.
StartConfig apply_conf(const conf::ParsedConf& parsed);

/// CONFIG SET: name, value, name, value... All or nothing. Empty = done and `changed` lists the rows.
std::string set_config(Settings& settings, std::span<const std::string_view> pairs,
                       std::vector<const ConfigRow*>& changed);

/// The file's new content after CONFIG REWRITE. `users`: the `user` lines, left out where an ACL file has them.
std::string rewrite_config(const Settings& settings, std::string_view content, const std::vector<std::string>& users);

}  // namespace holdfast::server
