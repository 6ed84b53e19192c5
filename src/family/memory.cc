// MEMORY: what data and buffers cost.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "family/bindings.h"
#include "family/help.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

void memory_usage_command(Context& c) {
  for (size_t i = 3; i < c.argv.size(); ++i) {
    const bool samples = equal_ignoring_case(c.argv[i], "samples") && i + 1 < c.argv.size();
    if (!samples) return c.reply.error(command::kSyntaxError);
    const auto count = parse_int64(c.argv[++i]);
    if (!count) return c.reply.error(command::kNotAnInteger);
    if (*count < 0) return c.reply.error(command::kSyntaxError);
  }
  const store::Entry* entry = lookup_read(c, c.key(c.argv[2]));
  entry == nullptr ? c.reply.null() : c.reply.integer(static_cast<int64_t>(entry->memory()));
}

double ratio(size_t part, size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}
int64_t difference(size_t a, size_t b) { return static_cast<int64_t>(a) - static_cast<int64_t>(b); }

void memory_stats_command(Context& c) {
  const MemoryFigures figures = c.services.memory_figures();
  const store::Dataset& data = *c.state.data;
  size_t databases = 0;
  size_t tables = 0;
  for (size_t i = 0; i < data.databases(); ++i) {
    databases += data.db(i).size() > 0 ? 1 : 0;
    tables += data.db(i).keys().table.memory();
  }
  const size_t total = figures.data + figures.clients + figures.replicas + figures.backlog;
  const size_t overhead = tables + figures.clients + figures.replicas + figures.backlog;
  const size_t dataset = total - overhead;
  const size_t peak = std::max(total, figures.peak);
  const auto field = [&](std::string_view name, int64_t value) {
    c.reply.bulk(name);
    c.reply.integer(value);
  };
  const auto share = [&](std::string_view name, double value) {
    c.reply.bulk(name);
    c.reply.number(value);
  };
  c.reply.map(27 + databases);
  field("peak.allocated", static_cast<int64_t>(peak));
  field("total.allocated", static_cast<int64_t>(total));
  field("startup.allocated", 0);
  field("replication.backlog", static_cast<int64_t>(figures.backlog));
  field("clients.slaves", static_cast<int64_t>(figures.replicas));
  field("clients.normal", static_cast<int64_t>(figures.clients));
  for (const std::string_view name : {"cluster.links", "aof.buffer", "lua.caches", "functions.caches"}) field(name, 0);
  for (size_t i = 0; i < data.databases(); ++i) {
    if (data.db(i).size() == 0) continue;
    c.reply.bulk(fmt::format("db.{}", i));
    c.reply.map(3);
    field("overhead.hashtable.main", static_cast<int64_t>(data.db(i).keys().table.memory()));
    field("overhead.hashtable.expires", 0);
    field("overhead.hashtable.slot-to-keys", 0);
  }
  field("overhead.total", static_cast<int64_t>(overhead));
  field("keys.count", static_cast<int64_t>(data.size()));
  field("keys.bytes-per-key", data.size() == 0 ? 0 : static_cast<int64_t>(total / data.size()));
  field("dataset.bytes", static_cast<int64_t>(dataset));
  share("dataset.percentage", ratio(dataset, total) * 100);
  share("peak.percentage", ratio(total, peak) * 100);
  field("allocator.allocated", static_cast<int64_t>(total));
  field("allocator.active", static_cast<int64_t>(figures.allocated));
  field("allocator.resident", static_cast<int64_t>(figures.allocated));
  share("allocator-fragmentation.ratio", ratio(figures.allocated, total));
  field("allocator-fragmentation.bytes", difference(figures.allocated, total));
  share("allocator-rss.ratio", 1);
  field("allocator-rss.bytes", 0);
  share("rss-overhead.ratio", ratio(figures.resident, figures.allocated));
  field("rss-overhead.bytes", difference(figures.resident, figures.allocated));
  share("fragmentation", ratio(figures.resident, total));
  field("fragmentation.bytes", difference(figures.resident, total));
}

void memory_doctor_command(Context& c) {
  constexpr size_t kLittle = 5 * 1024 * 1024;
  // COMPAT: the original's words, for a server it finds nothing wrong with.
  c.reply.verbatim("txt", c.state.data->used_memory() < kLittle
                              ? "Hi Sam, this instance is empty or is using very little memory, my issue detector "
                                "can't be used in these conditions. Please, leave for your mission on Earth and fill "
                                "it with some data. The new Sam and I will be back to our programming as soon as I "
                                "finished rebooting.\n"
                              : "Hi Sam, I can't find any memory issue in your instance. I can only account for what "
                                "occurs on this base.\n");
}

void memory_malloc_stats_command(Context& c) {
  c.reply.verbatim("txt", "Stats not supported for the current allocator");
}

/// Pages go back to the system as soon as they are empty, but for a few that are kept.
void memory_purge_command(Context& c) {
  c.state.data->context().heap.purge();
  c.reply.ok();
}

void memory_help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Return memory problems reports.",
      "MALLOC-STATS",
      "    Return internal statistics report from the memory allocator.",
      "PURGE",
      "    Attempt to purge dirty pages for reclamation by the allocator.",
      "STATS",
      "    Return information about the memory usage of the server.",
      "USAGE <key> [SAMPLES <count>]",
      "    Return memory in bytes used by <key> and its value. Nested values are",
      "    sampled up to <count> times (default: 5, 0 means sample all).",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"memory|doctor", memory_doctor_command},
    {"memory|help", memory_help_command},
    {"memory|malloc-stats", memory_malloc_stats_command},
    {"memory|purge", memory_purge_command},
    {"memory|stats", memory_stats_command},
    {"memory|usage", memory_usage_command},
};

}  // namespace

std::span<const Binding> memory_bindings() { return kBindings; }

}  // namespace holdfast::family
