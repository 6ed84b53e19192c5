#include "proxy/http/pages.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "proxy/cli/stat_csv.h"
#include "proxy/version.h"

namespace holdfast::proxy {
namespace {

struct PageColumn {
  std::string_view column;
  std::string_view title;
};
constexpr PageColumn kPageColumns[] = {
    {"svname", ""},           {"status", "Status"},       {"last_chk", "Last check"},
    {"weight", "Weight"},     {"act", "Active"},          {"bck", "Backup"},
    {"qcur", "Queue"},        {"qmax", "Queue max"},      {"rate", "Rate"},
    {"rate_max", "Rate max"}, {"scur", "Sessions"},       {"smax", "Sessions max"},
    {"slim", "Limit"},        {"stot", "Total"},          {"bin", "Bytes in"},
    {"bout", "Bytes out"},    {"dreq", "Denied"},         {"econ", "Errors"},
    {"wretr", "Retries"},     {"wredis", "Redispatches"}, {"chkfail", "Check fails"},
    {"chkdown", "Downs"},     {"downtime", "Downtime"},   {"addr", "Address"},
};

size_t column_index(const std::vector<std::string>& header, std::string_view name) {
  const auto at = std::ranges::find(header, name);
  return static_cast<size_t>(at - header.begin());
}

bool shown(const StatsConfig& config, const std::string& proxy) {
  return config.scope.empty() || std::ranges::find(config.scope, proxy) != config.scope.end() ||
         std::ranges::find(config.scope, ".") != config.scope.end();
}

std::string_view row_class(std::string_view status) {
  if (status.starts_with("UP") || status == "OPEN" || status == "no check") return "up";
  if (status.starts_with("MAINT") || status.starts_with("DRAIN") || status.starts_with("NOLB")) return "maint";
  return "down";
}

void admin_form(const ProxyConfig& proxy, const BackendState& backend, std::string* out) {
  *out += fmt::format("<form method=\"post\"><input type=\"hidden\" name=\"b\" value=\"#{}\">", proxy.id);
  for (const ServerState& server : backend.servers) {
    *out += fmt::format("<label><input type=\"checkbox\" name=\"s\" value=\"{0}\">{0}</label> ",
                        html_escaped(server.config->name));
  }
  *out += "<select name=\"action\">";
  for (std::string_view action : {"ready", "drain", "maint", "dhlth", "ehlth", "hrunn", "hnolb", "hdown", "shutdown"}) {
    *out += fmt::format("<option>{}</option>", action);
  }
  *out += "</select><button>Apply</button></form>";
}

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

std::vector<std::vector<std::string>> csv_cells(const std::string& csv) {
  std::vector<std::vector<std::string>> rows;
  for (std::string_view line : split(csv, '\n')) {
    if (line.starts_with("# ")) line.remove_prefix(2);
    if (line.empty()) continue;
    rows.emplace_back();
    std::string cell;
    bool quoted = false;
    for (char c : line) {
      if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        rows.back().push_back(std::move(cell));
        cell.clear();
      } else {
        cell.push_back(c);
      }
    }
    rows.back().push_back(std::move(cell));
  }
  return rows;
}

std::string statistics_html(Runtime& runtime, const StatsConfig& config, int refresh, bool admin) {
  std::string out = "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Statistics</title>\n";
  if (refresh > 0) out += fmt::format("<meta http-equiv=\"refresh\" content=\"{}\">\n", refresh);
  out +=
      "<style>body{font:13px sans-serif}table{border-collapse:collapse;margin-bottom:1em}td,th{border:1px solid "
      "#999;padding:2px 6px;text-align:right}td:first-child{text-align:left}tr.up{background:#dfd}tr.down{background:"
      "#fdd}tr.maint{background:#ffd}</style></head><body>\n";
  out += config.hide_version ? "<h1>Statistics</h1>\n" : fmt::format("<h1>Statistics, version {}</h1>\n", kVersion);
  if (config.node) out += fmt::format("<p>node {}</p>\n", html_escaped(*config.node));
  if (config.description) out += fmt::format("<p>{}</p>\n", html_escaped(*config.description));
  out += fmt::format("<p>pid {}, up {} s, {} of {} connections</p>\n", runtime.options.pid,
                     to_ms(runtime.now.mono - runtime.started.mono) / 1000, runtime.process.current, runtime.maxconn);
  const auto rows = csv_cells(stat_csv(runtime, {}));
  std::string proxy;
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string& name = rows[i][0];
    if (!shown(config, name)) continue;
    if (name != proxy) {
      out += fmt::format("{}<h2>{}</h2><table><tr>", proxy.empty() ? "" : "</table>\n", html_escaped(name));
      for (const PageColumn& column : kPageColumns) out += fmt::format("<th>{}</th>", column.title);
      out += "</tr>\n";
      proxy = name;
    }
    out += fmt::format("<tr class=\"{}\">", row_class(rows[i][column_index(rows[0], "status")]));
    for (const PageColumn& column : kPageColumns) {
      out += fmt::format("<td>{}</td>", html_escaped(rows[i][column_index(rows[0], column.column)]));
    }
    out += "</tr>\n";
  }
  if (!proxy.empty()) out += "</table>\n";
  for (const BackendState& backend : runtime.backends) {
    if (admin && shown(config, backend.config->name) && !backend.servers.empty()) {
      out += fmt::format("<h3>{}</h3>", html_escaped(backend.config->name));
      admin_form(*backend.config, backend, &out);
    }
  }
  return out + "</body></html>\n";
}

}  // namespace holdfast::proxy
