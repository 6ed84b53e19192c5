// Scenario: `.scn` files, stories of a cluster with the events they must produce.
//
// One statement per line; `#` begins a comment. Times: `250ms`, `12s`. Quoted words may hold spaces.
//   seed N                                   the world's seed (first)
//   host NAME IP
//   name NAME IP                             a resolvable name
//   server NODE on HOST ... end              the lines between are its redis.conf
//   sentinel NODE on HOST ... end            the lines between are its sentinel.conf
//   proxy NODE on HOST ... end               the lines between are its haproxy.cfg
//   start|kill|power-off|pause|resume|term NODE...
//   cut HOST HOST | cut-oneway HOST HOST | heal HOST HOST | heal-all
//   fail-disk NODE ERRNO                     0 = works again
//   wait TIME
//   until NODE "TEXT" within TIME            a log line that contains TEXT, since the last mark of NODE
//   never NODE "TEXT"                        no such line since the last mark
//   mark NODE...                             expectations count from here
//   ask NODE PORT "COMMAND" "TEXT"           the answer contains TEXT
//   tell NODE PORT "COMMAND"                 whatever the answer, if any
//   expect NODE ... end                      exactly these events since the last mark, then marks
//   spawned NODE "COMMAND LINE"              it ran this script
//   config NODE "TEXT"                       its configuration file contains TEXT
// In `expect` lines `<NODE>` stands for a Sentinel's id. Lines that are no events (saving the configuration, votes
// heard) and verbose ones are passed over.
#pragma once

#include <string>
#include <string_view>

#include "sim/world.h"

namespace holdfast::sim {

struct ScenarioResult {
  bool ok = false;
  std::string report;  // what failed, with file:line, and the log so far
};

ScenarioResult run_scenario(std::string_view text, const std::string& file);

}  // namespace holdfast::sim
