// `show stat typed` and `show stat json`: the same cells with what they are. Source: HAProxy management manual 9.2;
// tags and types compared with 2.6.12.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "proxy/cli/stat_csv.h"
#include "proxy/http/pages.h"

namespace holdfast::proxy {
namespace {

struct TypedRow {
  std::string_view column;
  std::string_view tags;  // origin, nature, scope
  std::string_view type;
};
constexpr TypedRow kTyped[] = {
    {"pxname", "KNS", "str"},
    {"svname", "KNS", "str"},
    {"qcur", "MGP", "u32"},
    {"qmax", "MMP", "u32"},
    {"scur", "MGP", "u32"},
    {"smax", "MMP", "u32"},
    {"slim", "CLP", "u32"},
    {"stot", "MCP", "u64"},
    {"bin", "MCP", "u64"},
    {"bout", "MCP", "u64"},
    {"dreq", "MCP", "u64"},
    {"dresp", "MCP", "u64"},
    {"ereq", "MCP", "u64"},
    {"econ", "MCP", "u64"},
    {"eresp", "MCP", "u64"},
    {"wretr", "MCP", "u64"},
    {"wredis", "MCP", "u64"},
    {"status", "SGP", "str"},
    {"weight", "MaP", "u32"},
    {"act", "SGP", "u32"},
    {"bck", "SGP", "u32"},
    {"chkfail", "MCP", "u64"},
    {"chkdown", "MCP", "u64"},
    {"lastchg", "MAP", "u32"},
    {"downtime", "MCP", "u32"},
    {"qlimit", "CGS", "u32"},
    {"pid", "KGP", "u32"},
    {"iid", "KGS", "u32"},
    {"sid", "KGS", "u32"},
    {"throttle", "MGP", "u32"},
    {"lbtot", "MCP", "u64"},
    {"tracked", "CNS", "str"},
    {"type", "CGS", "u32"},
    {"rate", "MRP", "u32"},
    {"rate_lim", "CLP", "u32"},
    {"rate_max", "MMP", "u32"},
    {"check_status", "MOP", "str"},
    {"check_code", "MOP", "u32"},
    {"check_duration", "MDP", "u64"},
    {"req_rate", "MRP", "u32"},
    {"req_rate_max", "MMP", "u32"},
    {"req_tot", "MCP", "u64"},
    {"cli_abrt", "MCP", "u64"},
    {"srv_abrt", "MCP", "u64"},
    {"comp_in", "MCP", "u64"},
    {"comp_out", "MCP", "u64"},
    {"comp_byp", "MCP", "u64"},
    {"comp_rsp", "MCP", "u64"},
    {"lastsess", "MAP", "s32"},
    {"last_chk", "MOP", "str"},
    {"last_agt", "MOP", "str"},
    {"qtime", "MaP", "u32"},
    {"ctime", "MaP", "u32"},
    {"rtime", "MaP", "u32"},
    {"ttime", "MaP", "u32"},
    {"agent_status", "MOP", "str"},
    {"agent_code", "MOP", "u32"},
    {"agent_duration", "MDP", "u64"},
    {"check_desc", "MOP", "str"},
    {"agent_desc", "MOP", "str"},
    {"check_rise", "CGS", "u32"},
    {"check_fall", "CGS", "u32"},
    {"check_health", "CGS", "u32"},
    {"agent_rise", "CGS", "u32"},
    {"agent_fall", "CGS", "u32"},
    {"agent_health", "CGS", "u32"},
    {"addr", "CGS", "str"},
    {"cookie", "CNS", "str"},
    {"mode", "CGS", "str"},
    {"algo", "CGS", "str"},
    {"conn_rate", "MRP", "u32"},
    {"conn_rate_max", "MMP", "u32"},
    {"conn_tot", "MCP", "u64"},
    {"intercepted", "MCP", "u64"},
    {"dcon", "MCP", "u64"},
    {"dses", "MCP", "u64"},
    {"wrew", "MCP", "u64"},
    {"connect", "MCP", "u64"},
    {"reuse", "MCP", "u64"},
    {"srv_icur", "MGP", "u32"},
    {"qtime_max", "MMP", "u32"},
    {"ctime_max", "MMP", "u32"},
    {"rtime_max", "MMP", "u32"},
    {"ttime_max", "MMP", "u32"},
    {"eint", "MCP", "u64"},
    {"idle_conn_cur", "MGP", "u32"},
    {"safe_conn_cur", "MGP", "u32"},
    {"used_conn_cur", "MGP", "u32"},
    {"need_conn_est", "MGP", "u32"},
    {"uweight", "MaP", "u32"},
    {"agg_server_status", "MGP", "u32"},
    {"agg_server_check_status", "MGP", "u32"},
    {"agg_check_status", "MGP", "u32"},
};

std::string_view origin_of(char tag) {
  return tag == 'M' ? "Metric" : tag == 'S' ? "Status" : tag == 'K' ? "Key" : tag == 'C' ? "Config" : "Product";
}
std::string_view nature_of(char tag) {
  switch (tag) {
    case 'G':
      return "Gauge";
    case 'L':
      return "Limit";
    case 'M':
      return "Max";
    case 'm':
      return "Min";
    case 'C':
      return "Counter";
    case 'R':
      return "Rate";
    case 'D':
      return "Duration";
    case 'A':
      return "Age";
    case 'T':
      return "Time";
    case 'N':
      return "Name";
    case 'a':
      return "Avg";
    default:
      return "Output";
  }
}
std::string_view scope_of(char tag) { return tag == 'S' ? "Service" : tag == 'C' ? "Cluster" : "Process"; }

/// An object's letter and name, by the cell `type`.
std::string_view object_of(std::string_view type) {
  return type == "0" ? "Frontend" : type == "1" ? "Backend" : type == "2" ? "Server" : "Listener";
}

std::string json_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 32) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
      continue;
    }
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

