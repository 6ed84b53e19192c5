// Metrics in Prometheus' text format 0.0.4, with the names HAProxy's exporter gives the columns of its statistics.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "proxy/cli/cli.h"
#include "proxy/cli/stat_csv.h"
#include "proxy/http/pages.h"
#include "proxy/version.h"

namespace holdfast::proxy {
namespace {

constexpr int kFront = kStatFrontends;
constexpr int kBack = kStatBackends;
constexpr int kServer = kStatServers;

struct MetricRow {
  std::string_view column;
  std::string_view name;
  bool counter;
  int kinds;
  int divisor = 1;  // milliseconds become seconds
};
constexpr MetricRow kMetrics[] = {
    {"qcur", "current_queue", false, kBack | kServer},
    {"qmax", "max_queue", false, kBack | kServer},
    {"scur", "current_sessions", false, kFront | kBack | kServer},
    {"smax", "max_sessions", false, kFront | kBack | kServer},
    {"slim", "limit_sessions", false, kFront | kBack | kServer},
    {"stot", "sessions_total", true, kFront | kBack | kServer},
    {"bin", "bytes_in_total", true, kFront | kBack | kServer},
    {"bout", "bytes_out_total", true, kFront | kBack | kServer},
    {"dreq", "requests_denied_total", true, kFront | kBack},
    {"dresp", "responses_denied_total", true, kFront | kBack | kServer},
    {"ereq", "request_errors_total", true, kFront},
    {"econ", "connection_errors_total", true, kBack | kServer},
    {"eresp", "response_errors_total", true, kBack | kServer},
    {"wretr", "retry_warnings_total", true, kBack | kServer},
    {"wredis", "redispatch_warnings_total", true, kBack | kServer},
    {"weight", "weight", false, kBack | kServer},
    {"uweight", "uweight", false, kBack | kServer},
    {"act", "active_servers", false, kBack},
    {"bck", "backup_servers", false, kBack},
    {"chkfail", "check_failures_total", true, kServer},
    {"chkdown", "check_up_down_total", true, kBack | kServer},
    {"lastchg", "check_last_change_seconds", false, kBack | kServer},
    {"downtime", "downtime_seconds_total", true, kBack | kServer},
    {"qlimit", "queue_limit", false, kServer},
    {"throttle", "current_throttle", false, kServer},
    {"lbtot", "loadbalanced_total", true, kBack | kServer},
    {"rate", "current_session_rate", false, kFront | kBack | kServer},
    {"rate_lim", "limit_session_rate", false, kFront},
    {"rate_max", "max_session_rate", false, kFront | kBack | kServer},
    {"check_code", "check_code", false, kServer},
    {"check_duration", "check_duration_seconds", false, kServer, 1000},
    {"cli_abrt", "client_aborts_total", true, kBack | kServer},
    {"srv_abrt", "server_aborts_total", true, kBack | kServer},
    {"lastsess", "last_session_seconds", false, kBack | kServer},
    {"qtime", "queue_time_average_seconds", false, kBack | kServer, 1000},
    {"ctime", "connect_time_average_seconds", false, kBack | kServer, 1000},
    {"rtime", "response_time_average_seconds", false, kBack | kServer, 1000},
    {"ttime", "total_time_average_seconds", false, kBack | kServer, 1000},
    {"qtime_max", "max_queue_time_seconds", false, kBack | kServer, 1000},
    {"ctime_max", "max_connect_time_seconds", false, kBack | kServer, 1000},
    {"rtime_max", "max_response_time_seconds", false, kBack | kServer, 1000},
    {"ttime_max", "max_total_time_seconds", false, kBack | kServer, 1000},
    {"conn_rate_max", "connections_rate_max", false, kFront},
    {"conn_tot", "connections_total", true, kFront},
    {"intercepted", "intercepted_requests_total", true, kFront},
    {"dcon", "denied_connections_total", true, kFront},
    {"dses", "denied_sessions_total", true, kFront},
    {"wrew", "failed_header_rewriting_total", true, kFront | kBack | kServer},
    {"connect", "connection_attempts_total", true, kBack | kServer},
    {"reuse", "connection_reuses_total", true, kBack | kServer},
    {"eint", "internal_errors_total", true, kFront | kBack | kServer},
    {"srv_icur", "idle_connections_current", false, kServer},
    {"srv_ilim", "idle_connections_limit", false, kServer},
    {"used_conn_cur", "used_connections_current", false, kServer},
    {"need_conn_est", "need_connections_current", false, kServer},
    {"safe_conn_cur", "safe_idle_connections_current", false, kServer},
    {"idle_conn_cur", "unsafe_idle_connections_current", false, kServer},
};

struct ProcessRow {
  std::string_view info;
  std::string_view name;
  bool counter;
};
constexpr ProcessRow kProcess[] = {
    {"Nbthread", "nbthread", false},
    {"Nbproc", "nbproc", false},
    {"Process_num", "relative_process_id", false},
    {"Uptime_sec", "uptime_seconds", false},
    {"Start_time_sec", "start_time_seconds", false},
    {"Memmax_bytes", "max_memory_bytes", false},
    {"PoolAlloc_bytes", "pool_allocated_bytes", false},
    {"PoolUsed_bytes", "pool_used_bytes", false},
    {"PoolFailed", "pool_failures_total", true},
    {"Ulimit-n", "max_fds", false},
    {"Maxsock", "max_sockets", false},
    {"Maxconn", "max_connections", false},
    {"Hard_maxconn", "hard_max_connections", false},
    {"CurrConns", "current_connections", false},
    {"CumConns", "connections_total", true},
    {"CumReq", "requests_total", true},
    {"MaxSslConns", "max_ssl_connections", false},
    {"CurrSslConns", "current_ssl_connections", false},
    {"CumSslConns", "ssl_connections_total", true},
    {"Maxpipes", "max_pipes", false},
    {"PipesUsed", "pipes_used_total", true},
    {"PipesFree", "pipes_free_total", true},
    {"ConnRate", "current_connection_rate", false},
    {"ConnRateLimit", "limit_connection_rate", false},
    {"MaxConnRate", "max_connection_rate", false},
    {"SessRate", "current_session_rate", false},
    {"SessRateLimit", "limit_session_rate", false},
    {"MaxSessRate", "max_session_rate", false},
    {"SslRate", "current_ssl_rate", false},
    {"SslRateLimit", "limit_ssl_rate", false},
    {"MaxSslRate", "max_ssl_rate", false},
    {"Tasks", "current_tasks", false},
    {"Run_queue", "current_run_queue", false},
    {"Idle_pct", "idle_time_percent", false},
    {"Stopping", "stopping", false},
    {"Jobs", "jobs", false},
    {"Unstoppable Jobs", "unstoppable_jobs", false},
    {"Listeners", "listeners", false},
    {"ActivePeers", "active_peers", false},
    {"ConnectedPeers", "connected_peers", false},
    {"DroppedLogs", "dropped_logs_total", true},
    {"BusyPolling", "busy_polling_enabled", false},
    {"FailedResolutions", "failed_resolutions", false},
    {"TotalBytesOut", "bytes_out_total", true},
    {"TotalSplicedBytesOut", "spliced_bytes_out_total", true},
    {"BytesOutRate", "bytes_out_rate", false},
    {"CumRecvLogs", "recv_logs_total", true},
};

constexpr std::string_view kServerStates[] = {"DOWN", "UP", "MAINT", "DRAIN", "NOLB"};
constexpr std::string_view kCheckStates[] = {"UNK",   "INI",   "CHECKED", "HANA",     "SOCKERR", "L4OK",  "L4TOUT",
                                             "L4CON", "L6OK",  "L6TOUT",  "L6RSP",    "L7TOUT",  "L7RSP", "L7OK",
                                             "L7OKC", "L7STS", "PROCERR", "PROCTOUT", "PROCOK"};

std::string label_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"') out.push_back('\\');
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

class Exporter {
 public:
  explicit Exporter(std::vector<std::vector<std::string>> rows) : rows_(std::move(rows)) {}

