#include "sentinel/switchover.h"

#include "sentinel/failover.h"

namespace holdfast::sentinel {

void reset_primary(Core& core, Links& links, Primary& primary, bool keep_sentinels) {
  core.topology.remove_replicas(primary);
  if (!keep_sentinels) core.topology.remove_sentinels(primary);
  Link& link = core.topology.link_of(primary);
  links.close_commands(link);
  links.close_pubsub(link);
  const Mono now = core.now.mono;
  link.unanswered_since = now;
  link.last_ping = Mono{};
  link.last_available = now;
  link.last_reply = now;
  link.last_attempt.reset();
  link.resolving = false;
  primary.s_down = false;
  primary.o_down = false;
  primary.may_start.reset();
  primary.script_kill_sent = false;
  primary.rebooting_since.reset();
  primary.forced = false;
  if (primary.failover_in_progress) enter(core, primary, FailoverState::kNone);
  primary.leader.clear();
  primary.failover_started.reset();  // may fail over again at once
  primary.runid.clear();
  primary.reported_primary_host.clear();
  primary.role_reported = Role::kPrimary;
  primary.role_reported_at = now;
  primary.info_at.reset();
  primary.info_wanted = false;
  primary.crash = {};
  primary.rebirth.reset();
  primary.reborn_unread = false;
  primary.coordinated = false;
  primary.keys = 0;
  primary.prevote_since.reset();
  primary.retry_at.reset();
  primary.superseded = false;
  primary.lineage = {};
  core.touch(primary);
  core.close_orphans();
}

namespace {

/// What other Sentinels said was about the old address: with the new one they start afresh. The original keeps these
/// opinions for five more seconds, and one Sentinel's mistake about the new primary is then enough for another
/// failover.
void forget_opinions(Core& core, Primary& primary) {
  for (const auto& [runid, sentinel] : primary.sentinels) {
    sentinel->says_primary_down = false;
    sentinel->asks_in_flight = 0;
    for (PendingReply& pending : core.topology.link_of(*sentinel).commands.pending) {
      if (pending.request == Request::kAsk && pending.instance == sentinel->id) pending.request = Request::kDiscard;
    }
  }
}

}  // namespace

void change_address(Core& core, Links& links, Primary& primary, const NodeAddress& to) {
  std::vector<NodeAddress> replicas;
  for (const auto& [key, replica] : primary.replicas) {
    if (!same_node(replica->address, to)) replicas.push_back(replica->address);
  }
  const NodeAddress former = primary.address;
  if (!same_node(former, to)) replicas.push_back(former);
  reset_primary(core, links, primary, true);
  forget_opinions(core, primary);
  primary.address = to;
  primary.promised_until.reset();  // what the vote was for has come to an end
  primary.s_down_since.reset();
  primary.o_down_since.reset();
  for (const NodeAddress& address : replicas) {
    std::string key = announced_key(address, core.settings.style);
    if (primary.replicas.contains(key)) continue;
    Instance& replica = core.topology.add_replica(primary, std::move(key), address, core.now.mono);
    replica.former_primary = same_node(address, former);
    core.event(Event::kSlave, replica);
  }
  core.saver.request();
}

}  // namespace holdfast::sentinel
