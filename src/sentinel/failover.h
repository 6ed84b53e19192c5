// Failover: the state machine that replaces a dead primary by one of its replicas.
//
//   none -> wait_start -> select_slave -> send_slaveof_noone -> wait_promotion -> reconf_slaves -> update_config ->
//   none
//                 \______________|_______________|____________________|________ abort (nobody was promoted yet)
//   wait_promotion -> select_slave: the replica refused; the next one (fast.h)
//
// Source: redis-sentinel documentation and the order of its events. Every change of state goes through enter(). A step
// that can follow at once does; the original takes one per timer tick.
#pragma once

#include <string_view>

#include "sentinel/election.h"
#include "sentinel/links.h"
#include "sentinel/monitor.h"

namespace holdfast::sentinel {

/// As SENTINEL MASTER prints it.
std::string_view failover_state_word(FailoverState state);
bool is_legal_transition(FailoverState from, FailoverState to);
/// Asserts legality, stamps the time, announces the state.
void enter(Core& core, Primary& primary, FailoverState state);

class Failover {
 public:
  Failover(Core& core, Links& links, Monitor& monitor, Election& election)
      : core_(core), links_(links), monitor_(monitor), election_(election) {}

  /// Starts a failover of an objectively down primary, unless one was tried too recently. True: started.
  bool start_if_needed(Primary& primary, Agenda& agenda);
  void start(Primary& primary);
  /// Goes as far as it can. True: the primary's address changed, everything about it has to be looked at again.
  bool advance(Primary& primary, Agenda& agenda);
  /// The replica that would be promoted now; nullptr: none is fit.
  Instance* select_replica(Primary& primary) const;
  /// The reply to the transaction that promotes (or, of the primary, hands over): a refusal means the next candidate.
  void promotion_answered(Instance& asked, const codec::Reply& reply);
  /// INFO of the chosen replica says it is a primary.
  void promotion_confirmed(Instance& replica);

 private:
  void send_handover_to(Primary& primary, Instance& replica, Agenda& agenda);
  bool may_start(Primary& primary, Agenda& agenda);
  bool may_start_as_original(Primary& primary, Agenda& agenda);
  void log_delay(Primary& primary, Mono until);
  bool lease_is_over(const Primary& primary, Agenda& agenda) const;
  bool infos_are_fresh(Primary& primary, Agenda& agenda);
  /// When a candidate's INFO was asked for: in this failover, within the original's limit, at any time.
  enum class Told : uint8_t { kNow, kLately, kEver };
  enum class Kin : uint8_t { kAny, kNotForeign, kProven };
  Instance* select_among(Primary& primary, Told told, Kin kin) const;
  void wait_start(Primary& primary, Agenda& agenda);
  void select(Primary& primary, Agenda& agenda);
  void send_promotion(Primary& primary, Agenda& agenda);
  void wait_promotion(Primary& primary, Agenda& agenda);
  void reconf_replicas(Primary& primary, Agenda& agenda);
  void detect_end(Primary& primary, Agenda& agenda);
  void update_config(Primary& primary);
  void abort(Primary& primary, Event reason);
  void crash();
  Instance& promoted(Primary& primary) const;

  Core& core_;
  Links& links_;
  Monitor& monitor_;
  Election& election_;
};

}  // namespace holdfast::sentinel
