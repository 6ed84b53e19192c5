// Reconcile: what a node says about itself in INFO is recorded, and brought in line with what it should be.
//
// Source: redis-sentinel 7.2. A replica that claims to be a primary (+convert-to-slave) or follows another primary
// (+fix-slave-config) is reconfigured, but only after waiting for a newer configuration, and only if our primary is
// healthy. Decisions are taken when an INFO arrives, not in between; none are taken in tilt mode.
#pragma once

#include "sentinel/failover.h"
#include "sentinel/info.h"

namespace holdfast::sentinel {

class Reconcile {
 public:
  Reconcile(Core& core, Links& links, Failover& failover) : core_(core), links_(links), failover_(failover) {}

  void info_answered(Instance& instance, const codec::Reply& reply, Mono asked);

 private:
  void record(Instance& instance, const InfoReport& report);
  void record_runid(Instance& instance, const std::string& runid);
  void record_replication(Instance& replica, const InfoReport& report);
  void record_role(Instance& instance, Role role);
  void discover(Primary& primary, const InfoReport& report);
  void act_on_primary_role(Instance& replica);
  void act_on_wrong_primary(Instance& replica);
  void act_on_reconfiguration(Instance& replica);
  bool looks_sane(const Primary& primary) const;
  bool is_undisturbed(const Primary& primary) const;
  bool not_down_for(const Instance& instance, Duration period) const;
  bool follows(const Instance& replica, const NodeAddress& address) const;

  Core& core_;
  Links& links_;
  Failover& failover_;
};

}  // namespace holdfast::sentinel
