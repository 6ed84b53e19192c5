// The rows of server/config.h: how each directive of redis.conf is read and printed.
#include "server/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "family/context.h"
#include "server/config_values.h"

namespace holdfast::server {
namespace {

using family::OutputLimit;
using family::SavePoint;

/// 2147483648 = `2gb`; what is no whole number of kb stays in bytes.
std::string print_memory(int64_t bytes) {
  if (bytes == 0 || bytes % 1024 != 0) return std::to_string(bytes);
  if (bytes % (1 << 30) == 0) return fmt::format("{}gb", bytes >> 30);
  if (bytes % (1 << 20) == 0) return fmt::format("{}mb", bytes >> 20);
  return fmt::format("{}kb", bytes >> 10);
}

template <auto Member, int64_t Min, int64_t Max>
std::string parse_limit(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  const auto value = parse_int64(values[0]);
  if (!value) return "argument couldn't be parsed into an integer";
  if (*value < Min || *value > Max) return fmt::format("argument must be between {} and {} inclusive", Min, Max);
  using Field = std::remove_cvref_t<decltype(settings.limits.*Member)>;
  settings.limits.*Member = static_cast<Field>(*value);
  return {};
}
template <auto Member, int64_t Min, int64_t Max>
std::string parse_limit_bytes(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  const auto value = parse_memory(values[0]);
  if (!value) return "argument must be a memory value";
  if (*value < Min || *value > Max) return fmt::format("argument must be between {} and {} inclusive", Min, Max);
  using Field = std::remove_cvref_t<decltype(settings.limits.*Member)>;
  settings.limits.*Member = static_cast<Field>(*value);
  return {};
}
template <auto Member>
std::string print_limit(const ConfigRow&, const Settings& settings) {
  return std::to_string(settings.limits.*Member);
}

// Directives with a grammar of their own.

std::string parse_save(const ConfigRow&, Settings& settings, Values values) {
  if (values.empty() || (values.size() == 1 && values[0].empty())) {
    settings.save.clear();
    return {};
  }
  std::vector<std::string> words;
  for (const std::string& value : values) {
    std::vector<std::string> parts;
    if (!split_quoted(value, parts)) return "Invalid save parameters";
    words.insert(words.end(), parts.begin(), parts.end());
  }
  if (words.empty() || words.size() % 2 != 0) return "Invalid save parameters";
  std::vector<SavePoint> points;
  for (size_t i = 0; i < words.size(); i += 2) {
    const auto seconds = parse_int64(words[i]);
    const auto changes = parse_int64(words[i + 1]);
    if (!seconds || !changes || *seconds < 1 || *changes < 0) return "Invalid save parameters";
    points.push_back({*seconds, *changes});
  }
  settings.save = std::move(points);
  return {};
}
std::string print_save(const ConfigRow&, const Settings& settings) {
  std::string out;
  for (const SavePoint& point : settings.save) {
    if (!out.empty()) out += ' ';
    out += fmt::format("{} {}", point.seconds, point.changes);
  }
  return out;
}

std::string parse_bind(const ConfigRow&, Settings& settings, Values values) {
  std::vector<std::string> words(values.begin(), values.end());
  if (words.size() == 1) {
    words.clear();
    split_quoted(values[0], words);
  }
  if (words.size() > 16) return "Too many bind addresses specified.";
  settings.bind = std::move(words);
  return {};
}
std::string print_bind(const ConfigRow&, const Settings& settings) {
  return fmt::format("{}", fmt::join(settings.bind, " "));
}

std::string parse_replicaof(const ConfigRow&, Settings& settings, Values given) {
  std::vector<std::string> values(given.begin(), given.end());
  if (values.size() == 1) split_quoted(given[0], values);  // `--replicaof "host port"`
  if (values.size() != 2) return std::string(kWrongCount);
  if (equal_ignoring_case(values[0], "no") && equal_ignoring_case(values[1], "one")) {
    settings.replicaof_host.clear();
    settings.replicaof_port = 0;
    return {};
  }
  const auto port = parse_int64(values[1]);
  if (!port || *port < 0 || *port > 65535) return "Invalid master port";
  settings.replicaof_host = values[0];
  settings.replicaof_port = *port;
  return {};
}
std::string print_replicaof(const ConfigRow&, const Settings& settings) {
  return settings.replicaof_host.empty() ? "" : fmt::format("{} {}", settings.replicaof_host, settings.replicaof_port);
}

struct NotifyLetter {
  char letter;
  uint32_t bit;
};
constexpr NotifyLetter kNotifyLetters[] = {
    {'g', family::kNotifyGeneric}, {'$', family::kNotifyString},   {'l', family::kNotifyList},
    {'s', family::kNotifySet},     {'h', family::kNotifyHash},     {'z', family::kNotifySortedSet},
    {'x', family::kNotifyExpired}, {'e', family::kNotifyEvicted},  {'t', family::kNotifyStream},
    {'d', family::kNotifyModule},  {'K', family::kNotifyKeyspace}, {'E', family::kNotifyKeyevent},
    {'m', family::kNotifyKeyMiss}, {'n', family::kNotifyNew},
};
constexpr uint32_t kNotifyAll = family::kNotifyGeneric | family::kNotifyString | family::kNotifyList |
                                family::kNotifySet | family::kNotifyHash | family::kNotifySortedSet |
                                family::kNotifyExpired | family::kNotifyEvicted | family::kNotifyStream |
                                family::kNotifyModule;

std::string parse_notify(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  uint32_t bits = 0;
  for (const char c : values[0]) {
    if (c == 'A') {
      bits |= kNotifyAll;
      continue;
    }
    const auto* row = std::find_if(std::begin(kNotifyLetters), std::end(kNotifyLetters),
                                   [&](const NotifyLetter& letter) { return letter.letter == c; });
    if (row == std::end(kNotifyLetters)) return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
    bits |= row->bit;
  }
  settings.notify_keyspace_events = bits;
  return {};
}
std::string print_notify(const ConfigRow&, const Settings& settings) {
  const uint32_t bits = settings.notify_keyspace_events;
  std::string out;
  const bool all = (bits & kNotifyAll) == kNotifyAll;
  if (all) out += 'A';
  for (const NotifyLetter& row : kNotifyLetters) {
    if ((bits & row.bit) != 0 && !(all && (row.bit & kNotifyAll) != 0)) out += row.letter;
  }
  return out;
}

struct OutputClass {
  std::string_view name;
  std::string_view alias;
  OutputLimit Settings::* member;
};
constexpr OutputClass kOutputClasses[] = {
    {"normal", "normal", &Settings::output_limit_normal},
    {"slave", "replica", &Settings::output_limit_replica},
    {"pubsub", "pubsub", &Settings::output_limit_pubsub},
};

std::string parse_output_limits(const ConfigRow&, Settings& settings, Values values) {
  std::vector<std::string> words(values.begin(), values.end());
  if (words.size() == 1) split_quoted(values[0], words);
  if (words.empty() || words.size() % 4 != 0) return "Wrong number of arguments in buffer limit configuration.";
  Settings copy = settings;
  for (size_t i = 0; i < words.size(); i += 4) {
    const auto* row = std::find_if(std::begin(kOutputClasses), std::end(kOutputClasses), [&](const OutputClass& c) {
      return equal_ignoring_case(c.name, words[i]) || equal_ignoring_case(c.alias, words[i]);
    });
    if (row == std::end(kOutputClasses)) return "Invalid client class specified in buffer limit configuration.";
    const auto hard = parse_memory(words[i + 1]);
    const auto soft = parse_memory(words[i + 2]);
    const auto seconds = parse_int64(words[i + 3]);
    if (!hard || !soft || !seconds || *hard < 0 || *soft < 0 || *seconds < 0) {
      return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    }
    copy.*(row->member) = {static_cast<uint64_t>(*hard), static_cast<uint64_t>(*soft), *seconds};
  }
  settings = copy;
  return {};
}
std::string print_output_limits(const ConfigRow&, const Settings& settings) {
  std::string out;
  for (const OutputClass& row : kOutputClasses) {
    const OutputLimit& limit = settings.*(row.member);
    if (!out.empty()) out += ' ';
    out += fmt::format("{} {} {} {}", row.name, limit.hard_bytes, limit.soft_bytes, limit.soft_seconds);
  }
  return out;
}

std::string parse_octal(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  int64_t mode = 0;
  const std::string& text = values[0];
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc() || end != text.data() + text.size() || mode < 0 || mode > 0777) {
    return "argument couldn't be parsed as an octal number";
  }
  settings.unixsocketperm = mode;
  return {};
}
std::string print_octal(const ConfigRow&, const Settings& settings) {
  return fmt::format("{:o}", settings.unixsocketperm);
}

template <auto Member>
std::string parse_access(const ConfigRow&, Settings& settings, Values values) {
  return parse_choice<Member>(settings, values, "no, yes, local");
}
std::string parse_loglevel(const ConfigRow&, Settings& settings, Values values) {
  return parse_choice<&Settings::loglevel>(settings, values, "debug, verbose, notice, warning, nothing");
}
std::string parse_supervised(const ConfigRow&, Settings& settings, Values values) {
  return parse_choice<&Settings::supervised>(settings, values, "upstart, systemd, auto, no");
}
std::string parse_policy(const ConfigRow&, Settings& settings, Values values) {
  return parse_choice<&Settings::maxmemory_policy>(settings, values,
                                                   "volatile-lru, volatile-lfu, volatile-random, volatile-ttl, "
                                                   "allkeys-lru, allkeys-lfu, allkeys-random, noeviction");
}
std::string parse_dbfilename(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  if (values[0].find('/') != std::string::npos) return "dbfilename can't be a path, just a filename";
  settings.dbfilename = values[0];
  return {};
}
/// CONFIG SET of `dir` would change where running saves go; the process changes its directory at start only.
std::string parse_dir(const ConfigRow& row, Settings& settings, Values values) {
  return parse_text<&Settings::dir>(row, settings, values);
}

#define HF_LIMIT(name, alias, member, low, high, summary)                                                        \
  ConfigRow {                                                                                                    \
    name, alias, 0, parse_limit<&store::Limits::member, low, high>, print_limit<&store::Limits::member>, summary \
  }

constexpr ConfigRow kRows[] = {
    HF_BOOL("always-show-logo", "", kConfigImmutable, always_show_logo,
            "show the logo in the log even without a terminal"),
    ConfigRow{"acl-pubsub-default", "", 0,
              [](const ConfigRow&, Settings& s, Values v) {
                return parse_choice<&Settings::acl_pubsub_default>(s, v, "allchannels, resetchannels");
              },
              print_text<&Settings::acl_pubsub_default>, "channels a new user may use"},
    HF_TEXT("aclfile", "", kConfigImmutable, aclfile, "file of the users"),
    HF_INTEGER("acllog-max-len", "", 0, acllog_max_len, 0, kLongMax, "refusals remembered"),
    HF_BOOL("aof-disable-auto-gc", "", 0, aof_disable_auto_gc, "keep append-only files that a rewrite replaced"),
    HF_BOOL("aof-load-truncated", "", 0, aof_load_truncated, "start with an append-only file whose end is missing"),
    HF_BOOL("aof-timestamp-enabled", "", 0, aof_timestamp_enabled, "note the time in the append-only file"),
    HF_BOOL("aof-use-rdb-preamble", "", 0, aof_use_rdb_preamble, "write the base as RDB instead of commands"),
    HF_BOOL("appendonly", "", 0, appendonly, "keep an append-only file"),
    HF_BYTES("auto-aof-rewrite-min-size", "", 0, auto_aof_rewrite_min_size, 0, kLongMax,
             "smallest append-only file that is rewritten by itself"),
    HF_INTEGER("auto-aof-rewrite-percentage", "", 0, auto_aof_rewrite_percentage, 0, kIntMax,
               "growth after which it is; 0: never"),
    ConfigRow{"bind", "", 0, parse_bind, print_bind, "addresses to listen on; `-` before one makes it optional"},
    HF_INTEGER("busy-reply-threshold", "lua-time-limit", 0, busy_reply_threshold_ms, 0, kLongMax,
               "milliseconds of a script after which others are refused"),
    ConfigRow{"client-output-buffer-limit", "", kConfigMultiple, parse_output_limits, print_output_limits,
              "hard and soft bounds of unread replies per class of clients"},
    HF_BYTES("client-query-buffer-limit", "", 0, client_query_buffer_limit, 1 << 20, kLongMax,
             "bound of unprocessed request bytes per client"),
    HF_BOOL("daemonize", "", kConfigImmutable, daemonize, "run in the background"),
    HF_INTEGER("databases", "", kConfigImmutable, databases, 1, kIntMax, "number of databases"),
    ConfigRow{"dbfilename", "", 0, parse_dbfilename, print_text<&Settings::dbfilename>, "name of the snapshot file"},
    ConfigRow{"dir", "", 0, parse_dir, print_text<&Settings::dir>, "working directory"},
    ConfigRow{"enable-debug-command", "", kConfigImmutable, parse_access<&Settings::enable_debug_command>,
              print_text<&Settings::enable_debug_command>, "who may use DEBUG"},
    ConfigRow{"enable-protected-configs", "", kConfigImmutable, parse_access<&Settings::enable_protected_configs>,
              print_text<&Settings::enable_protected_configs>, "who may change protected directives"},
    HF_LIMIT("hash-max-listpack-entries", "hash-max-ziplist-entries", hash_max_listpack_entries, 0, kIntMax,
             "fields a compact hash may have"),
    HF_LIMIT("hash-max-listpack-value", "hash-max-ziplist-value", hash_max_listpack_value, 0, kIntMax,
             "bytes a field or value of a compact hash may have"),
    HF_INTEGER("hz", "", 0, hz, 1, 500, "accepted for compatibility; work is driven by deadlines"),
    HF_BOOL("lazyfree-lazy-eviction", "", 0, lazyfree_lazy_eviction, "free evicted values in steps"),
    HF_BOOL("lazyfree-lazy-expire", "", 0, lazyfree_lazy_expire, "free expired values in steps"),
    HF_BOOL("lazyfree-lazy-server-del", "", 0, lazyfree_lazy_server_del, "free overwritten values in steps"),
    HF_BOOL("lazyfree-lazy-user-del", "", 0, lazyfree_lazy_user_del, "DEL frees as UNLINK does"),
    HF_BOOL("lazyfree-lazy-user-flush", "", 0, lazyfree_lazy_user_flush, "flushing is ASYNC unless told"),
    HF_INTEGER("lfu-decay-time", "", 0, lfu_decay_time_min, 0, kIntMax, "minutes until a frequency falls by one"),
    HF_INTEGER("lfu-log-factor", "", 0, lfu_log_factor, 0, kIntMax, "how slowly frequencies grow"),
    HF_LIMIT("list-max-listpack-size", "list-max-ziplist-size", list_max_listpack_size, -5, kIntMax,
             "elements or size class of a list's nodes"),
    HF_TEXT("logfile", "", kConfigImmutable, logfile, "log file; empty for standard output"),
    ConfigRow{"loglevel", "", 0, parse_loglevel, print_text<&Settings::loglevel>, "least important lines to log"},
    HF_TEXT("masterauth", "", 0, masterauth, "password for the primary"),
    HF_TEXT("masteruser", "", 0, masteruser, "user for the primary"),
    HF_INTEGER("maxclients", "", 0, maxclients, 1, kIntMax, "connections at most"),
    HF_BYTES("maxmemory", "", 0, maxmemory, 0, kLongMax, "bytes of data at most, 0 for no bound"),
    HF_INTEGER("maxmemory-eviction-tenacity", "", 0, maxmemory_eviction_tenacity, 0, 100, "work per eviction"),
    ConfigRow{"maxmemory-policy", "", 0, parse_policy, print_text<&Settings::maxmemory_policy>,
              "what to evict at the bound"},
    HF_INTEGER("maxmemory-samples", "", 0, maxmemory_samples, 1, 64, "keys looked at per eviction"),
    HF_INTEGER("min-replicas-max-lag", "min-slaves-max-lag", 0, min_replicas_max_lag_s, 0, kIntMax,
               "seconds without acknowledgement after which a replica does not count"),
    HF_INTEGER("min-replicas-to-write", "min-slaves-to-write", 0, min_replicas_to_write, 0, kIntMax,
               "good replicas needed to accept writes"),
    ConfigRow{"notify-keyspace-events", "", 0, parse_notify, print_notify, "keyspace events to publish"},
    HF_TEXT("pidfile", "", kConfigImmutable, pidfile, "file for the process id"),
    HF_INTEGER("port", "", 0, port, 0, 65535, "TCP port, 0 for none"),
    HF_BOOL("protected-mode", "", 0, protected_mode, "serve only loopback while there is no password"),
    HF_BYTES("proto-max-bulk-len", "", 0, proto_max_bulk_len, 1 << 20, kLongMax, "bytes of one string at most"),
    HF_BOOL("rdbchecksum", "", kConfigImmutable, rdbchecksum, "checksum snapshot files"),
    HF_BOOL("rdbcompression", "", 0, rdbcompression, "compress strings in snapshot files"),
    HF_TEXT("replica-announce-ip", "slave-announce-ip", 0, replica_announce_ip, "address a replica reports"),
    HF_INTEGER("replica-announce-port", "slave-announce-port", 0, replica_announce_port, 0, 65535,
               "port a replica reports"),
    HF_BOOL("replica-announced", "", 0, replica_announced, "whether Sentinels list this replica"),
    HF_BOOL("replica-ignore-maxmemory", "slave-ignore-maxmemory", 0, replica_ignore_maxmemory, "replicas do not evict"),
    HF_INTEGER("replica-priority", "slave-priority", 0, replica_priority, 0, kIntMax,
               "a Sentinel promotes the lowest first; 0 never"),
    HF_BOOL("replica-protect-data", "", 0, replica_protect_data, "no silent copy of a primary that lost its data"),
    HF_BOOL("replica-read-only", "slave-read-only", 0, replica_read_only, "refuse writes on a replica"),
    HF_BOOL("replica-serve-stale-data", "slave-serve-stale-data", 0, replica_serve_stale_data,
            "answer reads while the primary is away"),
    HF_INTEGER("rdb-key-save-delay", "", kConfigHidden, rdb_key_save_delay_us, kIntMin, kIntMax,
               "microseconds a snapshot rests after each key"),
    ConfigRow{"replicaof", "slaveof", kConfigImmutable, parse_replicaof, print_replicaof, "the primary to follow"},
    HF_BYTES("repl-backlog-size", "", 0, repl_backlog_size, 1, kLongMax, "bytes kept for partial resynchronization"),
    HF_BYTES("repl-backlog-disk-size", "", 0, repl_backlog_disk_size, 0, kLongMax / 4,
             "bytes of the backlog kept on disk beyond memory"),
    HF_INTEGER("repl-backlog-ttl", "", 0, repl_backlog_ttl_s, 0, kLongMax,
               "seconds the backlog outlives the last replica"),
    HF_INTEGER("repl-diskless-sync-delay", "", 0, repl_diskless_sync_delay_s, 0, kIntMax,
               "seconds to wait for more replicas before a full synchronization"),
    HF_INTEGER("repl-ping-replica-period", "repl-ping-slave-period", 0, repl_ping_replica_period_s, 1, kIntMax,
               "seconds between pings in the stream"),
    HF_BYTES("repl-spill-size", "", 0, repl_spill_size, 0, kLongMax, "bytes on disk of what replicas have yet to take"),
    HF_INTEGER("repl-timeout", "", 0, repl_timeout_s, 1, kIntMax, "seconds of silence that end a replication link"),
    HF_TEXT("requirepass", "", 0, requirepass, "password of the default user"),
    ConfigRow{"save", "", kConfigMultiple, parse_save, print_save, "seconds and changes after which to save"},
    HF_LIMIT("set-max-intset-entries", "", set_max_intset_entries, 0, kIntMax,
             "members a compact set of integers may have"),
    HF_LIMIT("set-max-listpack-entries", "", set_max_listpack_entries, 0, kIntMax, "members a compact set may have"),
    HF_LIMIT("set-max-listpack-value", "", set_max_listpack_value, 0, kIntMax,
             "bytes a member of a compact set may have"),
    HF_INTEGER("shutdown-timeout", "", 0, shutdown_timeout_s, 0, kIntMax, "seconds to wait for lagging replicas"),
    ConfigRow{"stream-node-max-bytes", "", kConfigBytes,
              parse_limit_bytes<&store::Limits::stream_node_max_bytes, 0, kLongMax>,
              print_limit<&store::Limits::stream_node_max_bytes>, "bytes of a stream's nodes, 0 for no bound"},
    HF_LIMIT("stream-node-max-entries", "", stream_node_max_entries, 0, kLongMax,
             "entries of a stream's nodes, 0 for no bound"),
    HF_BOOL("stop-writes-on-bgsave-error", "", 0, stop_writes_on_bgsave_error, "refuse writes while saving fails"),
    ConfigRow{"supervised", "", kConfigImmutable, parse_supervised, print_text<&Settings::supervised>,
              "which supervisor to notify"},
    HF_INTEGER("tcp-backlog", "", kConfigImmutable, tcp_backlog, 0, kIntMax, "length of the queue of new connections"),
    HF_INTEGER("tcp-keepalive", "", 0, tcp_keepalive_s, 0, kIntMax, "seconds between keepalive probes"),
    HF_INTEGER("timeout", "", 0, timeout_s, 0, kIntMax, "seconds after which idle clients are closed"),
    HF_TEXT("unixsocket", "", kConfigImmutable, unixsocket, "path of the UNIX socket"),
    ConfigRow{"unixsocketperm", "", kConfigImmutable, parse_octal, print_octal, "permissions of the UNIX socket"},
    HF_LIMIT("zset-max-listpack-entries", "zset-max-ziplist-entries", zset_max_listpack_entries, 0, kIntMax,
             "members a compact sorted set may have"),
    HF_LIMIT("zset-max-listpack-value", "zset-max-ziplist-value", zset_max_listpack_value, 0, kIntMax,
             "bytes a member of a compact sorted set may have"),
};

#undef HF_LIMIT

}  // namespace

