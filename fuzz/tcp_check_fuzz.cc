// Any bytes, in any pieces, as what a server answers to a health check: the check ends or waits, within its buffer.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/check/evaluator.h"
#include "proxy/config_parse.h"

namespace {

using holdfast::proxy::CheckStep;

const holdfast::proxy::CompiledCheck& check() {
  static const holdfast::proxy::CompiledCheck kCheck([] {
    const auto outcome = holdfast::proxy::parse_config(
        {{"t.cfg",
          "listen l\n bind :1\n option tcp-check\n tcp-check send a\n tcp-check expect rstring ^(a|bc)*d\n"
          " tcp-check expect min-recv 0 string d\n tcp-check send b\n tcp-check expect ! binary 00ff\n"
          " tcp-check connect port 7\n tcp-check expect rbinary (00|41)+ff\n server s 127.0.0.1:1 check\n"}},
        {});
    return outcome.config.proxies.at(0).check_program;
  }());
  return kCheck;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  holdfast::proxy::CheckEvaluator evaluator(check());
  CheckStep step = evaluator.start();
  while (true) {
    switch (step.want) {
      case CheckStep::Want::kConnect:
        step = evaluator.connected();
        continue;
      case CheckStep::Want::kSend:
        step = evaluator.sent();
        continue;
      case CheckStep::Want::kDone:
        if (step.outcome.info.size() > 127) __builtin_trap();
        return 0;
      case CheckStep::Want::kReceive:
        break;
    }
    if (input.empty()) return 0;
    const auto length = static_cast<size_t>(static_cast<unsigned char>(input[0])) * 8;
    input.remove_prefix(1);
    if (length == 0) {
      step = evaluator.ended();
      if (step.want == CheckStep::Want::kReceive) return 0;
      continue;
    }
    const std::string_view piece = input.substr(0, length);
    input.remove_prefix(piece.size());
    step = evaluator.received(piece);
  }
}
