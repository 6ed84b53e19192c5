// REPLICAOF, ROLE and what replicas send. The links are the server's; here is the grammar.
#include <fmt/format.h>

#include "base/text.h"
#include "family/bindings.h"

namespace holdfast::family {
namespace {

void replicaof_command(Context& c) {
  if (c.services.failing_over()) return c.reply.error("ERR REPLICAOF not allowed while failing over.");
  const std::string_view host = c.argv[1];
  if (equal_ignoring_case(host, "no") && equal_ignoring_case(c.argv[2], "one")) {
    if (!c.state.settings.replicaof_host.empty()) {
      c.services.replicate_from("", 0, c.now);
      c.services.log(LogLevel::kNotice, fmt::format("MASTER MODE enabled (user request from '{}')",
                                                    c.services.client_line(c.session, c.now)));
    } else {
      c.services.confirm_primary();
    }
    return c.reply.ok();
  }
  if (c.session.role == Role::kReplica) {
    return c.reply.error("ERR Command is not valid when client is a replica.");
  }
  const auto port = parse_int64(c.argv[2]);
  if (!port || *port < 0 || *port > 65535) return c.reply.error("ERR Invalid master port");
  const bool same = c.state.settings.replicaof_host == host && c.state.settings.replicaof_port == *port;
  if (same && !c.services.waits_for_order()) {
    c.services.log(LogLevel::kNotice,
                   "REPLICAOF would result into synchronization with the master we are already "
                   "connected with. No operation performed.");
    return c.reply.simple("OK Already connected to specified master");
  }
  c.services.replicate_from(std::string(host), static_cast<int>(*port), c.now);
  c.services.log(LogLevel::kNotice, fmt::format("REPLICAOF {}:{} enabled (user request from '{}')", host, *port,
                                                c.services.client_line(c.session, c.now)));
  c.reply.ok();
}

void role_command(Context& c) { c.services.role(c); }
void psync_command(Context& c) { c.services.psync(c); }
void replconf_command(Context& c) { c.services.replconf(c); }
void wait_command(Context& c) { c.services.wait(c); }
void failover_command(Context& c) { c.services.failover(c); }
void waitaof_command(Context& c) { c.services.wait_durable(c); }

constexpr Binding kBindings[] = {
    {"failover", failover_command},   {"psync", psync_command}, {"replconf", replconf_command},
    {"replicaof", replicaof_command}, {"role", role_command},   {"slaveof", replicaof_command},
    {"sync", psync_command},          {"wait", wait_command},   {"waitaof", waitaof_command},
};

}  // namespace

std::span<const Binding> replication_bindings() { return kBindings; }

}  // namespace holdfast::family