std::span<const ConfigRow> acted_rows() { return kRows; }

std::vector<std::string> config_values(const ConfigRow& row, std::string_view value) {
  std::vector<std::string> words;
  if (row.parse == parse_replicaof && split_quoted(value, words)) return words;
  return {std::string(value)};
}

std::vector<std::string> config_lines(const ConfigRow& row, const Settings& settings) {
  if (row.parse == parse_save) {
    std::vector<std::string> lines;
    for (const SavePoint& point : settings.save)
      lines.push_back(fmt::format("save {} {}", point.seconds, point.changes));
    if (lines.empty()) lines.emplace_back("save \"\"");
    return lines;
  }
  if (row.parse == parse_output_limits) {
    std::vector<std::string> lines;
    for (const OutputClass& c : kOutputClasses) {
      const OutputLimit& limit = settings.*(c.member);
      lines.push_back(fmt::format("client-output-buffer-limit {} {} {} {}", c.alias,
                                  print_memory(static_cast<int64_t>(limit.hard_bytes)),
                                  print_memory(static_cast<int64_t>(limit.soft_bytes)), limit.soft_seconds));
    }
    return lines;
  }
  std::string value = row.print(row, settings);
  if ((row.flags & kConfigBytes) != 0) value = print_memory(parse_int64(value).value_or(0));
  if (row.parse == parse_replicaof) {
    if (value.empty()) return {};
    return {"replicaof " + value};
  }
  if (row.parse == parse_bind || ((row.flags & kConfigWords) != 0 && !value.empty())) {
    return {fmt::format("{} {}", row.name, value.empty() ? "\"\"" : value)};
  }
  return {fmt::format("{} {}", row.name, conf::conf_quote(value))};
}

}  // namespace holdfast::server
