// Any bytes as a primary's: the link never crashes and never hands out more than it was given.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "repl/replica_link.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  holdfast::OutQueue out;
  holdfast::repl::ReplicaLink link({});
  link.connected(out);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t chunk = 1 + data[0] % 64;
  size_t given = 0;
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    link.feed(bytes.substr(at, chunk));
    while (true) {
      const auto step = link.next(out);
      if (step.kind == holdfast::repl::ReplicaLink::Step::Kind::kNeedMore) break;
      given += step.bytes.size();
      if (step.kind == holdfast::repl::ReplicaLink::Step::Kind::kFailed) return 0;
    }
  }
  HF_ASSERT(given <= bytes.size());
  return 0;
}
