// Any bytes as haproxy.cfg: an answer with an exit code, never a crash; a config that is accepted must start and stop.
#include <cstddef>
#include <cstdint>
#include <string>

#include "proxy/config_parse.h"
#include "proxy/proxy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  if (size > 64 * 1024) return 0;
  proxy::ParseOptions options;
  options.environment = {{"FOO", "a b"}, {"EMPTY", ""}};
  const std::string text(reinterpret_cast<const char*>(data), size);
  const proxy::ParseOutcome outcome = proxy::parse_config({{"fuzz.cfg", text}}, options);
  const proxy::StartupReport report = proxy::startup_report(outcome, true, false, 1, "haproxy");
  if (!report.exit_code || *report.exit_code != outcome.exit_code) __builtin_trap();
  if (outcome.exit_code != 0) return 0;
  proxy::Proxy machine(outcome.config, {});
  Now now;
  now.mono = Mono(std::chrono::seconds(1));
  machine.start(now);
  Action action;
  while (machine.poll_action(action)) {
  }
  machine.check_invariants();
  machine.signal(15, now);
  return 0;
}