  void export_kind(int kind, std::string_view prefix, std::string* out) {
    for (const MetricRow& metric : kMetrics) {
      if ((metric.kinds & kind) == 0 || !has(metric.column)) continue;
      std::string lines;
      const std::string name = fmt::format("haproxy_{}_{}", prefix, metric.name);
      each(kind, [&](const std::vector<std::string>& row, const std::string& labels) {
        lines += fmt::format("{}{{{}}} {}\n", name, labels, value(row, metric));
      });
      head(name, metric.counter, metric.column, lines, out);
    }
    states(kind, prefix, out);
  }

 private:
  bool has(std::string_view column) const { return std::ranges::find(rows_[0], column) != rows_[0].end(); }
  /// Empty where the row has no such column.
  std::string cell(const std::vector<std::string>& row, std::string_view column) const {
    const auto at = static_cast<size_t>(std::ranges::find(rows_[0], column) - rows_[0].begin());
    return at < row.size() ? row[at] : std::string();
  }
  std::string value(const std::vector<std::string>& row, const MetricRow& metric) const {
    const std::string text = cell(row, metric.column);
    const auto number = parse_int64(text);
    if (!number) return "NaN";
    return metric.divisor == 1 ? text : fmt::format("{:.6f}", static_cast<double>(*number) / metric.divisor);
  }
  template <typename F>
  void each(int kind, F visit) const {
    for (size_t i = 1; i < rows_.size(); ++i) {
      const int type = static_cast<int>(parse_int64(cell(rows_[i], "type")).value_or(-1));
      const int bit = type == 0 ? kFront : type == 1 ? kBack : kServer;
      if (bit != kind) continue;
      std::string labels = fmt::format("proxy=\"{}\"", label_escaped(rows_[i][0]));
      if (kind == kServer) labels += fmt::format(",server=\"{}\"", label_escaped(rows_[i][1]));
      visit(rows_[i], labels);
    }
  }
  static void head(std::string_view name, bool counter, std::string_view column, const std::string& lines,
                   std::string* out) {
    if (lines.empty()) return;
    *out += fmt::format("# HELP {0} Column {1} of the statistics.\n# TYPE {0} {2}\n{3}", name, column,
                        counter ? "counter" : "gauge", lines);
  }
  void states(int kind, std::string_view prefix, std::string* out) {
    const std::string name = fmt::format("haproxy_{}_status", prefix);
    std::string lines;
    each(kind, [&](const std::vector<std::string>& row, const std::string& labels) {
      const std::string status = cell(row, "status");
      auto line = [&](std::string_view state, bool on) {
        lines += fmt::format("{}{{{},state=\"{}\"}} {}\n", name, labels, state, on ? 1 : 0);
      };
      if (kind == kFront) {
        line("DOWN", status == "STOP");
        line("UP", status != "STOP");
      } else if (kind == kBack) {
        line("DOWN", status == "DOWN");
        line("UP", status == "UP");
      } else {
        for (std::string_view state : kServerStates) {
          line(state, status.starts_with(state) || (state == "UP" && status == "no check"));
        }
      }
    });
    head(name, false, "status", lines, out);
    if (kind != kServer) return;
    std::string checks;
    each(kind, [&](const std::vector<std::string>& row, const std::string& labels) {
      const std::string& status = cell(row, "check_status");
      if (status.empty()) return;
      for (std::string_view state : kCheckStates) {
        const bool on = status == state || status == fmt::format("* {}", state);
        checks += fmt::format("haproxy_server_check_status{{{},state=\"{}\"}} {}\n", labels, state, on ? 1 : 0);
      }
    });
    head("haproxy_server_check_status", false, "check_status", checks, out);
  }

