// EVAL and its relatives, SCRIPT: scripts by their text or SHA-1.
#include <fmt/format.h>

#include "base/text.h"
#include "family/bindings.h"
#include "family/help.h"
#include "family/scripting.h"

namespace holdfast::family {
namespace {

constexpr std::string_view kNoScript = "NOSCRIPT No matching script. Please use EVAL.";
constexpr size_t kShaLength = 40;

bool is_sha_form(const command::Spec& spec) { return spec.name.starts_with("evalsha"); }

void eval_command(Context& c) {
  const bool by_sha = is_sha_form(c.spec);
  if (by_sha && c.argv[1].size() != kShaLength) return c.reply.error(kNoScript);
  const auto keys = read_key_count(c, command::kNotAnInteger);
  if (!keys) return;
  const script::Script* script = by_sha ? c.state.scripts.find(c.argv[1]) : nullptr;
  if (!by_sha) {
    const auto loaded = c.state.scripts.load(c.argv[1]);
    if (!loaded) return c.reply.error("ERR " + loaded.error());
    script = *loaded;
  }
  if (script == nullptr) return c.reply.error(kNoScript);
  const auto words = c.argv.subspan(3);
  const Services::ScriptCall call{
      .name = script->sha, .flags = script->flags, .read_only = c.spec.name.ends_with("_ro")};
  c.services.run_script(c, call, [&](script::Host& host) {
    return c.state.scripts.run(*script, words.first(*keys), words.subspan(*keys), host, c.reply);
  });
}

void script_load_command(Context& c) {
  const auto loaded = c.state.scripts.load(c.argv[2]);
  loaded ? c.reply.bulk((*loaded)->sha) : c.reply.error("ERR " + loaded.error());
}

void script_exists_command(Context& c) {
  c.reply.array(c.argv.size() - 2);
  for (const std::string_view sha : c.argv.subspan(2)) c.reply.integer(c.state.scripts.find(sha) != nullptr ? 1 : 0);
}

void script_flush_command(Context& c) {
  const bool mode =
      c.argv.size() == 3 && (equal_ignoring_case(c.argv[2], "sync") || equal_ignoring_case(c.argv[2], "async"));
  if (c.argv.size() != 2 && !mode) return c.reply.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  c.state.scripts.flush();
  c.reply.ok();
}

void script_kill_command(Context& c) {
  const std::string error = c.services.kill_script(false);
  error.empty() ? c.reply.ok() : c.reply.error(error);
}

/// The debugger is not there: it stops the server for one client. Turning it off always works.
void script_debug_command(Context& c) {
  if (equal_ignoring_case(c.argv[2], "no")) return c.reply.ok();
  if (!equal_ignoring_case(c.argv[2], "yes") && !equal_ignoring_case(c.argv[2], "sync")) {
    return c.reply.error("ERR Use SCRIPT DEBUG YES/SYNC/NO");
  }
  c.reply.error("ERR SCRIPT DEBUG is not supported: this server has no script debugger");
}

void script_help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "DEBUG (YES|SYNC|NO)",
      "    Set the debug mode for subsequent scripts executed.",
      "EXISTS <sha1> [<sha1> ...]",
      "    Return information about the existence of the scripts in the script cache.",
      "FLUSH [ASYNC|SYNC]",
      "    Flush the Lua scripts cache. Very dangerous on replicas.",
      "    When called without the optional mode argument, the behavior is determined by the",
      "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
      "    * ASYNC: Asynchronously flush the scripts cache.",
      "    * SYNC: Synchronously flush the scripts cache.",
      "KILL",
      "    Kill the currently executing Lua script.",
      "LOAD <script>",
      "    Load a script into the scripts cache without executing it.",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"eval", eval_command},
    {"eval_ro", eval_command},
    {"evalsha", eval_command},
    {"evalsha_ro", eval_command},
    {"script|debug", script_debug_command},
    {"script|exists", script_exists_command},
    {"script|flush", script_flush_command},
    {"script|help", script_help_command},
    {"script|kill", script_kill_command},
    {"script|load", script_load_command},
};

/// What a script says it does, of the command that runs it; nullopt: nothing is said.
std::optional<unsigned> declared_flags(const State& state, const command::Spec& spec,
                                       std::span<const std::string_view> argv) {
  if (spec.name.starts_with("fcall")) {
    const script::Function* function = state.libraries.find(argv[1]);
    return function == nullptr ? std::nullopt : std::optional<unsigned>(function->flags);
  }
  unsigned flags = script::kUndeclared;
  if (is_sha_form(spec)) {
    const script::Script* script = state.scripts.find(argv[1]);
    if (script != nullptr) flags = script->flags;
  } else if (const auto shebang = script::read_shebang(argv[1])) {
    flags = shebang->flags;
  }
  return (flags & script::kUndeclared) != 0 ? std::nullopt : std::optional<unsigned>(flags);
}

}  // namespace

std::optional<size_t> read_key_count(Context& c, std::string_view not_a_number) {
  const auto count = parse_int64(c.argv[2]);
  if (!count) return c.reply.error(not_a_number), std::nullopt;
  if (*count > static_cast<int64_t>(c.argv.size() - 3)) {
    return c.reply.error("ERR Number of keys can't be greater than number of args"), std::nullopt;
  }
  if (*count < 0) return c.reply.error("ERR Number of keys can't be negative"), std::nullopt;
  return static_cast<size_t>(*count);
}

bool runs_script(const command::Spec& spec) {
  return spec.group == command::Group::kScripting && spec.parent.empty() &&
         (spec.name.starts_with("eval") || spec.name.starts_with("fcall"));
}

uint32_t flags_of_request(const State& state, const command::Spec& spec, std::span<const std::string_view> argv) {
  if (!runs_script(spec)) return spec.flags;
  const auto declared = declared_flags(state, spec, argv);
  if (!declared) return spec.flags;
  uint32_t flags = spec.flags & ~(command::kStale | command::kDenyOom | command::kWrite | command::kMayReplicate);
  if ((*declared & (script::kAllowOom | script::kNoWrites)) == 0) flags |= command::kDenyOom;
  if ((*declared & script::kNoWrites) == 0) flags |= command::kWrite;
  if ((*declared & script::kAllowStale) != 0) flags |= command::kStale;
  return flags;
}

std::span<const Binding> scripting_bindings() { return kBindings; }

}  // namespace holdfast::family
