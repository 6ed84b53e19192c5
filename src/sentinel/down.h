// Down: when an instance counts as down for us, when a primary counts as down for everybody, and asking the others.
//
// Source: redis-sentinel documentation ("SDOWN and ODOWN failure state") and its `is-master-down-by-addr`.
#pragma once

#include "sentinel/links.h"

namespace holdfast::sentinel {

class Down {
 public:
  Down(Core& core, Links& links) : core_(core), links_(links) {}

  /// Sets or clears s_down; also closes connections that have gone silent.
  void check_subjective(Instance& instance, Agenda& agenda);
  void check_objective(Primary& primary);
  /// Asks the other Sentinels about a primary we think is down; with our id (a request for votes) during a failover.
  void ask_others(Primary& primary, bool forced, Agenda& agenda);
  void ask_answered(Instance& sentinel, const codec::Reply& reply);

 private:
  Duration ask_period(const Primary& primary, Agenda& agenda) const;
  void tell_ours(Primary& primary);
  void close_silent(Instance& instance, Agenda& agenda);
  bool looks_down(const Instance& instance, Agenda& agenda) const;

  Core& core_;
  Links& links_;
};

}  // namespace holdfast::sentinel
