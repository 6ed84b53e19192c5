#include "family/help.h"

#include <fmt/format.h>

#include "base/text.h"

namespace holdfast::family {

void reply_help(Context& c, std::span<const std::string_view> lines) {
  const std::string_view name = c.spec.parent.empty() ? c.spec.name : c.spec.parent;
  c.reply.array(lines.size() + 3);
  c.reply.simple(fmt::format("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", to_upper(name)));
  for (const std::string_view line : lines) c.reply.simple(line);
  c.reply.simple("HELP");
  c.reply.simple("    Prints this help.");
}

void reply_unknown_subcommand(Context& c) {
  c.reply.error(fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.",
                            c.argv[1].substr(0, 128), to_upper(c.spec.parent)));
}

}  // namespace holdfast::family
