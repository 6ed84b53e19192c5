// Config: sentinel.conf in and out.
//
// Source: redis-sentinel 7.2: its directives, their error texts, and the lines it writes back. Lines may come in any
// order: settings first, then `monitor`, then what refers to monitored primaries. A real Sentinel starts from what
// render_config writes, and the other way round.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "conf/redis_conf.h"
#include "sentinel/core.h"

namespace holdfast::sentinel {

/// Applies all directives to a core whose topology is empty. Goes on after an error; a line about a primary whose own
/// `monitor` line was wrong is not reported.
std::vector<conf::Diagnostic> apply_config(Core& core, const conf::ParsedConf& conf);

/// Host names that must be looked up before apply_config; none unless `resolve-hostnames yes`.
std::vector<std::string> config_hostnames(const conf::ParsedConf& conf);

/// Brings the file's lines up to date with the state.
void render_config(const Core& core, conf::Document& document);

/// The content of the file beside it; empty if there is nothing to say.
std::string render_extension(const Core& core);

/// `yes` or `no` in any case.
std::optional<bool> parse_yes_no(std::string_view text);

}  // namespace holdfast::sentinel
