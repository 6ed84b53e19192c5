#include "family/help.h"

#include "command/help.h"

namespace holdfast::family {

void reply_help(Context& c, std::span<const std::string_view> lines) {
  command::put_help(c.reply, c.spec.parent.empty() ? c.spec.name : c.spec.parent, lines);
}

void reply_unknown_subcommand(Context& c) { c.reply.error(command::misused_subcommand(c.spec.parent, c.argv[1])); }

}  // namespace holdfast::family
