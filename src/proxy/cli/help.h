// The list that `help` and unknown commands of a runtime API print: the commands that share most leading words with
// what was typed.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::proxy {

struct CliHelpRow {
  std::string_view name;   // words, separated by one space
  std::string_view usage;  // as it is listed: `show backend`
  std::string_view help;
};

/// How many leading words of the command's name `words` begins with; -1 = they differ before either ends.
int shared_cli_words(std::string_view name, const std::vector<std::string>& words);
enum class CliListing {
  kAll,       // `help`
  kMatching,  // `help <command>`
  kUnknown,   // in answer to what is no command
};
/// The rows nearest to `words`, or every row if none is near.
std::string list_commands(std::vector<CliHelpRow> rows, const std::vector<std::string>& words, CliListing listing);

}  // namespace holdfast::proxy
