// SENTINEL EXT: what Sentinels of ours say to each other and to operators beyond the original's commands. An original
// answers "unknown subcommand", which is how it is told apart.
//
//   SENTINEL EXT HELLO <version>                        the version we speak
//   SENTINEL EXT OPINION <ip> <port> <runid> <0|1>      the Sentinel `runid` began (1) or ceased (0) to see it down
//   SENTINEL EXT SHOW <name>                            how quick we are about this primary, and why
#include <fmt/format.h>

#include "base/text.h"
#include "sentinel/api.h"
#include "sentinel/fast.h"

namespace holdfast::sentinel {
namespace {

constexpr int64_t kExtensionVersion = 1;

void take_opinion(Core& core, CommandContext& context, const Api::Args& args) {
  const std::optional<int64_t> port = parse_int64(args[4]);
  if (!port || *port < 0 || *port > 65535 || (args[6] != "0" && args[6] != "1")) {
    return context.reply.error("ERR value is not an integer or out of range");
  }
  Primary* primary = core.topology.find_by_address(core.address_of(args[3], static_cast<uint16_t>(*port)));
  if (primary != nullptr) {
    const auto who = primary->sentinels.find(std::string(args[5]));
    if (who != primary->sentinels.end()) {
      who->second->says_primary_down = args[6] == "1";
      who->second->last_answer = core.now.mono;
      core.touch(*primary);
    }
  }
  context.reply.ok();
}

void show(const Core& core, CommandContext& context, const Primary& primary) {
  const std::pair<std::string_view, std::string> fields[] = {
      {"fast-failover", std::string(fast_failover_word(primary.fast_failover))},
      {"crash-confirm-milliseconds", std::to_string(to_ms(primary.crash_confirm))},
      {"fast", is_fast(core, primary) ? "yes" : "no"},
      {"votes-bind", promises_bind(core, primary) ? "yes" : "no"},
      {"sentinels-of-ours", std::to_string(count_ours(core, primary))},
      {"configuration-confirmed", majority_confirms(core, primary) ? "yes" : "no"},
  };
  context.reply.map(std::size(fields));
  for (const auto& [name, value] : fields) {
    context.reply.bulk(name);
    context.reply.bulk(value);
  }
}

}  // namespace

void Api::extension(CommandContext& context, const Args& args) {
  const std::string_view what = args.size() > 2 ? args[2] : std::string_view();
  if (equal_ignoring_case(what, "hello") && args.size() == 4) return context.reply.integer(kExtensionVersion);
  if (equal_ignoring_case(what, "opinion") && args.size() == 7) return take_opinion(core_, context, args);
  if (equal_ignoring_case(what, "show") && args.size() == 4) {
    const Primary* primary = find_or_reply(context, args[3]);
    if (primary != nullptr) show(core_, context, *primary);
    return;
  }
  context.reply.error("ERR unknown extension or wrong number of arguments for 'sentinel|ext' command");
}

}  // namespace holdfast::sentinel
