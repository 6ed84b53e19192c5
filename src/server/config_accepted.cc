// Directives of redis.conf 7.2 that are accepted without an effect: tuning of what works differently here or comes
// later.
//
// They are checked, kept, shown by CONFIG GET and written by CONFIG REWRITE, so that files and tools keep working. A
// directive that would promise something we do not do (cluster) accepts its initial value only.
#include <fmt/format.h>

#include "base/text.h"
#include "server/config.h"

namespace holdfast::server {
namespace {

constexpr std::string_view kKept = "accepted, no effect";
constexpr std::string_view kUnsupported = "not supported: only the initial value is accepted";

std::string keep(const ConfigRow& row, Settings& settings, std::string value) {
  if (value == row.initial) {
    settings.accepted.erase(std::string(row.name));
  } else {
    settings.accepted[std::string(row.name)] = std::move(value);
  }
  return {};
}

std::string print_kept(const ConfigRow& row, const Settings& settings) {
  const auto at = settings.accepted.find(row.name);
  return at == settings.accepted.end() ? std::string(row.initial) : at->second;
}

std::string parse_text(const ConfigRow& row, Settings& settings, Values values) {
  if (values.size() != 1) return keep(row, settings, fmt::format("{}", fmt::join(values, " ")));
  return keep(row, settings, values[0]);
}

std::string parse_words(const ConfigRow& row, Settings& settings, Values values) {
  return keep(row, settings, fmt::format("{}", fmt::join(values, " ")));
}

std::string parse_bool(const ConfigRow& row, Settings& settings, Values values) {
  const bool known =
      values.size() == 1 && (equal_ignoring_case(values[0], "yes") || equal_ignoring_case(values[0], "no"));
  return known ? keep(row, settings, to_lower(values[0])) : "argument must be 'yes' or 'no'";
}

std::string parse_integer(const ConfigRow& row, Settings& settings, Values values) {
  const auto value = values.size() == 1 ? parse_int64(values[0]) : std::nullopt;
  return value ? keep(row, settings, std::to_string(*value)) : "argument couldn't be parsed into an integer";
}

std::string parse_memory_value(const ConfigRow& row, Settings& settings, Values values) {
  const auto value = values.size() == 1 ? parse_memory(values[0]) : std::nullopt;
  return value && *value >= 0 ? keep(row, settings, std::to_string(*value)) : "argument must be a memory value";
}

std::string parse_choice(const ConfigRow& row, Settings& settings, Values values) {
  for (const std::string_view choice : split(row.choices, ',')) {
    if (values.size() == 1 && equal_ignoring_case(trim(choice), values[0])) {
      return keep(row, settings, std::string(trim(choice)));
    }
  }
  return fmt::format("argument(s) must be one of the following: {}", row.choices);
}

std::string parse_only(const ConfigRow& row, Settings&, Values values) {
  if (values.size() == 1 && equal_ignoring_case(values[0], row.initial)) return {};
  return fmt::format("{} is not supported by this version", row.name);
}

/// COMPAT: the text of a build without a patched allocator.
std::string parse_defrag(const ConfigRow&, Settings&, Values values) {
  if (values.size() == 1 && equal_ignoring_case(values[0], "no")) return {};
  return "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc like "
         "the "
         "one shipped by default with the Redis source distribution";
}

constexpr ConfigRow kRows[] = {
    {"active-defrag-cycle-max", "", 0, parse_integer, print_kept, kKept, "25"},
    {"active-defrag-cycle-min", "", 0, parse_integer, print_kept, kKept, "1"},
    {"active-defrag-ignore-bytes", "", 0, parse_memory_value, print_kept, kKept, "104857600"},
    {"active-defrag-max-scan-fields", "", 0, parse_integer, print_kept, kKept, "1000"},
    {"active-defrag-threshold-lower", "", 0, parse_integer, print_kept, kKept, "10"},
    {"active-defrag-threshold-upper", "", 0, parse_integer, print_kept, kKept, "100"},
    {"active-expire-effort", "", 0, parse_integer, print_kept, kKept, "1"},
    {"activerehashing", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"aof-rewrite-incremental-fsync", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"aof_rewrite_cpulist", "", 0, parse_text, print_kept, kKept, ""},
    {"bgsave_cpulist", "", 0, parse_text, print_kept, kKept, ""},
    {"bind-source-addr", "", 0, parse_only, print_kept, kUnsupported, ""},
    {"bio_cpulist", "", 0, parse_text, print_kept, kKept, ""},
    {"client-default-resp", "", 0, parse_only, print_kept, kUnsupported, "2"},
    {"cluster-allow-pubsubshard-when-down", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"cluster-allow-reads-when-down", "", 0, parse_bool, print_kept, kKept, "no"},
    {"cluster-allow-replica-migration", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"cluster-announce-bus-port", "", 0, parse_integer, print_kept, kKept, "0"},
    {"cluster-announce-hostname", "", 0, parse_text, print_kept, kKept, ""},
    {"cluster-announce-human-nodename", "", 0, parse_text, print_kept, kKept, ""},
    {"cluster-announce-ip", "", 0, parse_text, print_kept, kKept, ""},
    {"cluster-announce-port", "", 0, parse_integer, print_kept, kKept, "0"},
    {"cluster-announce-tls-port", "", 0, parse_integer, print_kept, kKept, "0"},
    {"cluster-config-file", "", 0, parse_text, print_kept, kKept, "nodes.conf"},
    {"cluster-enabled", "", 0, parse_only, print_kept, kUnsupported, "no"},
    {"cluster-link-sendbuf-limit", "", 0, parse_memory_value, print_kept, kKept, "0"},
    {"cluster-migration-barrier", "", 0, parse_integer, print_kept, kKept, "1"},
    {"cluster-node-timeout", "", 0, parse_integer, print_kept, kKept, "15000"},
    {"cluster-port", "", 0, parse_integer, print_kept, kKept, "0"},
    {"cluster-preferred-endpoint-type", "", 0, parse_choice, print_kept, kKept, "ip", "ip, hostname, unknown-endpoint"},
    {"cluster-replica-no-failover", "cluster-slave-no-failover", 0, parse_bool, print_kept, kKept, "no"},
    {"cluster-replica-validity-factor", "cluster-slave-validity-factor", 0, parse_integer, print_kept, kKept, "10"},
    {"cluster-require-full-coverage", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"crash-log-enabled", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"crash-memcheck-enabled", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"disable-thp", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"dynamic-hz", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"enable-module-command", "", 0, parse_choice, print_kept, kKept, "no", "no, yes, local"},
    {"hll-sparse-max-bytes", "", 0, parse_memory_value, print_kept, kKept, "3000"},
    {"ignore-warnings", "", 0, parse_text, print_kept, kKept, ""},
    {"io-threads", "", 0, parse_integer, print_kept, kKept, "1"},
    {"io-threads-do-reads", "", 0, parse_bool, print_kept, kKept, "no"},
    {"jemalloc-bg-thread", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"list-compress-depth", "", 0, parse_integer, print_kept, kKept, "0"},
    {"locale-collate", "", 0, parse_text, print_kept, kKept, ""},
    {"no-appendfsync-on-rewrite", "", 0, parse_bool, print_kept, kKept, "no"},
    {"oom-score-adj", "", 0, parse_choice, print_kept, kKept, "no", "no, yes, relative, absolute"},
    {"oom-score-adj-values", "", 0, parse_words, print_kept, kKept, "0 200 800"},
    {"proc-title-template", "", 0, parse_text, print_kept, kKept, "{title} {listen-addr} {server-mode}"},
    {"propagation-error-behavior", "", 0, parse_choice, print_kept, kKept, "ignore",
     "ignore, panic, panic-on-replicas"},
    {"rdb-del-sync-files", "", 0, parse_bool, print_kept, kKept, "no"},
    {"rdb-save-incremental-fsync", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"repl-disable-tcp-nodelay", "", 0, parse_bool, print_kept, kKept, "no"},
    {"repl-diskless-load", "", 0, parse_choice, print_kept, kKept, "disabled", "disabled, on-empty-db, swapdb"},
    {"repl-diskless-sync", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"repl-diskless-sync-max-replicas", "", 0, parse_integer, print_kept, kKept, "0"},
    {"replica-ignore-disk-write-errors", "", 0, parse_bool, print_kept, kKept, "no"},
    {"replica-lazy-flush", "slave-lazy-flush", 0, parse_bool, print_kept, kKept, "no"},
    {"sanitize-dump-payload", "", 0, parse_choice, print_kept, kKept, "no", "no, yes, clients"},
    {"server_cpulist", "", 0, parse_text, print_kept, kKept, ""},
    {"set-proc-title", "", 0, parse_bool, print_kept, kKept, "yes"},
    {"socket-mark-id", "", 0, parse_only, print_kept, kUnsupported, "0"},
    {"syslog-enabled", "", 0, parse_bool, print_kept, kKept, "no"},
    {"syslog-facility", "", 0, parse_choice, print_kept, kKept, "local0",
     "user, local0, local1, local2, local3, local4, local5, local6, local7"},
    {"syslog-ident", "", 0, parse_text, print_kept, kKept, "redis"},
    {"activedefrag", "", 0, parse_defrag, print_kept, kUnsupported, "no"},
};

}  // namespace

std::span<const ConfigRow> accepted_rows() { return kRows; }

}  // namespace holdfast::server
