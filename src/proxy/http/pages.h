// Pages: what the responder shows: HTML of the statistics, metrics in Prometheus' text format.
// Source of metric names: HAProxy's exporter (2.6.12 compared). Rows come from stat_csv.h.
#pragma once

#include <string>
#include <string_view>

#include "proxy/http/http_config.h"
#include "proxy/runtime.h"

namespace holdfast::proxy {

/// The page for people. `refresh` 0 = none.
std::string statistics_html(Runtime& runtime, const StatsConfig& config, int refresh, bool admin);
/// `query` selects: scope=global|frontend|backend|server (repeatable), no-maint.
std::string prometheus_text(Runtime& runtime, size_t sessions, std::string_view query);
/// Text that may hold anything, for HTML.
std::string html_escaped(std::string_view text);
/// CSV rows as cells, the header first.
std::vector<std::vector<std::string>> csv_cells(const std::string& csv);

}  // namespace holdfast::proxy
