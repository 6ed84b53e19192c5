// `show …`: what the runtime API prints.
#include <fmt/format.h>

#include "conf/haproxy_value.h"
#include "proxy/cli/cli.h"
#include "proxy/cli/stat_csv.h"
#include "proxy/version.h"

namespace holdfast::proxy {
namespace {

void run_show_stat(CliContext& c) {
  StatSelection selection;
  bool typed = false;
  bool json = false;
  size_t at = 2;
  const std::string_view first = c.word(2);
  if (const auto number = conf::whole_integer(first)) {
    selection.proxy = *number;
    at = 5;
  } else if (c.word(3) == "-1" || conf::whole_integer(c.word(3))) {
    for (const ProxyConfig& proxy : c.runtime.config.proxies) {
      if (proxy.name == first) selection.proxy = proxy.id;
    }
    if (selection.proxy < 0) {
      c.out = "No such proxy.\n";
      return;
    }
    at = 5;
  }
  if (at == 5) {
    const int64_t types = conf::leading_integer(c.word(3));
    selection.types = types < 0 || c.word(3).empty() ? 7 : static_cast<int>(types & 15);
    selection.server = c.word(4).empty() ? -1 : conf::leading_integer(c.word(4));
  }
  for (; at < c.words.size(); ++at) {
    if (c.word(at) == "up") selection.up_only = true;
    if (c.word(at) == "no-maint") selection.no_maintenance = true;
    typed = typed || c.word(at) == "typed";
    json = json || c.word(at) == "json";
  }
  c.out = json    ? stat_json(c.runtime, selection)
          : typed ? stat_typed(c.runtime, selection)
                  : stat_csv(c.runtime, selection);
}

void run_show_info(CliContext& c) { c.out = info_text(c.runtime, c.sessions.count()); }

/// Bits of srv_check_state: running, configured, enabled, paused.
int check_state_bits(const ServerState& server) {
  int bits = 0;
  if (server.check.running) bits |= 1;
  if (server.check.configured) bits |= 2;
  if (server.check.configured && server.check.enabled) bits |= 4;
  if (server.check.configured && server.check.enabled && server.in_maintenance()) bits |= 8;
  return bits;
}

std::string_view shown_address(const Address& address) {
  if (address.is_unix()) return address.unix_path;
  return address.host.empty() ? "-" : std::string_view(address.host);
}

void run_show_servers_state(CliContext& c) {
  const std::string_view wanted = c.word(3);
  if (!wanted.empty() && c.runtime.find_backend(wanted) == kNoIndex) {
    c.out = "Can't find backend.\n";
    return;
  }
  c.out =
      "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
      "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "
      "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr "
      "srv_agent_addr srv_agent_port\n";
  for (const BackendState& backend : c.runtime.backends) {
    if (!wanted.empty() && backend.config->name != wanted) continue;
    for (const ServerState& server : backend.servers) {
      const int state = server.in_maintenance() || !server.running ? 0 : (server.stopping ? 3 : 2);
      const std::string_view service = c.names.service_of(server);
      const CheckResult result = server.check.running ? CheckResult::kUnknown : result_of(server.check.status);
      c.out += fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {} 0 {} {} {} {} {} {} {} {} - 0\n",
                           backend.config->id, backend.config->name, server.config->id, server.config->name,
                           shown_address(server.address), state, server.admin, server.weight, server.config->weight,
                           to_ms(c.runtime.now.mono - server.last_change) / 1000, static_cast<int>(server.check.status),
                           static_cast<int>(result), server.health.value, check_state_bits(server),
                           backend.config->forced_id ? 1 : 0, server.config->forced_id ? 1 : 0,
                           server.host_name.empty() ? "-" : server.host_name, server.address.port,
                           service.empty() ? "-" : service, server.config->tls.enabled ? 1 : 0, server.check_port,
                           server.check_address.empty() ? "-" : server.check_address);
    }
  }
}

void run_show_servers_conn(CliContext& c) {
  const std::string_view wanted = c.word(3);
  if (!wanted.empty() && c.runtime.find_backend(wanted) == kNoIndex) {
    c.out = "Can't find backend.\n";
    return;
  }
  c.out =
      "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb idle_lim "
      "idle_cur "
      "idle_per_thr[1]\n";
  // Nothing is kept idle: connections belong to one session each.
  for (const BackendState& backend : c.runtime.backends) {
    if (!wanted.empty() && backend.config->name != wanted) continue;
    for (const ServerState& server : backend.servers) {
      c.out += fmt::format("{}/{} {}/{} {} {} - 5000 {} {} 0 0 0 -1 0 0\n", backend.config->name, server.config->name,
                           backend.config->id, server.config->id, server.address.host, server.address.port,
                           server.sessions, server.counters.current_max);
    }
  }
}

void run_show_backend(CliContext& c) {
  c.out = "# name\n";
  for (const BackendState& backend : c.runtime.backends) c.out += backend.config->name + "\n";
}
void run_show_version(CliContext& c) { c.out = fmt::format("{}\n", kVersion); }
void run_show_startup_logs(CliContext& c) {
  const std::string& logs = c.runtime.options.startup_logs;
  c.out = logs.empty() ? "\n" : logs;
}
void run_show_errors(CliContext& c) {
  c.out = fmt::format("Total events captured on [{}] : 0\n", c.runtime.now.wall.time_since_epoch().count() / 1'000'000);
}

void run_show_env(CliContext& c) {
  if (!c.word(2).empty()) {
    const auto found = c.runtime.config.environment.find(std::string(c.word(2)));
    c.out = found == c.runtime.config.environment.end() ? "Variable not found\n"
                                                        : fmt::format("{}={}\n", found->first, found->second);
    return;
  }
  for (const auto& [name, value] : c.runtime.config.environment) c.out += fmt::format("{}={}\n", name, value);
}

std::string_view level_name(CliLevel level) {
  switch (level) {
    case CliLevel::kUser:
      return "user";
    case CliLevel::kOperator:
      return "operator";
    case CliLevel::kAdmin:
      return "admin";
  }
  return "";
}
void run_show_cli_level(CliContext& c) { c.out = fmt::format("{}\n", level_name(c.connection.level)); }
void run_show_cli_sockets(CliContext& c) {
  c.out = "# socket lvl processes\n";
  for (const ListenerState& listener : c.runtime.listeners) {
    if (listener.frontend != kNoIndex) continue;
    const Address& at = listener.config->address;
    const std::string_view family = at.is_unix() ? "unix@" : at.host.find(':') != std::string::npos ? "ipv6@" : "ipv4@";
    c.out += fmt::format("{}{} {} all\n", family, to_string(at), level_name(listener.config->level));
  }
}

constexpr CliCommand kCommands[] = {
    {"show stat", CliLevel::kUser, run_show_stat, "show stat [desc|json|no-maint|typed|up]*",
     "report counters for each proxy and server"},
    {"show info", CliLevel::kUser, run_show_info, "show info [desc|json|typed|float]*",
     "report information about the running process"},
    {"show servers state", CliLevel::kUser, run_show_servers_state, "show servers state [<backend>]",
     "dump volatile server information (all or for a single backend)"},
    {"show servers conn", CliLevel::kUser, run_show_servers_conn, "show servers conn [<backend>]",
     "dump server connections status (all or for a single backend)"},
    {"show backend", CliLevel::kUser, run_show_backend, "show backend", "list backends in the current running config"},
    {"show version", CliLevel::kUser, run_show_version, "show version", "show version of the current process"},
    {"show startup-logs", CliLevel::kUser, run_show_startup_logs, "show startup-logs",
     "report logs emitted during HAProxy startup"},
    {"show errors", CliLevel::kUser, run_show_errors, "show errors [<px>] [request|response]",
     "report last request and/or response errors for each proxy"},
    {"show env", CliLevel::kOperator, run_show_env, "show env [var]",
     "dump environment variables known to the process"},
    {"show cli level", CliLevel::kUser, run_show_cli_level, "show cli level",
     "display the level of the current CLI session"},
    {"show cli sockets", CliLevel::kOperator, run_show_cli_sockets, "show cli sockets", "dump list of cli sockets"},
};

}  // namespace

