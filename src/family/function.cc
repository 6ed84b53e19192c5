// FUNCTION and FCALL: libraries of functions, part of the dataset.
#include <fmt/format.h>

#include "base/text.h"
#include "family/bindings.h"
#include "family/help.h"
#include "family/scripting.h"
#include "persist/dump.h"

namespace holdfast::family {
namespace {

void fcall_command(Context& c) {
  const script::Function* function = c.state.libraries.find(c.argv[1]);
  if (function == nullptr) return c.reply.error("ERR Function not found");
  const auto keys = read_key_count(c, "ERR Bad number of keys provided");
  if (!keys) return;
  const auto words = c.argv.subspan(3);
  const Services::ScriptCall call{
      .name = function->name, .flags = function->flags, .read_only = c.spec.name.ends_with("_ro"), .is_function = true};
  c.services.run_script(c, call, [&](script::Host& host) {
    return c.state.libraries.run(*function, words.first(*keys), words.subspan(*keys), host, c.reply);
  });
}

void load_command(Context& c) {
  bool replace = false;
  for (const std::string_view word : c.argv.subspan(2, c.argv.size() - 3)) {
    if (!equal_ignoring_case(word, "replace")) return c.reply.error(fmt::format("ERR Unknown option given: {}", word));
    replace = true;
  }
  const auto name = c.state.libraries.load(c.argv.back(), replace);
  if (!name) return c.reply.error("ERR " + name.error());
  ++c.dirty;
  c.reply.bulk(*name);
}

void delete_command(Context& c) {
  if (!c.state.libraries.remove(c.argv[2])) return c.reply.error("ERR Library not found");
  ++c.dirty;
  c.reply.ok();
}

void flush_command(Context& c) {
  if (c.argv.size() > 3) return reply_unknown_subcommand(c);
  const bool mode =
      c.argv.size() == 3 && (equal_ignoring_case(c.argv[2], "sync") || equal_ignoring_case(c.argv[2], "async"));
  if (c.argv.size() == 3 && !mode) return c.reply.error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  c.state.libraries.flush();
  ++c.dirty;
  c.reply.ok();
}

void reply_flags(Context& c, unsigned flags) {
  size_t count = 0;
  for (const script::FlagName& row : script::kFlagNames) count += (flags & row.flag) != 0 ? 1 : 0;
  c.reply.set(count);
  for (const script::FlagName& row : script::kFlagNames) {
    if ((flags & row.flag) != 0) c.reply.simple(row.name);
  }
}

void reply_library(Context& c, const script::Library& library, bool with_code) {
  c.reply.map(with_code ? 4 : 3);
  c.reply.bulk("library_name");
  c.reply.bulk(library.name);
  c.reply.bulk("engine");
  c.reply.bulk("LUA");
  c.reply.bulk("functions");
  c.reply.array(library.functions.size());
  for (const auto& [name, function] : library.functions) {
    c.reply.map(3);
    c.reply.bulk("name");
    c.reply.bulk(name);
    c.reply.bulk("description");
    function.description ? c.reply.bulk(*function.description) : c.reply.null();
    c.reply.bulk("flags");
    reply_flags(c, function.flags);
  }
  if (!with_code) return;
  c.reply.bulk("library_code");
  c.reply.bulk(library.code);
}

void list_command(Context& c) {
  bool with_code = false;
  std::optional<std::string_view> pattern;
  for (size_t i = 2; i < c.argv.size(); ++i) {
    if (!with_code && equal_ignoring_case(c.argv[i], "withcode")) {
      with_code = true;
    } else if (!pattern && equal_ignoring_case(c.argv[i], "libraryname")) {
      if (i + 1 == c.argv.size()) return c.reply.error("ERR library name argument was not given");
      pattern = c.argv[++i];
    } else {
      return c.reply.error(fmt::format("ERR Unknown argument {}", c.argv[i]));
    }
  }
  std::vector<const script::Library*> shown;
  for (const auto& [name, library] : c.state.libraries.all()) {
    if (!pattern || glob_match(*pattern, name, true)) shown.push_back(&library);
  }
  c.reply.array(shown.size());
  for (const script::Library* library : shown) reply_library(c, *library, with_code);
}

void stats_command(Context& c) {
  const RunningScript* running = c.state.running_script ? &*c.state.running_script : nullptr;
  if (running != nullptr && !running->is_function) return c.reply.error(kBusyWithScript);
  c.reply.map(2);
  c.reply.bulk("running_script");
  if (running == nullptr) {
    c.reply.null();
  } else {
    c.reply.map(3);
    c.reply.bulk("name");
    c.reply.bulk(running->name);
    c.reply.bulk("command");
    c.reply.array(running->command.size());
    for (const std::string& word : running->command) c.reply.bulk(word);
    c.reply.bulk("duration_ms");
    c.reply.integer(to_ms(c.now.mono - running->started));
  }
  c.reply.bulk("engines");
  c.reply.map(1);
  c.reply.bulk("LUA");
  c.reply.map(2);
  c.reply.bulk("libraries_count");
  c.reply.integer(static_cast<int64_t>(c.state.libraries.all().size()));
  c.reply.bulk("functions_count");
  c.reply.integer(static_cast<int64_t>(c.state.libraries.function_count()));
}

void kill_command(Context& c) {
  const std::string error = c.services.kill_script(true);
  error.empty() ? c.reply.ok() : c.reply.error(error);
}

void dump_command(Context& c) {
  std::vector<std::string> codes;
  for (const auto& [name, library] : c.state.libraries.all()) codes.push_back(library.code);
  c.reply.bulk(persist::dump_functions(codes));
}

void restore_command(Context& c) {
  if (c.argv.size() > 4) return reply_unknown_subcommand(c);
  auto policy = script::Libraries::Policy::kAppend;
  if (c.argv.size() == 4) {
    if (equal_ignoring_case(c.argv[3], "replace")) {
      policy = script::Libraries::Policy::kReplace;
    } else if (equal_ignoring_case(c.argv[3], "flush")) {
      policy = script::Libraries::Policy::kFlush;
    } else if (!equal_ignoring_case(c.argv[3], "append")) {
      return c.reply.error("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
    }
  }
  if (!persist::is_valid_dump(c.argv[2])) return c.reply.error("ERR DUMP payload version or checksum are wrong");
  const auto codes = persist::restore_functions(c.argv[2]);
  if (!codes) return c.reply.error("ERR " + codes.error());
  const std::string error = c.state.libraries.restore(*codes, policy);
  if (!error.empty()) return c.reply.error("ERR " + error);
  ++c.dirty;
  c.reply.ok();
}

void help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "LOAD [REPLACE] <FUNCTION CODE>",
      "    Create a new library with the given library name and code.",
      "DELETE <LIBRARY NAME>",
      "    Delete the given library.",
      "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
      "    Return general information on all the libraries:",
      "    * Library name",
      "    * The engine used to run the Library",
      "    * Library description",
      "    * Functions list",
      "    * Library code (if WITHCODE is given)",
      "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
      "STATS",
      "    Return information about the current function running:",
      "    * Function name",
      "    * Command used to run the function",
      "    * Duration in MS that the function is running",
      "    If no function is running, return nil",
      "    In addition, returns a list of available engines.",
      "KILL",
      "    Kill the current running function.",
      "FLUSH [ASYNC|SYNC]",
      "    Delete all the libraries.",
      "    When called without the optional mode argument, the behavior is determined by the",
      "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
      "    * ASYNC: Asynchronously flush the libraries.",
      "    * SYNC: Synchronously flush the libraries.",
      "DUMP",
      "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE "
      "command",
      "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
      "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
      "    control how to handle existing libraries (default APPEND):",
      "    * FLUSH: delete all existing libraries.",
      "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
      "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
      "      libraries with the new libraries (notice that even on this option there is a chance of failure",
      "      in case of functions name collision with another library).",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"fcall", fcall_command},
    {"fcall_ro", fcall_command},
    {"function|delete", delete_command},
    {"function|dump", dump_command},
    {"function|flush", flush_command},
    {"function|help", help_command},
    {"function|kill", kill_command},
    {"function|list", list_command},
    {"function|load", load_command},
    {"function|restore", restore_command},
    {"function|stats", stats_command},
};

}  // namespace

std::span<const Binding> function_bindings() { return kBindings; }

}  // namespace holdfast::family