  std::vector<std::vector<std::string>> rows_;
};

constexpr std::string_view kAggregateStates[] = {"DOWN", "UP", "MAINT", "DRAIN", "NOLB"};

/// How many servers of a backend are in each state, and which verdicts their checks gave.
void export_aggregates(const Runtime& runtime, std::string* out) {
  std::string servers;
  std::string checks;
  for (const BackendState& backend : runtime.backends) {
    const std::string proxy = label_escaped(backend.config->name);
    for (std::string_view state : kAggregateStates) {
      const auto count = std::ranges::count_if(backend.servers, [state](const ServerState& server) {
        const std::string status = server_status(server);
        return status.starts_with(state) || (state == "UP" && status == "no check");
      });
      for (std::string_view name : {"agg_server_status", "agg_server_check_status"}) {
        servers += fmt::format("haproxy_backend_{}{{proxy=\"{}\",state=\"{}\"}} {}\n", name, proxy, state, count);
      }
    }
    for (std::string_view state : kCheckStates) {
      const auto count = std::ranges::count_if(backend.servers, [state](const ServerState& server) {
        return server.check.configured && short_name(server.check.status) == state;
      });
      checks += fmt::format("haproxy_backend_agg_check_status{{proxy=\"{}\",state=\"{}\"}} {}\n", proxy, state, count);
    }
  }
  *out += "# TYPE haproxy_backend_agg_server_status gauge\n# TYPE haproxy_backend_agg_server_check_status gauge\n" +
          servers;
  *out += "# TYPE haproxy_backend_agg_check_status gauge\n" + checks;
}

void export_process(Runtime& runtime, size_t sessions, std::string* out) {
  const std::string info = info_text(runtime, sessions);
  for (const ProcessRow& row : kProcess) {
    for (std::string_view line : split(info, '\n')) {
      if (!line.starts_with(row.info) || line.substr(row.info.size(), 2) != ": ") continue;
      *out += fmt::format(
          "# HELP haproxy_process_{0} {1} of `show info`.\n# TYPE haproxy_process_{0} {2}\n"
          "haproxy_process_{0} {3}\n",
          row.name, row.info, row.counter ? "counter" : "gauge", line.substr(row.info.size() + 2));
    }
  }
}

}  // namespace

std::string prometheus_text(Runtime& runtime, size_t sessions, std::string_view query) {
  std::vector<std::string_view> scopes;
  StatSelection selection;
  for (std::string_view part : split(query, '&')) {
    if (part.starts_with("scope=")) scopes.push_back(part.substr(6));
    if (part == "no-maint") selection.no_maintenance = true;
  }
  auto wanted = [&scopes](std::string_view scope) {
    return scopes.empty() || std::ranges::find(scopes, scope) != scopes.end() ||
           std::ranges::find(scopes, "*") != scopes.end();
  };
  std::string out;
  if (wanted("global")) {
    out += fmt::format("# TYPE haproxy_process_build_info gauge\nhaproxy_process_build_info{{version=\"{}\"}} 1\n",
                       kVersion);
    export_process(runtime, sessions, &out);
  }
  Exporter exporter(csv_cells(stat_csv(runtime, selection)));
  if (wanted("frontend")) exporter.export_kind(kFront, "frontend", &out);
  if (wanted("backend")) exporter.export_kind(kBack, "backend", &out);
  if (wanted("backend")) export_aggregates(runtime, &out);
  if (wanted("server")) exporter.export_kind(kServer, "server", &out);
  return out;
}

}  // namespace holdfast::proxy
