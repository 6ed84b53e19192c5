#include "proxy/cli/stat_csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace holdfast::proxy {
namespace {

constexpr std::string_view kHeader =
    "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,"
    "bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,"
    "check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,"
    "req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,"
    "rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,check_health,"
    "agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses,"
    "wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,rtime_max,ttime_max,eint,"
    "idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,agg_server_check_status,"
    "agg_check_status,srid,sess_other,h1sess,h2sess,h3sess,req_other,h1req,h2req,h3req,proto,priv_idle_cur,reqbin,"
    "reqbout,resbin,resbout,cache_hint_hits";
constexpr size_t kColumns = static_cast<size_t>(std::ranges::count(kHeader, ',')) + 1;

constexpr size_t column(std::string_view name) {
  size_t at = 0;
  std::string_view rest = kHeader.substr(2);
  while (!rest.empty()) {
    const size_t end = rest.find(',');
    if (rest.substr(0, end) == name) return at;
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
    ++at;
  }
  return SIZE_MAX;
}

class Row {
 public:
  template <typename T>
  void set(std::string_view name, const T& value) {
    cells_[column(name)] = fmt::format("{}", value);
  }
  /// Free text: quoted when it holds what would break the table.
  void text(std::string_view name, std::string_view value) {
    std::string& cell = cells_[column(name)];
    if (value.find_first_of(",\"\n\r") == std::string_view::npos) {
      cell = std::string(value);
      return;
    }
    cell = "\"";
    for (char c : value) cell += c == '"' ? std::string("\"\"") : std::string(1, c);
    cell += '"';
  }
  template <size_t N>
  void zeros(const std::array<std::string_view, N>& names) {
    for (std::string_view name : names) cells_[column(name)] = "0";
  }
  void print(std::string* out) const {
    for (const std::string& cell : cells_) {
      *out += cell;
      out->push_back(',');
    }
    *out += "-,\n";
  }

 private:
  std::array<std::string, kColumns> cells_;
};

int64_t seconds(Duration d) { return to_ms(d) / 1000; }

std::string_view algorithm_name(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kRoundRobin:
      return "roundrobin";
    case Algorithm::kStaticRr:
      return "static-rr";
    case Algorithm::kLeastConn:
      return "leastconn";
    case Algorithm::kFirst:
      return "first";
    case Algorithm::kSource:
      return "source";
    case Algorithm::kRandom:
      return "random";
  }
  return "unknown";
}

void common(Row& row, const ProxyConfig& proxy, std::string_view service, int type, int64_t sid) {
  row.set("pxname", proxy.name);
  row.set("svname", service);
  row.set("pid", 1);
  row.set("iid", proxy.id);
  row.set("sid", sid);
  row.set("type", type);
  row.set("mode", proxy.http.enabled ? "http" : "tcp");
}

void frontend_row(Runtime& runtime, FrontendState& frontend, std::string* out) {
  Row row;
  Counters& k = frontend.counters;
  common(row, *frontend.config, "FRONTEND", 0, 0);
  row.zeros(std::to_array<std::string_view>({"dreq", "dresp", "ereq", "req_rate", "req_rate_max", "req_tot", "comp_in",
                                             "comp_out", "comp_byp", "comp_rsp", "dcon", "dses", "wrew", "eint"}));
  row.set("scur", k.current);
  row.set("smax", k.current_max);
  row.set("slim", frontend.maxconn);
  row.set("stot", k.total);
  row.set("bin", k.bytes_in);
  row.set("bout", k.bytes_out);
  row.set("status", frontend.stopped ? "STOP" : "OPEN");
  row.set("rate", k.rate.read(runtime.now.mono));
  row.set("rate_lim", frontend.config->rate_limit_sessions);
  row.set("rate_max", k.rate.max());
  row.set("dreq", k.denied_requests);
  row.set("ereq", k.request_errors);
  if (frontend.config->http.enabled) {
    row.set("intercepted", k.intercepted);
    row.set("req_tot", k.intercepted);
  }
  row.set("dcon", k.denied_connections);
  row.set("dses", k.denied_sessions);
  row.set("conn_rate", k.rate.read(runtime.now.mono));
  row.set("conn_rate_max", k.rate.max());
  row.set("conn_tot", k.total + k.denied_connections);
  row.print(out);
}

