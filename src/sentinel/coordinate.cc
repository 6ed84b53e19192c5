#include "sentinel/coordinate.h"

namespace holdfast::sentinel {

bool knows_failover(const Primary& primary) { return primary.info.find("master_failover_state:") != std::string::npos; }

bool send_handover(Core& core, Links& links, Primary& primary, const Instance& to, Duration timeout) {
  if (!core.topology.link_of(primary).commands.established) return false;
  const std::string ms = std::to_string(to_ms(timeout));
  links.send(primary, Request::kDiscard, {"MULTI"});
  links.send(primary, Request::kDiscard, {"CLIENT", "PAUSE", ms, "WRITE"});
  links.send(primary, Request::kDiscard,
             {"FAILOVER", "TO", core.announced(to.address), std::to_string(to.address.port), "TIMEOUT", ms});
  links.send(primary, Request::kPromotion, {"EXEC"});
  return true;
}

void finish_handover(Links& links, Instance& node) {
  links.send(node, Request::kDiscard, {"MULTI"});
  links.send(node, Request::kDiscard, {"CONFIG", "REWRITE"});
  links.send(node, Request::kDiscard, {"CLIENT", "KILL", "TYPE", "normal"});
  links.send(node, Request::kDiscard, {"CLIENT", "KILL", "TYPE", "pubsub"});
  links.send(node, Request::kDiscard, {"CLIENT", "UNPAUSE"});
  links.send(node, Request::kDiscard, {"EXEC"});
}

void cancel_handover(Core& core, Links& links, Primary& primary) {
  if (!core.topology.link_of(primary).commands.established) return;
  links.send(primary, Request::kDiscard, {"FAILOVER", "ABORT"});
  links.send(primary, Request::kDiscard, {"CLIENT", "UNPAUSE"});
}

}  // namespace holdfast::sentinel
