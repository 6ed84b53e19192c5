// What a server tells about itself: INFO, TIME, MEMORY.
#include <fmt/format.h>

#include "base/text.h"
#include "family/bindings.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

void info_command(Context& c) { c.reply.verbatim("txt", c.services.info(c.argv.subspan(1), c.now)); }

void time_command(Context& c) {
  const int64_t us = c.now.wall.time_since_epoch().count();
  c.reply.array(2);
  c.reply.bulk(std::to_string(us / 1000000));
  c.reply.bulk(std::to_string(us % 1000000));
}

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

constexpr Binding kBindings[] = {
    {"info", info_command},
    {"memory|doctor", memory_doctor_command},
    {"memory|usage", memory_usage_command},
    {"time", time_command},
};

}  // namespace

std::span<const Binding> introspection_bindings() { return kBindings; }

}  // namespace holdfast::family
