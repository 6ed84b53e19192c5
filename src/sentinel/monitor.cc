#include "sentinel/monitor.h"

#include <algorithm>

#include "sentinel/fast.h"
#include "sentinel/hello.h"

namespace holdfast::sentinel {
namespace {

/// A replica is watched closely while its primary is in trouble, or while it says its link to the primary is down.
bool watched_closely(const Instance& instance) {
  if (instance.kind != Kind::kReplica) return false;
  if (instance.former_primary && instance.role_reported == Role::kPrimary) return true;
  return instance.primary->o_down || instance.primary->failover_in_progress ||
         instance.primary_link_down != Duration::zero();
}

}  // namespace

void Monitor::periodic(Instance& instance, Agenda& agenda) {
  Link& link = core_.topology.link_of(instance);
  if (!link.ready() || !links_.has_room(instance)) return;
  if (instance.monitored() && !instance.info_in_flight) {
    Duration period = watched_closely(instance) ? kBusyInfoPeriod : core_.periods.info;
    // Whether it kept its history shows when it has read its file.
    const bool rises = instance.kind == Kind::kPrimary && instance.loading && is_fast(core_, primary_of(instance));
    if (rises) period = std::min(period, kRisingInfoPeriod);
    const bool moving = instance.reconf == ReconfProgress::kSent || instance.reconf == ReconfProgress::kInProgress;
    if (moving && is_fast(core_, primary_of(instance)) && !agenda.due(instance.reconf_sent_at + kFastFor)) {
      period = kReconfInfoPeriod;
    }
    if (instance.info_wanted || !instance.info_at || agenda.due(*instance.info_at + period)) send_info(instance);
  }
  Duration ping_period = std::min(instance.down_after, core_.periods.ping);
  if (instance.kind == Kind::kPrimary && !link.unanswered_since) {
    ping_period = fast_ping_period(core_, static_cast<const Primary&>(instance));
  }
  if (link.ping_wanted || agenda.due(std::max(link.last_reply + ping_period, link.last_ping + ping_period / 2))) {
    link.ping_wanted = false;
    links_.send(instance, Request::kPing, {"PING"});
    link.last_ping = agenda.now();
    if (!link.unanswered_since) link.unanswered_since = agenda.now();
    agenda.due(link.last_ping + ping_period / 2);
  }
  // A primary that is handing over holds PUBLISH back, and everything behind it.
  const bool handing_over = instance.kind == Kind::kPrimary && static_cast<const Primary&>(instance).coordinated &&
                            static_cast<const Primary&>(instance).failover_state == FailoverState::kWaitPromotion;
  if (!instance.hello_in_flight && !handing_over) {
    Mono when = instance.hello_sent ? *instance.hello_sent + core_.periods.publish : agenda.now();
    if (instance.hello_retry) when = std::max(when, *instance.hello_retry);
    if (agenda.due(when)) send_hello(instance);
  }
}

void Monitor::send_info(Instance& instance) {
  links_.send(instance, Request::kInfo, {"INFO"});
  instance.info_in_flight = true;
  instance.info_wanted = false;
}

void Monitor::send_hello(Instance& instance) {
  const Primary& primary = primary_of(instance);
  const NodeAddress& address = core_.topology.current_address(primary);
  const Settings& settings = core_.settings;
  Hello hello;
  hello.host =
      settings.announce_ip.empty() ? core_.topology.link_of(instance).commands.local_host : settings.announce_ip;
  hello.port = settings.announce_port != 0 ? settings.announce_port : static_cast<uint16_t>(settings.own_port());
  hello.runid = settings.myid;
  hello.current_epoch = settings.current_epoch;
  hello.primary_name = primary.name;
  hello.primary_host = core_.announced(address);
  hello.primary_port = address.port;
  hello.config_epoch = primary.config_epoch;
  links_.send(instance, Request::kHello, {"PUBLISH", kHelloChannel, print_hello(hello)});
  instance.hello_in_flight = true;
}

void Monitor::hello_answered(Instance& instance, const codec::Reply& reply) {
  instance.hello_in_flight = false;
  if (reply.is_error()) {
    instance.hello_retry = core_.now.mono + kHelloRetryPeriod;
  } else {
    instance.hello_sent = core_.now.mono;
    instance.hello_retry.reset();
  }
}

void Monitor::ping_answered(Instance& instance, const codec::Reply& reply, Mono sent) {
  Link& link = core_.topology.link_of(instance);
  link.round_trip = sent;
  if (reply.type == codec::Reply::Type::kSimple || reply.is_error()) {
    const bool pong = reply.text.starts_with("PONG");
    if (pong || reply.text.starts_with("LOADING") || reply.text.starts_with("MASTERDOWN")) {
      link.last_available = core_.now.mono;
      link.unanswered_since.reset();
      if (pong && instance.kind == Kind::kPrimary) static_cast<Primary&>(instance).rebooting_since.reset();
    } else if (reply.text.starts_with("BUSY") && instance.s_down && !instance.script_kill_sent) {
      links_.send(instance, Request::kDiscard, {"SCRIPT", "KILL"});
      instance.script_kill_sent = true;
    }
  }
  link.last_reply = core_.now.mono;
}

void Monitor::force_hellos(Primary& primary) {
  const auto force = [](Instance& instance) {
    instance.hello_sent.reset();
    instance.hello_retry.reset();
  };
  force(primary);
  for (const auto& [key, replica] : primary.replicas) force(*replica);
  for (const auto& [key, sentinel] : primary.sentinels) force(*sentinel);
  core_.touch(primary);
}

}  // namespace holdfast::sentinel
