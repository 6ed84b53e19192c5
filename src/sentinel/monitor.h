// Monitor: the periodic requests to every instance - PING, INFO, hello - and what a ping's answer means.
//
// Source: redis-sentinel 7.2. Acceptable answers to PING are PONG and the errors LOADING and MASTERDOWN; anything else
// leaves the ping unanswered. At most one INFO and one hello per instance are under way.
#pragma once

#include "sentinel/links.h"

namespace holdfast::sentinel {

class Monitor {
 public:
  Monitor(Core& core, Links& links) : core_(core), links_(links) {}

  /// Sends what is due.
  void periodic(Instance& instance, Agenda& agenda);
  void send_info(Instance& instance);
  void ping_answered(Instance& instance, const codec::Reply& reply, Mono sent);
  void hello_answered(Instance& instance, const codec::Reply& reply);
  /// Every node and Sentinel of this primary hears of the configuration at once.
  void force_hellos(Primary& primary);

 private:
  void send_hello(Instance& instance);

  Core& core_;
  Links& links_;
};

}  // namespace holdfast::sentinel
