// Settings: the values behind redis.conf's directives that handlers and the engine read.
//
// Names follow the directives; units as in redis.conf unless the name says otherwise. Rows that parse, print and apply
// them: server/config.cc.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "acl/users.h"
#include "conf/redis_tls.h"
#include "store/context.h"

namespace holdfast::family {

enum class AppendFsync : uint8_t { kNo, kEverySec, kAlways };

struct SavePoint {
  int64_t seconds = 0;
  int64_t changes = 0;
  bool operator==(const SavePoint&) const = default;
};

/// Words of shutdown-on-sigint and shutdown-on-sigterm.
enum ShutdownFlag : uint32_t {
  kShutdownSave = 1u << 0,
  kShutdownNoSave = 1u << 1,
  kShutdownNow = 1u << 2,
  kShutdownForce = 1u << 3,
};

struct OutputLimit {
  uint64_t hard_bytes = 0;
  uint64_t soft_bytes = 0;
  int64_t soft_seconds = 0;
};

struct Settings {
  // Network
  std::vector<std::string> bind = {"*", "-::*"};
  int64_t port = 6379;
  conf::RedisTls tls;
  int64_t tcp_backlog = 511;
  std::string unixsocket;
  int64_t unixsocketperm = 0;
  int64_t timeout_s = 0;
  int64_t tcp_keepalive_s = 300;
  int64_t maxclients = 10000;
  bool protected_mode = true;
  int64_t proto_max_bulk_len = 512LL * 1024 * 1024;
  int64_t client_query_buffer_limit = 1024LL * 1024 * 1024;
  OutputLimit output_limit_normal{};
  OutputLimit output_limit_replica{256LL << 20, 64LL << 20, 60};
  OutputLimit output_limit_pubsub{32LL << 20, 8LL << 20, 60};

  // General
  int64_t databases = 16;
  bool daemonize = false;
  std::string pidfile;
  std::string logfile;
  std::string dir = "./";
  std::string loglevel = "notice";
  std::string supervised = "no";
  bool always_show_logo = false;
  int64_t hz = 10;
  std::string requirepass;
  std::vector<acl::UserLine> user_lines;  // of the file at start; the users of the moment are State::users
  std::string aclfile;
  std::string acl_pubsub_default = "resetchannels";
  int64_t acllog_max_len = 128;
  std::string enable_debug_command = "no";
  std::string enable_protected_configs = "no";
  uint32_t notify_keyspace_events = 0;

  // Memory
  int64_t maxmemory = 0;
  std::string maxmemory_policy = "noeviction";
  int64_t maxmemory_clients = 0;  // bytes of all clients; negative: percent of maxmemory
  int64_t maxmemory_samples = 5;
  int64_t maxmemory_eviction_tenacity = 10;
  bool replica_ignore_maxmemory = true;
  int64_t lfu_log_factor = 10;
  int64_t lfu_decay_time_min = 1;
  bool lazyfree_lazy_eviction = false;
  bool lazyfree_lazy_expire = false;
  bool lazyfree_lazy_server_del = false;
  bool lazyfree_lazy_user_del = false;
  bool lazyfree_lazy_user_flush = false;
  store::Limits limits;

  // Snapshots
  std::vector<SavePoint> save = {{3600, 1}, {300, 100}, {60, 10000}};
  std::string dbfilename = "dump.rdb";
  bool rdbcompression = true;
  bool rdbchecksum = true;
  int64_t rdb_key_save_delay_us = 0;  // for tests: snapshots take this long for each key
  bool stop_writes_on_bgsave_error = true;

  // Append-only file
  bool appendonly = false;
  std::string appendfilename = "appendonly.aof";
  std::string appenddirname = "appendonlydir";
  AppendFsync appendfsync = AppendFsync::kEverySec;
  bool aof_load_truncated = true;
  bool aof_use_rdb_preamble = true;
  bool aof_timestamp_enabled = false;
  bool aof_disable_auto_gc = false;
  int64_t auto_aof_rewrite_percentage = 100;
  int64_t auto_aof_rewrite_min_size = 64 * 1024 * 1024;

  // Replication
  std::string replicaof_host;  // empty: a primary
  int64_t replicaof_port = 0;
  std::string masteruser;
  std::string masterauth;
  bool replica_read_only = true;
  bool replica_serve_stale_data = true;
  int64_t replica_priority = 100;
  bool replica_announced = true;
  bool replica_protect_data = true;  // docs/decisions/0029
  std::string replica_announce_ip;
  int64_t replica_announce_port = 0;
  int64_t repl_timeout_s = 60;
  int64_t repl_ping_replica_period_s = 10;
  int64_t repl_backlog_size = 1024 * 1024;
  int64_t repl_backlog_disk_size = 0;  // bytes of the backlog kept on disk beyond memory, over restarts too
  int64_t repl_backlog_ttl_s = 3600;
  int64_t repl_spill_size = 4LL * 1024 * 1024 * 1024;  // bytes on disk for what replicas have not taken yet
  int64_t repl_diskless_sync_delay_s = 5;
  int64_t min_replicas_to_write = 0;
  int64_t min_replicas_max_lag_s = 10;

  int64_t slowlog_log_slower_than_us = 10000;
  int64_t slowlog_max_len = 128;
  bool latency_tracking = true;
  std::vector<double> latency_percentiles = {50, 99, 99.9};
  int64_t latency_monitor_threshold_ms = 0;  // 0: off
  int64_t tracking_table_max_keys = 1'000'000;
  int64_t shutdown_timeout_s = 10;
  uint32_t shutdown_on_sigint = 0;  // ShutdownFlag
  uint32_t shutdown_on_sigterm = 0;
  int64_t busy_reply_threshold_ms = 5000;

  /// Directives that are accepted and shown but have no effect (yet), where they differ from their initial value.
  std::map<std::string, std::string, std::less<>> accepted;
};

}  // namespace holdfast::family