void balanced(Row& row, Runtime& runtime, Counters& k) {
  row.zeros(std::to_array<std::string_view>({"dresp", "wrew", "eint", "rtime", "rtime_max", "reuse"}));
  row.set("qcur", k.queued);
  row.set("qmax", k.queued_max);
  row.set("scur", k.current);
  row.set("smax", k.current_max);
  row.set("stot", k.total);
  row.set("bin", k.bytes_in);
  row.set("bout", k.bytes_out);
  row.set("econ", k.connect_errors);
  row.set("eresp", k.response_errors);
  row.set("wretr", k.retries);
  row.set("wredis", k.redispatches);
  row.set("lbtot", k.balanced);
  row.set("rate", k.rate.read(runtime.now.mono));
  row.set("rate_max", k.rate.max());
  row.set("cli_abrt", k.client_aborts);
  row.set("srv_abrt", k.server_aborts);
  row.set("lastsess", k.had_session ? seconds(runtime.now.mono - k.last_session) : -1);
  row.set("qtime", k.queue_ms);
  row.set("ctime", k.connect_ms);
  row.set("ttime", k.total_ms);
  row.set("qtime_max", k.queue_ms_max);
  row.set("ctime_max", k.connect_ms_max);
  row.set("ttime_max", k.total_ms_max);
  row.set("connect", k.connects);
}

void check_cells(Row& row, const ServerState& server) {
  const CheckState& check = server.check;
  const std::string_view status = short_name(check.status);
  row.set("check_status", fmt::format("{}{}", check.running ? "* " : "", status));
  // COMPAT: no exit status (-1) is shown without its sign.
  if (has_code(check.status)) row.set("check_code", static_cast<int64_t>(static_cast<uint32_t>(check.code)));
  if (check.had_result) row.set("check_duration", check.duration_ms);
  row.text("last_chk", check.info);
  row.set("check_desc", description(check.status));
  row.set("check_rise", server.health.rise);
  row.set("check_fall", server.health.fall);
  row.set("check_health", server.health.value);
}

void agent_cells(Row& row, const AgentState& agent) {
  row.set("agent_status", fmt::format("{}{}", agent.running ? "* " : "", short_name(agent.status)));
  if (has_code(agent.status)) row.set("agent_code", 0);
  if (agent.had_result) row.set("agent_duration", agent.duration_ms);
  row.text("last_agt", agent.info);
  row.set("agent_desc", description(agent.status));
  row.set("agent_rise", 1);
  row.set("agent_fall", 1);
  row.set("agent_health", agent.down ? 0 : 1);
}

void server_row(Runtime& runtime, BackendState& backend, ServerState& server, std::string* out) {
  Row row;
  Counters& k = server.counters;
  common(row, *backend.config, server.config->name, 2, server.config->id);
  balanced(row, runtime, k);
  row.zeros(std::to_array<std::string_view>(
      {"srv_icur", "idle_conn_cur", "safe_conn_cur", "used_conn_cur", "need_conn_est"}));
  if (server.maxconn > 0) row.set("slim", server.maxconn);
  row.set("status", server_status(server));
  row.set("weight", server.weight);  // COMPAT: a server told to drain keeps its weight here, its status tells
  row.set("uweight", server.weight);
  row.set("act", server.config->backup ? 0 : 1);
  row.set("bck", server.config->backup ? 1 : 0);
  if (server.check.configured) {
    row.set("chkfail", server.counters.check_failures);
    row.set("chkdown", server.counters.down_transitions);
    if (!server.in_maintenance()) check_cells(row, server);
  }
  if (server.agent.configured && server.agent.enabled && !server.in_maintenance()) agent_cells(row, server.agent);
  if (server.config->slowstart > Duration{} && server.usable()) row.set("throttle", slowstart_percent(backend, server));
  row.set("lastchg", seconds(runtime.now.mono - server.last_change));
  if (server.check.configured) {
    const Duration since = server.up() ? Duration{} : runtime.now.mono - server.last_change;
    row.set("downtime", seconds(server.downtime + since));
  }
  if (server.config->maxqueue > 0) row.set("qlimit", server.config->maxqueue);
  if (!server.config->track.empty() && server.track_backend != kNoIndex) {
    const BackendState& leader = runtime.backends[server.track_backend];
    row.set("tracked", fmt::format("{}/{}", leader.config->name, leader.servers[server.track_server].config->name));
  }
  row.set("addr", to_string(server.address));
  row.print(out);
}

