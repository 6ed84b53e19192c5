// What a server tells about itself: INFO, TIME.
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

constexpr Binding kBindings[] = {
    {"info", info_command},
    {"time", time_command},
};

}  // namespace

std::span<const Binding> introspection_bindings() { return kBindings; }

}  // namespace holdfast::family