std::string info_text(Runtime& r, size_t sessions) {
  std::string out;
  const int64_t uptime = to_ms(r.now.mono - r.started.mono) / 1000;
  auto line = [&out](std::string_view name, auto value) { out += fmt::format("{}: {}\n", name, value); };
  int64_t listening = 0;
  for (const ListenerState& listener : r.listeners) listening += listener.listening;
  line("Name", "HAProxy");
  line("Version", kVersion);
  line("Release_date", kReleaseDate);
  line("Nbthread", 1);
  line("Nbproc", 1);
  line("Process_num", 1);
  line("Pid", r.options.pid);
  line("Uptime", fmt::format("{}d {}h{:02}m{:02}s", uptime / 86400, uptime / 3600 % 24, uptime / 60 % 60, uptime % 60));
  line("Uptime_sec", uptime);
  for (std::string_view name : {"Memmax_MB", "PoolAlloc_MB", "PoolUsed_MB", "PoolFailed"}) line(name, 0);
  line("Ulimit-n", r.options.max_sockets);
  line("Maxsock", r.options.max_sockets);
  line("Maxconn", r.maxconn);
  line("Hard_maxconn", r.maxconn);
  line("CurrConns", r.process.current);
  line("CumConns", r.connections_total);
  line("CumReq", r.process.total);
  for (std::string_view name : {"MaxSslConns", "CurrSslConns", "CumSslConns", "Maxpipes", "PipesUsed", "PipesFree"}) {
    line(name, 0);
  }
  const int64_t rate = r.process.rate.read(r.now.mono);
  line("ConnRate", rate);
  line("ConnRateLimit", 0);
  line("MaxConnRate", r.process.rate.max());
  line("SessRate", rate);
  line("SessRateLimit", 0);
  line("MaxSessRate", r.process.rate.max());
  for (std::string_view name :
       {"SslRate", "SslRateLimit", "MaxSslRate", "SslFrontendKeyRate", "SslFrontendMaxKeyRate",
        "SslFrontendSessionReuse_pct", "SslBackendKeyRate", "SslBackendMaxKeyRate", "SslCacheLookups", "SslCacheMisses",
        "CompressBpsIn", "CompressBpsOut", "CompressBpsRateLim"}) {
    line(name, 0);
  }
  line("Tasks", r.timers.size());
  line("Run_queue", 0);
  line("Idle_pct", 100);
  line("node", r.config.global.node.empty() ? r.options.node : r.config.global.node);
  if (!r.config.global.description.empty()) line("description", r.config.global.description);
  line("Stopping", r.stopping ? 1 : 0);
  line("Jobs", static_cast<int64_t>(sessions) + listening + 1);
  line("Unstoppable Jobs", 0);
  line("Listeners", listening);
  for (std::string_view name : {"ActivePeers", "ConnectedPeers", "DroppedLogs", "BusyPolling", "FailedResolutions"}) {
    line(name, 0);
  }
  line("TotalBytesOut", r.bytes_out);
  line("TotalSplicedBytesOut", 0);
  line("BytesOutRate", 0);
  line("DebugCommandsIssued", 0);
  line("CumRecvLogs", 0);
  line("Build info", kVersion);
  line("Memmax_bytes", 0);
  line("PoolAlloc_bytes", 0);
  line("PoolUsed_bytes", 0);
  line("Start_time_sec", unix_seconds(r.started.wall));
  line("Tainted", 0);
  return out;
}

std::span<const CliCommand> show_commands() { return kCommands; }

}  // namespace holdfast::proxy