/// Calls `visit` with every filled cell: object, proxy id, server id, position, row of kTyped, value.
template <typename F, typename G>
void each_cell(const std::string& csv, F visit, G end_of_row) {
  const auto rows = csv_cells(csv);
  auto cell = [&rows](const std::vector<std::string>& row, std::string_view name) -> const std::string& {
    return row[static_cast<size_t>(std::ranges::find(rows[0], name) - rows[0].begin())];
  };
  for (size_t i = 1; i < rows.size(); ++i) {
    for (size_t position = 0; position < rows[i].size() && position < rows[0].size(); ++position) {
      const auto typed = std::ranges::find(kTyped, rows[0][position], &TypedRow::column);
      if (typed == std::end(kTyped) || rows[i][position].empty()) continue;
      visit(object_of(cell(rows[i], "type")), cell(rows[i], "iid"), cell(rows[i], "sid"), position, *typed,
            rows[i][position]);
    }
    end_of_row(i + 1 == rows.size());
  }
}

}  // namespace

std::string stat_typed(Runtime& runtime, const StatSelection& selection) {
  std::string out;
  each_cell(
      stat_csv(runtime, selection),
      [&out](std::string_view object, const std::string& proxy, const std::string& id, size_t position,
             const TypedRow& row, const std::string& value) {
        out += fmt::format("{}.{}.{}.{}.{}.1:{}:{}:{}\n", object[0], proxy, id, position, row.column, row.tags,
                           row.type, value);
      },
      [](bool) {});
  return out;
}

std::string stat_json(Runtime& runtime, const StatSelection& selection) {
  std::string out = "[";
  std::string object_text;
  each_cell(
      stat_csv(runtime, selection),
      [&object_text](std::string_view object, const std::string& proxy, const std::string& id, size_t position,
                     const TypedRow& row, const std::string& value) {
        const std::string shown = row.type == "str" ? fmt::format("\"{}\"", json_escaped(value)) : value;
        object_text += fmt::format(
            "{}{{\"objType\":\"{}\",\"proxyId\":{},\"id\":{},\"field\":{{\"pos\":{},\"name\":\"{}\"}},"
            "\"processNum\":1,\"tags\":{{\"origin\":\"{}\",\"nature\":\"{}\",\"scope\":\"{}\"}},"
            "\"value\":{{\"type\":\"{}\",\"value\":{}}}}}",
            object_text.empty() ? "" : ",", object, proxy, id, position, row.column, origin_of(row.tags[0]),
            nature_of(row.tags[1]), scope_of(row.tags[2]), row.type, shown);
      },
      [&out, &object_text](bool last) {
        out += fmt::format("[{}]{}", object_text, last ? "" : ",");
        object_text.clear();
      });
  return out + "]\n";
}

}  // namespace holdfast::proxy
