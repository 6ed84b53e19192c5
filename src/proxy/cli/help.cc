#include "proxy/cli/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace holdfast::proxy {

int shared_cli_words(std::string_view name, const std::vector<std::string>& words) {
  const auto parts = split(name, ' ');
  int shared = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i >= words.size()) return shared;
    if (parts[i] != words[i]) return shared == 0 ? -1 : shared;
    ++shared;
  }
  return shared;
}

std::string list_commands(std::vector<CliHelpRow> rows, const std::vector<std::string>& words, CliListing listing) {
  int best = 1;
  for (const CliHelpRow& row : rows) best = std::max(best, shared_cli_words(row.name, words));
  const auto is_near = [&](const CliHelpRow& row) { return shared_cli_words(row.name, words) == best; };
  const bool narrow = listing != CliListing::kAll && std::ranges::any_of(rows, is_near);
  if (narrow) std::erase_if(rows, [&](const CliHelpRow& row) { return !is_near(row); });
  std::string out = listing != CliListing::kUnknown ? "The following commands are valid at this level:\n"
                    : narrow ? "Unknown command, but maybe one of the following ones is a better match:\n"
                             : "Unknown command. Please enter one of the following commands only:\n";
  std::ranges::sort(rows, {}, &CliHelpRow::usage);
  rows.push_back({"help", "help [<command>]", "list matching or all commands"});
  rows.push_back({"prompt", "prompt", "toggle interactive mode with prompt"});
  rows.push_back({"quit", "quit", "disconnect"});
  for (const CliHelpRow& row : rows) out += fmt::format("  {:<40}: {}\n", row.usage, row.help);
  return out;
}

}  // namespace holdfast::proxy
