// SLOWLOG.
#include <algorithm>
#include <limits>

#include "base/text.h"
#include "family/bindings.h"
#include "family/help.h"

namespace holdfast::family {
namespace {

void get_command(Context& c) {
  if (c.argv.size() > 3) return reply_unknown_subcommand(c);
  const auto& entries = c.state.slow_log.entries();
  int64_t count = 10;
  if (c.argv.size() == 3) {
    const auto wanted = parse_int64(c.argv[2]);
    if (!wanted || *wanted < -1) return c.reply.error("ERR count should be greater than or equal to -1");
    count = *wanted == -1 ? std::numeric_limits<int64_t>::max() : *wanted;
  }
  const size_t shown = std::min(static_cast<size_t>(count), entries.size());
  c.reply.array(shown);
  for (size_t i = 0; i < shown; ++i) {
    const SlowEntry& entry = entries[i];
    c.reply.array(6);
    c.reply.integer(static_cast<int64_t>(entry.id));
    c.reply.integer(entry.at_unix_s);
    c.reply.integer(entry.duration_us);
    c.reply.array(entry.words.size());
    for (const std::string& word : entry.words) c.reply.bulk(word);
    c.reply.bulk(entry.peer);
    c.reply.bulk(entry.client_name);
  }
}

void len_command(Context& c) { c.reply.integer(static_cast<int64_t>(c.state.slow_log.entries().size())); }

void reset_command(Context& c) {
  c.state.slow_log.clear();
  c.reply.ok();
}

void help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "GET [<count>]",
      "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
      "    Entries are made of:",
      "    id, timestamp, time in microseconds, arguments array, client IP and port,",
      "    client name",
      "LEN",
      "    Return the length of the slowlog.",
      "RESET",
      "    Reset the slowlog.",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"slowlog|get", get_command},
    {"slowlog|help", help_command},
    {"slowlog|len", len_command},
    {"slowlog|reset", reset_command},
};

}  // namespace

std::span<const Binding> slow_log_bindings() { return kBindings; }

}  // namespace holdfast::family
