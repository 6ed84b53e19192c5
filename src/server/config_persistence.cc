// The directives whose values have a grammar of their own: names of the append-only file, its fsync policy, how signals
// end the server.
#include <algorithm>

#include "base/text.h"
#include "server/config_values.h"

namespace holdfast::server {
namespace {

template <std::string Settings::* Member>
std::string print_name(const ConfigRow&, const Settings& settings) {
  return settings.*Member;
}
std::string parse_appendfilename(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  if (values[0].find('/') != std::string::npos) return "appendfilename can't be a path, just a filename";
  settings.appendfilename = values[0];
  return {};
}
std::string parse_appenddirname(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  if (values[0].find('/') != std::string::npos) return "appenddirname can't be a path, just a dirname";
  settings.appenddirname = values[0];
  return {};
}
constexpr std::string_view kFsyncNames[] = {"no", "everysec", "always"};  // by family::AppendFsync
std::string parse_appendfsync(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  for (size_t i = 0; i < std::size(kFsyncNames); ++i) {
    if (!equal_ignoring_case(values[0], kFsyncNames[i])) continue;
    settings.appendfsync = static_cast<family::AppendFsync>(i);
    return {};
  }
  return "argument(s) must be one of the following: everysec, always, no";
}
struct ShutdownWord {
  std::string_view word;
  uint32_t flags;
};
constexpr ShutdownWord kShutdownWords[] = {{"default", 0},
                                           {"save", family::kShutdownSave},
                                           {"nosave", family::kShutdownNoSave},
                                           {"now", family::kShutdownNow},
                                           {"force", family::kShutdownForce}};
template <uint32_t Settings::* Member>
std::string parse_shutdown(const ConfigRow&, Settings& settings, Values values) {
  std::vector<std::string> words;
  for (const std::string& value : values) split_quoted(value, words);
  uint32_t flags = 0;
  for (const std::string& word : words) {
    const auto* at = std::find_if(std::begin(kShutdownWords), std::end(kShutdownWords),
                                  [&](const ShutdownWord& row) { return equal_ignoring_case(row.word, word); });
    if (at == std::end(kShutdownWords)) {
      return "argument(s) must be one of the following: default, save, nosave, now, force";
    }
    flags |= at->flags;
  }
  constexpr uint32_t kBoth = family::kShutdownSave | family::kShutdownNoSave;
  if (words.empty() || (flags & kBoth) == kBoth) return "Invalid combination of SHUTDOWN options";
  settings.*Member = flags;
  return {};
}
template <uint32_t Settings::* Member>
std::string print_shutdown(const ConfigRow&, const Settings& settings) {
  std::string out;
  for (const ShutdownWord& row : kShutdownWords) {
    if ((settings.*Member & row.flags) != 0) out += (out.empty() ? "" : " ") + std::string(row.word);
  }
  return out.empty() ? "default" : out;
}
std::string print_appendfsync(const ConfigRow&, const Settings& settings) {
  return std::string(kFsyncNames[static_cast<size_t>(settings.appendfsync)]);
}

constexpr ConfigRow kRows[] = {
    ConfigRow{"appenddirname", "", kConfigImmutable, parse_appenddirname, print_name<&Settings::appenddirname>,
              "directory of the append-only file's parts"},
    ConfigRow{"appendfilename", "", kConfigImmutable, parse_appendfilename, print_name<&Settings::appendfilename>,
              "what the names of the append-only file's parts begin with"},
    ConfigRow{"appendfsync", "", 0, parse_appendfsync, print_appendfsync, "when appended commands are made durable"},
    ConfigRow{"shutdown-on-sigint", "", kConfigMultiple, parse_shutdown<&Settings::shutdown_on_sigint>,
              print_shutdown<&Settings::shutdown_on_sigint>, "how SIGINT ends the server"},
    ConfigRow{"shutdown-on-sigterm", "", kConfigMultiple, parse_shutdown<&Settings::shutdown_on_sigterm>,
              print_shutdown<&Settings::shutdown_on_sigterm>, "how SIGTERM ends the server"},
};

}  // namespace

std::span<const ConfigRow> persistence_rows() { return kRows; }

}  // namespace holdfast::server
