#include "server/info.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/version.h"
#include "persist/snapshot.h"
#include "server/aof.h"
#include "server/blocked.h"
#include "server/engine.h"
#include "server/listeners.h"
#include "server/replication.h"
#include "server/saving.h"
#include "server/shutdown.h"

namespace holdfast::server {
namespace {

struct Input {
  const Engine& engine;
  const family::State& state;
  size_t clients;
  Now now;
};

/// `1.50M` as the original prints amounts of memory.
std::string human(uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes < 1024) return fmt::format("{}B", bytes);
  if (bytes < (1ull << 20)) return fmt::format("{:.2f}K", value / 1024);
  if (bytes < (1ull << 30)) return fmt::format("{:.2f}M", value / (1ull << 20));
  if (bytes < (1ull << 40)) return fmt::format("{:.2f}G", value / (1ull << 30));
  return fmt::format("{:.2f}T", value / static_cast<double>(1ull << 40));
}

std::string field(std::string_view name, const auto& value) { return fmt::format("{}:{}\r\n", name, value); }

std::string server_section(const Input& in) {
  const int64_t uptime = to_ms(in.now.mono - in.state.started) / 1000;
  return field("redis_version", kRedisVersion) + field("redis_git_sha1", "00000000") + field("redis_git_dirty", 0) +
         field("redis_build_id", "0") + field("redis_mode", "standalone") + field("os", in.engine.options().os) +
         field("arch_bits", 64) + field("monotonic_clock", "POSIX clock_gettime") +
         field("multiplexing_api", in.engine.io_backend()) + field("atomicvar_api", "c11-builtin") +
         field("gcc_version", fmt::format("{}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__)) +
         field("process_id", in.engine.options().pid) + field("process_supervised", in.state.settings.supervised) +
         field("run_id", in.state.run_id) +
         field("tcp_port", in.state.settings.port != 0 ? in.state.settings.port : in.state.settings.tls.port) +
         field("server_time_usec", in.now.wall.time_since_epoch().count()) + field("uptime_in_seconds", uptime) +
         field("uptime_in_days", uptime / 86400) + field("hz", in.state.settings.hz) +
         field("configured_hz", in.state.settings.hz) + field("lru_clock", unix_seconds(in.now.wall) & 0xffffff) +
         field("executable", in.engine.options().executable) + field("config_file", in.engine.options().config_path) +
         field("io_threads_active", 0) + field("holdfast_version", kHoldfastVersion) +
         (in.engine.shutdown_state().left_ms(in.now) < 0
              ? std::string()
              : field("shutdown_in_milliseconds", in.engine.shutdown_state().left_ms(in.now))) +
         in.engine.listeners().info();
}

std::string clients_section(const Input& in) {
  return field("connected_clients", in.clients - in.engine.replication().replicas()) + field("cluster_connections", 0) +
         field("maxclients", in.state.settings.maxclients) + field("client_recent_max_input_buffer", 0) +
         field("client_recent_max_output_buffer", 0) +
         field("blocked_clients", in.engine.blocked().clients() + in.engine.waiting_clients()) +
         field("tracking_clients", in.state.tracking.clients) +
         field("pubsub_clients", in.state.hub.subscriber_count()) +
         field("watching_clients", in.state.watchers.size()) + field("clients_in_timeout_table", 0) +
         field("total_watched_keys", in.state.watchers.size()) +
         field("total_blocking_keys", in.engine.blocked().keys()) + field("total_blocking_keys_on_nokey", 0);
}

std::string script_memory(const family::State& state) {
  const size_t eval = state.scripts.vm_memory();
  const size_t functions = state.libraries.vm_memory();
  const size_t kept = state.scripts.text_memory() + state.libraries.code_memory();
  return field("used_memory_lua", eval) + field("used_memory_vm_eval", eval) +
         field("used_memory_lua_human", human(eval)) + field("used_memory_scripts_eval", state.scripts.text_memory()) +
         field("number_of_cached_scripts", state.scripts.count()) +
         field("number_of_functions", state.libraries.function_count()) +
         field("number_of_libraries", state.libraries.all().size()) + field("used_memory_vm_functions", functions) +
         field("used_memory_vm_total", eval + functions) +
         field("used_memory_vm_total_human", human(eval + functions)) +
         field("used_memory_functions", state.libraries.code_memory()) + field("used_memory_scripts", kept) +
         field("used_memory_scripts_human", human(kept));
}

std::string memory_section(const Input& in) {
  const Engine::BufferBytes buffers = in.engine.buffer_bytes();
  const uint64_t dataset = in.engine.memory_figures().data;
  const uint64_t used = dataset + buffers.normal + buffers.replicas;
  const ProcessUsage& usage = in.engine.usage();
  const auto limit = static_cast<uint64_t>(in.state.settings.maxmemory);
  const double fragmentation = used == 0 ? 0 : static_cast<double>(usage.resident_bytes) / static_cast<double>(used);
  return field("used_memory", used) + field("used_memory_human", human(used)) +
         field("used_memory_rss", usage.resident_bytes) + field("used_memory_rss_human", human(usage.resident_bytes)) +
         field("used_memory_peak", std::max(used, usage.peak_resident_bytes)) +
         field("used_memory_peak_human", human(std::max(used, usage.peak_resident_bytes))) +
         field("used_memory_dataset", dataset) + field("total_system_memory", usage.total_system_memory) +
         field("total_system_memory_human", human(usage.total_system_memory)) + script_memory(in.state) +
         field("maxmemory", limit) + field("maxmemory_human", human(limit)) +
         field("maxmemory_policy", in.state.settings.maxmemory_policy) +
         field("mem_fragmentation_ratio", fmt::format("{:.2f}", fragmentation)) +
         field("mem_not_counted_for_evict", buffers.replicas) +
         field("mem_replication_backlog", in.engine.replication().backlog_bytes()) +
         field("mem_total_replication_buffers", in.engine.replication().buffered_bytes()) +
         field("mem_clients_slaves", buffers.replicas) + field("mem_clients_normal", buffers.normal) +
         field("mem_allocator", "holdfast") + field("active_defrag_running", in.engine.compacting() ? 1 : 0) +
         field("lazyfree_pending_objects", in.engine.pending_frees()) +
         field("lazyfreed_objects", in.state.data->context().freed_lazily);
}

/// Behind all else, and only meanwhile, as in the original.
std::string loading_fields(const Input& in) {
  if (!in.state.loading) return {};
  const family::LoadState& load = in.state.load;
  const uint64_t loaded = std::min(load.loaded_bytes, load.total_bytes);
  const int64_t elapsed = to_ms(in.now.mono - load.started) / 1000;
  // COMPAT: a second, when there is too little to tell by.
  const uint64_t eta = elapsed <= 0 ? 1 : static_cast<uint64_t>(elapsed) * (load.total_bytes - loaded) / (loaded + 1);
  const double percent =
      load.total_bytes == 0 ? 0 : 100.0 * static_cast<double>(loaded) / static_cast<double>(load.total_bytes);
  return field("loading_start_time", load.started_unix_s) + field("loading_total_bytes", load.total_bytes) +
         field("loading_rdb_used_mem", load.used_memory) + field("loading_loaded_bytes", loaded) +
         field("loading_loaded_perc", fmt::format("{:.2f}", percent)) + field("loading_eta_seconds", eta);
}

std::string persistence_section(const Input& in) {
  const family::SaveState& saving = in.state.saving;
  const int64_t running = saving.in_progress ? to_ms(in.now.mono - saving.started) / 1000 : -1;
  const persist::Snapshot* const snapshot = in.engine.saving().running_snapshot();
  const uint64_t processed = snapshot == nullptr ? 0 : snapshot->keys_written();
  const uint64_t total = snapshot == nullptr ? 0 : snapshot->keys_total();
  const double percent = total == 0 ? 0 : 100.0 * static_cast<double>(processed) / static_cast<double>(total);
  return field("loading", in.state.loading ? 1 : 0) +
         field("async_loading", in.engine.replication().loads_beside() ? 1 : 0) + field("current_cow_peak", 0) +
         field("current_cow_size", 0) + field("current_cow_size_age", 0) +
         field("current_fork_perc", fmt::format("{:.2f}", percent)) + field("current_save_keys_processed", processed) +
         field("current_save_keys_total", total) + field("rdb_changes_since_last_save", saving.changes_since_save) +
         field("rdb_bgsave_in_progress", saving.in_progress || in.engine.replication().snapshot_running() ? 1 : 0) +
         field("rdb_last_save_time", saving.last_save_unix_s) +
         field("rdb_last_bgsave_status", saving.last_bgsave_ok ? "ok" : "err") +
         field("rdb_last_bgsave_time_sec", saving.last_duration_s) + field("rdb_current_bgsave_time_sec", running) +
         field("rdb_saves", saving.saves) + field("rdb_last_cow_size", 0) +
         field("rdb_last_load_keys_expired", in.state.load.keys_expired) +
         field("rdb_last_load_keys_loaded", in.state.load.keys_loaded) + in.engine.append_only().info_status(in.now) +
         field("module_fork_in_progress", 0) + field("module_fork_last_cow_size", 0) +
         in.engine.append_only().info_sizes() + loading_fields(in);
}

std::string stats_section(const Input& in) {
  const family::Stats& stats = in.state.stats;
  const acl::DeniedCounts& denied = in.state.acl_log.counts();
  const auto& read_keys = in.state.tracking.read_keys;
  return field("total_connections_received", stats.connections) + field("total_commands_processed", stats.commands) +
         field("instantaneous_ops_per_sec", 0) + field("total_net_input_bytes", stats.net_input_bytes) +
         field("total_net_output_bytes", stats.net_output_bytes) + field("total_net_repl_input_bytes", 0) +
         field("total_net_repl_output_bytes", 0) + field("instantaneous_input_kbps", "0.00") +
         field("instantaneous_output_kbps", "0.00") + field("rejected_connections", stats.rejected_connections) +
         field("sync_full", stats.sync_full) + field("sync_partial_ok", stats.sync_partial_ok) +
         field("sync_partial_err", stats.sync_partial_err) + field("expired_keys", stats.expired_keys) +
         field("expired_stale_perc", "0.00") + field("expired_time_cap_reached_count", 0) +
         field("expire_cycle_cpu_milliseconds", 0) + field("evicted_keys", stats.evicted_keys) +
         field("evicted_clients", stats.evicted_clients) + field("total_eviction_exceeded_time", 0) +
         field("current_eviction_exceeded_time", 0) + field("keyspace_hits", stats.keyspace_hits) +
         field("keyspace_misses", stats.keyspace_misses) + field("pubsub_channels", in.state.hub.channel_count()) +
         field("pubsub_patterns", in.state.hub.patterns()) +
         field("pubsubshard_channels", in.state.shard_hub.channel_count()) + field("latest_fork_usec", 0) +
         field("total_forks", 0) + field("migrate_cached_sockets", 0) +
         field("slave_expires_tracked_keys", in.state.expiring_here.size()) + field("active_defrag_hits", 0) +
         field("active_defrag_misses", 0) + field("active_defrag_key_hits", 0) + field("active_defrag_key_misses", 0) +
         field("total_active_defrag_time", 0) + field("current_active_defrag_time", 0) +
         field("tracking_total_keys", read_keys ? read_keys->keys() : 0) +
         field("tracking_total_items", read_keys ? read_keys->items() : 0) +
         field("tracking_total_prefixes", in.state.tracking.prefixes.size()) + field("unexpected_error_replies", 0) +
         field("total_error_replies", stats.error_replies) + field("dump_payload_sanitizations", 0) +
         field("total_reads_processed", 0) + field("total_writes_processed", 0) +
         field("io_threaded_reads_processed", 0) + field("io_threaded_writes_processed", 0) +
         field("reply_buffer_shrinks", 0) + field("reply_buffer_expands", 0) +
         field("acl_access_denied_auth", denied.auth) + field("acl_access_denied_cmd", denied.command) +
         field("acl_access_denied_key", denied.key) + field("acl_access_denied_channel", denied.channel);
}

std::string replication_section(const Input& in) { return in.engine.replication().info(in.now); }

std::string cpu_section(const Input& in) {
  const auto seconds = [](int64_t us) { return fmt::format("{}.{:06}", us / 1000000, us % 1000000); };
  const ProcessUsage& usage = in.engine.usage();
  return field("used_cpu_sys", seconds(usage.system_us)) + field("used_cpu_user", seconds(usage.user_us)) +
         field("used_cpu_sys_children", seconds(0)) + field("used_cpu_user_children", seconds(0));
}

std::string modules_section(const Input&) { return {}; }

std::string commandstats_section(const Input& in) {
  std::string out;
  const auto specs = command::all_specs();
  for (size_t i = 0; i < specs.size(); ++i) {
    const family::CommandStats& stats = in.state.stats.commands_by_spec[i];
    if (stats.calls + stats.rejected + stats.failed == 0) continue;
    out += fmt::format(
        "cmdstat_{}:calls={},usec={},usec_per_call={:.2f},rejected_calls={},failed_calls={}\r\n",
        command::full_name(*specs[i]), stats.calls, stats.nanoseconds / 1000,
        stats.calls == 0 ? 0.0 : static_cast<double>(stats.nanoseconds) / 1000 / static_cast<double>(stats.calls),
        stats.rejected, stats.failed);
  }
  return out;
}

std::string errorstats_section(const Input& in) {
  std::string out;
  for (const auto& [code, count] : in.state.stats.errors) out += fmt::format("errorstat_{}:count={}\r\n", code, count);
  return out;
}

std::string latencystats_section(const Input& in) {
  if (!in.state.settings.latency_tracking) return {};
  std::string out;
  const auto specs = command::all_specs();
  for (size_t i = 0; i < specs.size(); ++i) {
    const family::LatencyHistogram* latencies = in.state.stats.commands_by_spec[i].latencies.get();
    if (latencies == nullptr) continue;
    out += fmt::format("latency_percentiles_usec_{}:", command::full_name(*specs[i]));
    std::string_view separator;
    for (const double percentile : in.state.settings.latency_percentiles) {
      out += fmt::format("{}p{}={:.3f}", separator, trimmed_decimal(percentile),
                         static_cast<double>(latencies->at_percentile(percentile)) / 1000);
      separator = ",";
    }
    out += "\r\n";
  }
  return out;
}

std::string cluster_section(const Input&) { return field("cluster_enabled", 0); }

std::string keyspace_section(const Input& in) {
  constexpr size_t kSampledBuckets = 64;
  std::string out;
  for (size_t db = 0; db < in.state.data->databases(); ++db) {
    const store::Keyspace& keys = in.state.data->db(db);
    if (keys.size() == 0) continue;
    out += fmt::format("db{}:keys={},expires={},avg_ttl={}\r\n", db, keys.size(), keys.expiring(),
                       keys.average_ttl_ms(unix_ms(in.now.wall), kSampledBuckets));
  }
  return out;
}

struct Section {
  std::string_view name;
  std::string_view title;
  bool by_default;
  std::string (*print)(const Input&);
};
constexpr Section kSections[] = {
    {"server", "Server", true, server_section},
    {"clients", "Clients", true, clients_section},
    {"memory", "Memory", true, memory_section},
    {"persistence", "Persistence", true, persistence_section},
    {"stats", "Stats", true, stats_section},
    {"replication", "Replication", true, replication_section},
    {"cpu", "CPU", true, cpu_section},
    {"modules", "Modules", true, modules_section},
    {"commandstats", "Commandstats", false, commandstats_section},
    {"errorstats", "Errorstats", true, errorstats_section},
    {"latencystats", "Latencystats", false, latencystats_section},
    {"cluster", "Cluster", true, cluster_section},
    {"keyspace", "Keyspace", true, keyspace_section},
};

}  // namespace

std::string print_info(const Engine& engine, size_t clients, std::span<const std::string_view> sections, Now now) {
  const Input input{engine, engine.state(), clients, now};
  const auto asked = [&](std::string_view name) {
    return std::any_of(sections.begin(), sections.end(),
                       [&](std::string_view wanted) { return equal_ignoring_case(wanted, name); });
  };
  const bool defaults = sections.empty() || asked("default");
  const bool all = asked("all") || asked("everything");
  std::string out;
  for (const Section& section : kSections) {
    if (!all && !asked(section.name) && !(defaults && section.by_default)) continue;
    if (!out.empty()) out += "\r\n";
    out += fmt::format("# {}\r\n", section.title) + section.print(input);
  }
  return out;
}

}  // namespace holdfast::server
