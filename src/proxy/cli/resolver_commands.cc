// `show resolvers`: what each nameserver was asked and answered.
#include <fmt/format.h>

#include <algorithm>

#include "proxy/cli/cli.h"

namespace holdfast::proxy {
namespace {

struct CounterRow {
  std::string_view label;
  int64_t NameserverCounters::* field;  // null: kept for the shape of the list, always 0
};
constexpr CounterRow kCounters[] = {
    {"sent:        ", &NameserverCounters::sent},
    {"snd_error:   ", &NameserverCounters::send_errors},
    {"valid:       ", &NameserverCounters::valid},
    {"update:      ", &NameserverCounters::updates},
    {"cname:       ", nullptr},
    {"cname_error: ", &NameserverCounters::alias_errors},
    {"any_err:     ", &NameserverCounters::empty},
    {"nx:          ", &NameserverCounters::no_such_name},
    {"timeout:     ", nullptr},
    {"refused:     ", &NameserverCounters::refused},
    {"other:       ", &NameserverCounters::other},
    {"invalid:     ", &NameserverCounters::invalid},
    {"too_big:     ", &NameserverCounters::too_big},
    {"truncated:   ", &NameserverCounters::truncated},
    {"outdated:    ", &NameserverCounters::outdated},
};

void run_show_resolvers(CliContext& c) {
  const auto& sections = c.runtime.config.resolvers;
  const std::string_view wanted = c.word(2);
  if (!wanted.empty() && std::ranges::find(sections, wanted, &ResolversConfig::name) == sections.end()) {
    c.out = "Can't find that resolvers section\n";
    return;
  }
  for (size_t i = 0; i < sections.size(); ++i) {
    if (!wanted.empty() && sections[i].name != wanted) continue;
    c.out += fmt::format("Resolvers section {}\n", sections[i].name);
    for (size_t j = 0; j < sections[i].nameservers.size(); ++j) {
      const NameserverCounters& counters = c.resolver.counters()[i][j];
      c.out += fmt::format(" nameserver {}:\n", sections[i].nameservers[j].name);
      for (const CounterRow& row : kCounters) {
        c.out += fmt::format("  {}{}\n", row.label, row.field == nullptr ? 0 : counters.*row.field);
      }
    }
  }
}

constexpr CliCommand kCommands[] = {
    {"show resolvers", CliLevel::kUser, run_show_resolvers, "show resolvers [id]",
     "dumps counters from all resolvers section and associated name servers"},
};

}  // namespace

std::span<const CliCommand> resolver_commands() { return kCommands; }

}  // namespace holdfast::proxy
