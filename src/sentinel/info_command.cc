// INFO: the Sentinel's own report.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "sentinel/commands.h"

namespace holdfast::sentinel {
namespace {

constexpr std::string_view kSections[] = {"server", "clients", "cpu", "stats", "sentinel"};

std::string server_section(const Core& core) {
  const int64_t uptime = to_ms(core.since(core.started)) / 1000;
  return fmt::format(
      "# Server\r\nredis_version:{}\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:0\r\n"
      "redis_mode:sentinel\r\nos:{}\r\narch_bits:64\r\nmonotonic_clock:POSIX "
      "clock_gettime\r\nmultiplexing_api:epoll\r\n"
      "atomicvar_api:c11-builtin\r\ngcc_version:0.0.0\r\nprocess_id:{}\r\nprocess_supervised:no\r\nrun_id:{}\r\n"
      "tcp_port:{}\r\nserver_time_usec:{}\r\nuptime_in_seconds:{}\r\nuptime_in_days:{}\r\nhz:10\r\nconfigured_hz:10\r\n"
      "lru_clock:0\r\nexecutable:{}\r\nconfig_file:{}\r\nio_threads_active:0\r\n",
      core.options.redis_version, core.options.os, core.options.pid, core.runid,
      core.settings.port != 0 ? core.settings.port : core.settings.tls.port, core.now.wall.time_since_epoch().count(),
      uptime, uptime / 86400, core.options.executable, core.options.config_path);
}

std::string clients_section(const Core& core, const Clients& clients, size_t pubsub_clients) {
  return fmt::format(
      "# Clients\r\nconnected_clients:{}\r\ncluster_connections:0\r\nmaxclients:{}\r\n"
      "client_recent_max_input_buffer:0\r\nclient_recent_max_output_buffer:0\r\nblocked_clients:0\r\n"
      "tracking_clients:0\r\npubsub_clients:{}\r\nclients_in_timeout_table:0\r\ntotal_blocking_keys:0\r\n"
      "total_blocking_keys_on_nokey:0\r\n",
      clients.all().size(), core.settings.maxclients, pubsub_clients);
}

std::string cpu_section(const Core& core) {
  const CpuUsage usage = core.options.cpu_usage == nullptr ? CpuUsage{} : core.options.cpu_usage();
  return fmt::format(
      "# CPU\r\nused_cpu_sys:{:.6f}\r\nused_cpu_user:{:.6f}\r\nused_cpu_sys_children:{:.6f}\r\n"
      "used_cpu_user_children:{:.6f}\r\n",
      usage.system, usage.user, usage.children_system, usage.children_user);
}

std::string stats_section(const ClientStats& stats, size_t channels, size_t patterns) {
  return fmt::format(
      "# Stats\r\ntotal_connections_received:{}\r\ntotal_commands_processed:{}\r\ntotal_net_input_bytes:{}\r\n"
      "total_net_output_bytes:{}\r\nrejected_connections:{}\r\npubsub_channels:{}\r\npubsub_patterns:{}\r\n"
      "total_error_replies:{}\r\n",
      stats.connections_received, stats.commands_processed, stats.bytes_in, stats.bytes_out, stats.connections_rejected,
      channels, patterns, stats.error_replies);
}

std::string_view status_word(const Primary& primary) {
  if (primary.o_down) return "odown";
  return primary.s_down ? "sdown" : "ok";
}

std::string sentinel_section(const Core& core) {
  const std::optional<Mono> tilt = core.tilt.since();
  std::string out = fmt::format(
      "# Sentinel\r\nsentinel_masters:{}\r\nsentinel_tilt:{}\r\nsentinel_tilt_since_seconds:{}\r\n"
      "sentinel_running_scripts:{}\r\nsentinel_scripts_queue_length:{}\r\nsentinel_simulate_failure_flags:{}\r\n",
      core.topology.primaries().size(), tilt ? 1 : 0, tilt ? to_ms(core.since(*tilt)) / 1000 : -1,
      core.scripts.running(), core.scripts.entries().size(), core.simulated_failures);
  int index = 0;
  for (const auto& [name, primary] : core.topology.primaries()) {
    out += fmt::format("master{}:name={},status={},address={}:{},slaves={},sentinels={}\r\n", index++, name,
                       status_word(*primary), core.announced(primary->address), primary->address.port,
                       primary->replicas.size(), primary->sentinels.size() + 1);
  }
  return out;
}

}  // namespace

std::string info_text(const Core& core, const Clients& clients, const std::vector<std::string_view>& sections,
                      const pubsub::Hub& hub) {
  const auto wanted = [&](std::string_view section) {
    return sections.empty() || std::any_of(sections.begin(), sections.end(), [&](std::string_view asked) {
             return equal_ignoring_case(asked, section) || equal_ignoring_case(asked, "all") ||
                    equal_ignoring_case(asked, "everything") || equal_ignoring_case(asked, "default");
           });
  };
  const auto subscribers = static_cast<size_t>(std::count_if(
      clients.all().begin(), clients.all().end(), [&](const auto& entry) { return hub.count_of(entry.first) > 0; }));
  std::string out;
  for (const std::string_view section : kSections) {
    if (!wanted(section)) continue;
    if (!out.empty()) out += "\r\n";
    if (section == "server") out += server_section(core);
    if (section == "clients") out += clients_section(core, clients, subscribers);
    if (section == "cpu") out += cpu_section(core);
    if (section == "stats") out += stats_section(clients.stats(), hub.channel_count(), hub.patterns());
    if (section == "sentinel") out += sentinel_section(core);
  }
  return out;
}

}  // namespace holdfast::sentinel