void backend_row(Runtime& runtime, BackendState& backend, std::string* out) {
  Row row;
  Counters& k = backend.counters;
  common(row, *backend.config, "BACKEND", 1, 0);
  balanced(row, runtime, k);
  row.zeros(std::to_array<std::string_view>(
      {"dreq", "comp_in", "comp_out", "comp_byp", "comp_rsp", "agg_server_check_status", "agg_check_status"}));
  row.set("dreq", k.denied_requests);
  row.set("dresp", k.denied_responses);
  row.set("slim", backend.fullconn);
  int active = 0;
  int backup = 0;
  int64_t weight = 0;
  for (const ServerState& server : backend.servers) {
    if (!server.usable()) continue;
    (server.config->backup ? backup : active) += 1;
    if (!server.config->backup) weight += server.weight;
  }
  if (active == 0) {
    for (const ServerState& server : backend.servers) weight += server.usable() ? server.weight : 0;
  }
  const bool up = active + backup > 0;
  row.set("status", up ? "UP" : "DOWN");
  row.set("weight", weight);
  row.set("uweight", weight);
  row.set("act", active);
  row.set("bck", backup);
  row.set("chkdown", backend.down_transitions);
  row.set("lastchg", seconds(runtime.now.mono - backend.last_change));
  row.set("downtime", seconds(backend.downtime + (up ? Duration{} : runtime.now.mono - backend.last_change)));
  row.set("algo", algorithm_name(backend.config->balance.algorithm));
  row.set("agg_server_status", up ? 1 : 0);
  row.print(out);
}

}  // namespace

std::string server_status(const ServerState& server) {
  if ((server.admin & kAdminResolveMaint) != 0) return "MAINT (resolution)";
  if (server.in_maintenance()) return "MAINT";
  const Health& health = server.health;
  const HealthProgress at = progress(health);
  if (!server.running) {
    return health.value > 0 ? fmt::format("DOWN {}/{}", at.done, at.of) : std::string("DOWN");
  }
  if (server.stopping) return "NOLB";
  if (!server.check.configured && server.config->track.empty()) {
    return server.draining() ? "DRAIN" : "no check";
  }
  const std::string word = server.draining() ? "DRAIN" : "UP";
  if (health.up() && health.value < health.full() && server.check.configured) {
    return fmt::format("{} {}/{}", word, at.done, at.of);
  }
  return word;
}

std::string stat_csv(Runtime& runtime, const StatSelection& selection) {
  std::string out(kHeader);
  out += ",-,\n";
  for (uint32_t i = 0; i < runtime.config.proxies.size(); ++i) {
    const ProxyConfig& proxy = runtime.config.proxies[i];
    if (selection.proxy >= 0 && selection.proxy != proxy.id) continue;
    for (FrontendState& frontend : runtime.frontends) {
      if (frontend.proxy == i && (selection.types & kStatFrontends) != 0) frontend_row(runtime, frontend, &out);
    }
    for (BackendState& backend : runtime.backends) {
      if (backend.proxy != i) continue;
      for (ServerState& server : backend.servers) {
        if ((selection.types & kStatServers) == 0) break;
        if (selection.server >= 0 && selection.server != server.config->id) continue;
        if (selection.up_only && !server.up()) continue;
        if (selection.no_maintenance && server.in_maintenance()) continue;
        server_row(runtime, backend, server, &out);
      }
      if ((selection.types & kStatBackends) != 0) backend_row(runtime, backend, &out);
    }
  }
  return out;
}

}  // namespace holdfast::proxy
