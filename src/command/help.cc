#include "command/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace holdfast::command {
namespace {
constexpr size_t kShownMax = 128;

/// COMPAT: the original prints a C string: it ends at a NUL.
std::string_view shown(std::string_view word) { return word.substr(0, std::min(word.find('\0'), kShownMax)); }
}  // namespace

void put_help(Reply& reply, std::string_view container, std::span<const std::string_view> lines) {
  reply.array(lines.size() + 3);
  reply.simple(fmt::format("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", to_upper(container)));
  for (const std::string_view line : lines) reply.simple(line);
  reply.simple("HELP");
  reply.simple("    Print this help.");
}

std::string unknown_subcommand(std::string_view container, std::string_view subcommand) {
  return fmt::format("ERR unknown subcommand '{}'. Try {} HELP.", shown(subcommand), to_upper(container));
}

std::string misused_subcommand(std::string_view container, std::string_view subcommand) {
  return fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.", shown(subcommand),
                     to_upper(container));
}

}  // namespace holdfast::command
