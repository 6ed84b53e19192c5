// The replies that describe instances: SENTINEL MASTERS, MASTER, REPLICAS, SENTINELS, INFO-CACHE.
#include <optional>

#include "sentinel/api.h"
#include "sentinel/fast.h"

namespace holdfast::sentinel {
namespace {

using Field = std::pair<std::string_view, std::string>;
using Fields = std::vector<Field>;

/// COMPAT: the original keeps all of this in one integer and prints its bits in this order.
std::string flags_text(const Instance& instance, const Link& link) {
  std::string out;
  const auto add = [&](bool set, std::string_view word) {
    if (!set) return;
    if (!out.empty()) out += ',';
    out += word;
  };
  const auto* primary = instance.kind == Kind::kPrimary ? static_cast<const Primary*>(&instance) : nullptr;
  add(instance.s_down, "s_down");
  add(primary != nullptr && primary->o_down, "o_down");
  add(instance.kind == Kind::kPrimary, "master");
  add(instance.kind == Kind::kReplica, "slave");
  add(instance.kind == Kind::kSentinel, "sentinel");
  add(!link.ready(), "disconnected");
  add(instance.says_primary_down, "master_down");
  add(primary != nullptr && primary->failover_in_progress, "failover_in_progress");
  add(instance.promoted, "promoted");
  add(instance.reconf == ReconfProgress::kSent, "reconf_sent");
  add(instance.reconf == ReconfProgress::kInProgress, "reconf_inprog");
  add(instance.reconf == ReconfProgress::kDone, "reconf_done");
  add(primary != nullptr && primary->forced, "force_failover");
  add(primary != nullptr && primary->coordinated, "coordinated_failover");
  add(instance.script_kill_sent, "script_kill_sent");
  add(primary != nullptr && primary->rebooting_since.has_value(), "master_reboot");
  return out;
}

std::string number(int64_t value) { return std::to_string(value); }

void add_node_fields(const Core& core, const Instance& instance, Fields& out) {
  out.emplace_back("info-refresh", number(instance.info_at ? to_ms(core.since(*instance.info_at)) : 0));
  out.emplace_back("role-reported", instance.role_reported == Role::kPrimary ? "master" : "slave");
  out.emplace_back("role-reported-time", number(to_ms(core.since(instance.role_reported_at))));
}

void add_primary_fields(const Primary& primary, Fields& out) {
  out.emplace_back("config-epoch", std::to_string(primary.config_epoch));
  out.emplace_back("num-slaves", std::to_string(primary.replicas.size()));
  out.emplace_back("num-other-sentinels", std::to_string(primary.sentinels.size()));
  out.emplace_back("quorum", number(primary.quorum));
  out.emplace_back("failover-timeout", number(to_ms(primary.failover_timeout)));
  out.emplace_back("parallel-syncs", number(primary.parallel_syncs));
  if (!primary.notification_script.empty()) out.emplace_back("notification-script", primary.notification_script);
  if (!primary.client_reconfig_script.empty()) {
    out.emplace_back("client-reconfig-script", primary.client_reconfig_script);
  }
  // Ours, and only where they say something: a client that knows the original's fields finds those where it expects.
  if (primary.fast_failover != FastFailover::kAuto) {
    out.emplace_back("fast-failover", fast_failover_word(primary.fast_failover));
  }
  if (primary.crash_confirm != Duration::zero()) {
    out.emplace_back("crash-confirm-milliseconds", number(to_ms(primary.crash_confirm)));
  }
}

void add_replica_fields(const Instance& replica, Fields& out) {
  out.emplace_back("master-link-down-time", number(to_ms(replica.primary_link_down)));
  out.emplace_back("master-link-status", replica.primary_link_up ? "ok" : "err");
  out.emplace_back("master-host", replica.reported_primary_host.empty() ? "?" : replica.reported_primary_host);
  out.emplace_back("master-port", number(replica.reported_primary_port));
  out.emplace_back("slave-priority", number(replica.priority));
  out.emplace_back("slave-repl-offset", std::to_string(replica.offset));
  out.emplace_back("replica-announced", replica.announced ? "1" : "0");
}

void add_sentinel_fields(const Core& core, const Instance& sentinel, Fields& out) {
  out.emplace_back("last-hello-message", number(to_ms(core.since(sentinel.hello_received))));
  out.emplace_back("voted-leader", sentinel.voted_leader.empty() ? "?" : sentinel.voted_leader);
  out.emplace_back("voted-leader-epoch", std::to_string(sentinel.voted_leader_epoch));
}

Fields fields_of(const Core& core, const Instance& instance) {
  const Link& link = core.topology.link_of(instance);
  const auto* primary = instance.kind == Kind::kPrimary ? static_cast<const Primary*>(&instance) : nullptr;
  Fields out;
  out.emplace_back("name", instance.name);
  out.emplace_back("ip", core.announced(instance.address));
  out.emplace_back("port", number(instance.address.port));
  out.emplace_back("runid", instance.runid);
  out.emplace_back("flags", flags_text(instance, link));
  out.emplace_back("link-pending-commands", std::to_string(link.commands.pending.size()));
  out.emplace_back("link-refcount", std::to_string(link.owners.size()));
  if (primary != nullptr && primary->failover_in_progress) {
    out.emplace_back("failover-state", failover_state_word(primary->failover_state));
  }
  out.emplace_back("last-ping-sent", number(link.unanswered_since ? to_ms(core.since(*link.unanswered_since)) : 0));
  out.emplace_back("last-ok-ping-reply", number(to_ms(core.since(link.last_available))));
  out.emplace_back("last-ping-reply", number(to_ms(core.since(link.last_reply))));
  if (instance.s_down) out.emplace_back("s-down-time", number(to_ms(core.since(*instance.s_down_since))));
  if (primary != nullptr && primary->o_down) {
    out.emplace_back("o-down-time", number(to_ms(core.since(*primary->o_down_since))));
  }
  out.emplace_back("down-after-milliseconds", number(to_ms(instance.down_after)));
  if (instance.monitored()) add_node_fields(core, instance, out);
  if (primary != nullptr) add_primary_fields(*primary, out);
  if (instance.kind == Kind::kReplica) add_replica_fields(instance, out);
  if (instance.kind == Kind::kSentinel) add_sentinel_fields(core, instance, out);
  return out;
}

}  // namespace

void Api::put_instance(command::Reply& reply, const Instance& instance) const {
  const Fields fields = fields_of(core_, instance);
  reply.map(fields.size());
  for (const auto& [name, value] : fields) {
    reply.bulk(name);
    reply.bulk(value);
  }
}

void Api::primaries(CommandContext& context, const Args&) {
  context.reply.array(core_.topology.primaries().size());
  for (const auto& [name, primary] : core_.topology.primaries()) put_instance(context.reply, *primary);
}

void Api::primary(CommandContext& context, const Args& args) {
  const Primary* primary = find_or_reply(context, args[2]);
  if (primary != nullptr) put_instance(context.reply, *primary);
}

void Api::replicas(CommandContext& context, const Args& args) {
  const Primary* primary = find_or_reply(context, args[2]);
  if (primary == nullptr) return;
  size_t announced = 0;
  for (const auto& [key, replica] : primary->replicas) announced += replica->announced ? 1 : 0;
  context.reply.array(announced);
  for (const auto& [key, replica] : primary->replicas) {
    if (replica->announced) put_instance(context.reply, *replica);
  }
}

void Api::sentinels(CommandContext& context, const Args& args) {
  const Primary* primary = find_or_reply(context, args[2]);
  if (primary == nullptr) return;
  context.reply.array(primary->sentinels.size());
  for (const auto& [runid, sentinel] : primary->sentinels) put_instance(context.reply, *sentinel);
}

void Api::info_cache(CommandContext& context, const Args& args) {
  std::vector<const Primary*> chosen;
  for (size_t i = 2; i < args.size(); ++i) {
    const Primary* primary = core_.topology.find(args[i]);
    if (primary == nullptr) continue;  // unknown names are passed over
    bool seen = false;
    for (const Primary* other : chosen) seen |= other == primary;
    if (!seen) chosen.push_back(primary);
  }
  command::Reply& reply = context.reply;
  const auto put = [&](const Instance& instance) {
    reply.array(2);
    reply.integer(instance.info_at ? to_ms(core_.since(*instance.info_at)) : 0);
    if (instance.info_at) {
      reply.bulk(instance.info);
    } else {
      reply.null();
    }
  };
  reply.array(chosen.size() * 2);
  for (const Primary* primary : chosen) {
    reply.bulk(primary->name);
    reply.array(primary->replicas.size() + 1);
    put(*primary);
    for (const auto& [key, replica] : primary->replicas) put(*replica);
  }
}

}  // namespace holdfast::sentinel
