#include "sentinel/reconcile.h"

#include <fmt/format.h>

#include "base/text.h"
#include "sentinel/fast.h"
#include "sentinel/wipe.h"

namespace holdfast::sentinel {
namespace {

constexpr int kRoleChangePublishPeriods = 4;  // long enough to hear of a newer configuration
constexpr int kSaneInfoPeriods = 2;

}  // namespace

void Reconcile::info_answered(Instance& instance, const codec::Reply& reply, Mono asked) {
  instance.info_in_flight = false;
  using Type = codec::Reply::Type;
  if (reply.type != Type::kBulk && reply.type != Type::kVerbatim) return;
  const InfoReport report = parse_info(reply.text);
  instance.info = reply.text;
  instance.previous_info_asked = instance.info_at ? instance.info_asked : Mono{};
  instance.info_asked = asked;
  record(instance, report);
  record_role(instance, report.role);
  if (instance.kind == Kind::kPrimary && report.role == Role::kPrimary) {
    // Now that it is known to be one, its predecessor can be told: hear it again.
    for (const auto& [key, replica] : static_cast<Primary&>(instance).replicas) {
      if (replica->former_primary && replica->role_reported == Role::kPrimary) replica->info_wanted = true;
    }
  }
  if (core_.tilt.active() || instance.kind != Kind::kReplica) return;
  if (report.role == Role::kPrimary) act_on_primary_role(instance);
  if (report.role == Role::kReplica) {
    instance.former_primary = false;
    act_on_wrong_primary(instance);
    act_on_reconfiguration(instance);
  }
}

void Reconcile::record(Instance& instance, const InfoReport& report) {
  instance.primary_link_down = std::chrono::seconds(report.link_down_seconds);
  if (instance.kind == Kind::kPrimary) watch_history(core_, static_cast<Primary&>(instance), report);
  if (!report.runid.empty()) record_runid(instance, report.runid);
  if (instance.kind == Kind::kPrimary) discover(static_cast<Primary&>(instance), report);
  if (report.role == Role::kReplica) record_replication(instance, report);
  // A primary that reads its file has no history yet; what counts until then is the one we know.
  if (instance.kind != Kind::kPrimary || !report.loading) instance.lineage = report.lineage;
  instance.loading = report.loading;
  instance.keys = report.keys;
  instance.info_at = core_.now.mono;
}

void Reconcile::record_runid(Instance& instance, const std::string& runid) {
  if (instance.runid == runid) return;
  if (!instance.runid.empty()) {
    core_.event(Event::kReboot, instance);
    if (instance.kind == Kind::kPrimary) {
      auto& primary = static_cast<Primary&>(instance);
      if (primary.reboot_down_after != Duration::zero()) primary.rebooting_since = core_.now.mono;
    }
  }
  instance.runid = runid;
}

void Reconcile::discover(Primary& primary, const InfoReport& report) {
  for (const InfoReport::ListedReplica& listed : report.replicas) {
    const NodeAddress address = core_.address_of(listed.host, listed.port);
    if (address.ip.empty()) {
      // A name we have no address for yet: look it up, and read the list again.
      if (core_.names.request(core_, listed.host)) primary.info_wanted = true;
      continue;
    }
    std::string key = announced_key(address, core_.settings.style);
    if (primary.replicas.contains(key) || primary.replicas.size() >= kListedReplicasMax) continue;
    core_.event(Event::kSlave, core_.topology.add_replica(primary, std::move(key), address, core_.now.mono));
    core_.saver.request();
  }
}

void Reconcile::record_replication(Instance& replica, const InfoReport& report) {
  if (report.primary_host && !equal_ignoring_case(*report.primary_host, replica.reported_primary_host)) {
    replica.reported_primary_host = *report.primary_host;
    replica.replication_changed_at = core_.now.mono;
  }
  if (report.primary_port && *report.primary_port != replica.reported_primary_port) {
    replica.reported_primary_port = *report.primary_port;
    replica.replication_changed_at = core_.now.mono;
  }
  if (report.primary_link_up) replica.primary_link_up = *report.primary_link_up;
  if (report.priority) replica.priority = *report.priority;
  const CrashEvidence& crash = primary_of(replica).crash;
  if (report.offset.value_or(0) > replica.offset && replica.primary_link_up && crash.lost_at &&
      replica.previous_info_asked >= *crash.lost_at) {
    replica.moved_at = core_.now.mono;
  }
  if (report.offset) replica.offset = *report.offset;
  replica.sync_in_progress = report.sync_in_progress;
  replica.never_synced = !report.ever_linked && report.primary_offset.value_or(1) == 0;
  if (report.announced) replica.announced = *report.announced;
}

void Reconcile::record_role(Instance& instance, Role role) {
  if (role == instance.role_reported) return;
  instance.role_reported = role;
  instance.role_reported_at = core_.now.mono;
  if (role == Role::kReplica) instance.replication_changed_at = core_.now.mono;
  const Role expected = instance.kind == Kind::kPrimary ? Role::kPrimary : Role::kReplica;
  core_.event(role == expected ? Event::kRoleChange : Event::kRoleMismatch, instance,
              fmt::format(" new reported role is {}", role == Role::kPrimary ? "master" : "slave"));
}

bool Reconcile::looks_sane(const Primary& primary) const {
  return primary.role_reported == Role::kPrimary && !primary.s_down && !primary.o_down && primary.info_at &&
         core_.since(*primary.info_at) < core_.periods.info * kSaneInfoPeriods;
}

/// Nothing suggests that the primary is being replaced: it is connected, and we voted for nobody since it became one.
bool Reconcile::is_undisturbed(const Primary& primary) const {
  const bool voted =
      primary.leader_epoch > primary.config_epoch && primary.promised_until && core_.now.mono < *primary.promised_until;
  return !voted && !primary.crash.lost_at && core_.topology.link_of(primary).ready();
}

bool Reconcile::not_down_for(const Instance& instance, Duration period) const {
  return !instance.s_down_since || core_.since(*instance.s_down_since) > period;
}

void Reconcile::act_on_primary_role(Instance& replica) {
  Primary& primary = *replica.primary;
  if (replica.promoted) {
    if (primary.failover_state == FailoverState::kWaitPromotion) failover_.promotion_confirmed(replica);
    return;
  }
  // The one we know to be the old primary is told at once, if a majority holds the newer configuration.
  const bool known = replica.former_primary && is_fast(core_, primary) && majority_confirms(core_, primary) &&
                     (is_undisturbed(primary) || !core_.keeps(Rule::kMajorityConfirms));
  const Duration wait = known ? Duration::zero() : core_.periods.publish * kRoleChangePublishPeriods;
  if (!looks_sane(primary) || !not_down_for(replica, wait)) return;
  if (!known && core_.since(replica.role_reported_at) <= wait) return;
  if (links_.send_slaveof(replica, &primary.address)) core_.event(Event::kConvertToSlave, replica);
}

bool Reconcile::follows(const Instance& replica, const NodeAddress& address) const {
  return replica.reported_primary_port == address.port && core_.same_host(address, replica.reported_primary_host);
}

void Reconcile::act_on_wrong_primary(Instance& replica) {
  Primary& primary = *replica.primary;
  if (follows(replica, primary.address)) return;
  const Duration wait = primary.failover_timeout;
  if (!looks_sane(primary) || !not_down_for(replica, wait)) return;
  if (core_.since(replica.replication_changed_at) <= wait) return;
  if (links_.send_slaveof(replica, &primary.address)) core_.event(Event::kFixSlaveConfig, replica);
}

void Reconcile::act_on_reconfiguration(Instance& replica) {
  const Instance* promoted = core_.topology.promoted(*replica.primary);
  if (promoted == nullptr) return;
  if (replica.reconf == ReconfProgress::kSent && follows(replica, promoted->address)) {
    replica.reconf = ReconfProgress::kInProgress;
    core_.event(Event::kReconfInprog, replica);
  }
  if (replica.reconf == ReconfProgress::kInProgress && replica.primary_link_up) {
    replica.reconf = ReconfProgress::kDone;
    core_.event(Event::kReconfDone, replica);
  }
}

}  // namespace holdfast::sentinel
