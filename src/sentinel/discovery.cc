#include "sentinel/discovery.h"

#include <fmt/format.h>

#include <algorithm>

#include "sentinel/switchover.h"

namespace holdfast::sentinel {

void Discovery::message(Instance& instance, const codec::Reply& reply) {
  core_.topology.link_of(instance).pubsub_activity = core_.now.mono;
  using Type = codec::Reply::Type;
  if (reply.type != Type::kArray && reply.type != Type::kPush) return;
  if (reply.items.size() != 3) return;
  for (const codec::Reply& item : reply.items) {
    if (!item.is_string()) return;
  }
  if (reply.items[0].text != "message") return;
  const std::string& text = reply.items[2].text;
  if (text.find(core_.settings.myid) != std::string::npos) return;  // our own
  hello(text);
}

void Discovery::hello(std::string_view text) {
  const std::optional<Hello> parsed = parse_hello(text);
  if (!parsed) return;
  Primary* primary = core_.topology.find(parsed->primary_name);
  if (primary == nullptr) return;
  const NodeAddress address = core_.address_of(parsed->host, parsed->port);
  if (address.ip.empty()) {
    core_.names.request(core_, parsed->host);  // the next hello comes soon
    return;
  }
  core_.touch(*primary);
  Instance* sentinel = find(*primary, *parsed, address);
  if (sentinel == nullptr) sentinel = meet(*primary, *parsed, address);
  // A configuration cannot be newer than the epoch it was voted in, whatever the message says.
  const uint64_t epoch = std::max(parsed->current_epoch, parsed->config_epoch);
  if (epoch > core_.settings.current_epoch) core_.adopt_epoch(epoch, *primary);
  if (sentinel == nullptr) return;
  sentinel->hello_received = core_.now.mono;
  sentinel->said_config_epoch = parsed->config_epoch;
  sentinel->said_primary = core_.address_of(parsed->primary_host, parsed->primary_port);
  const bool newer = parsed->config_epoch > primary->config_epoch || !core_.keeps(Rule::kNewerConfiguration);
  if (newer) adopt_configuration(*primary, *sentinel, *parsed);
}

Instance* Discovery::find(Primary& primary, const Hello& hello, const NodeAddress& address) {
  const auto at = primary.sentinels.find(hello.runid);
  if (at == primary.sentinels.end() || !same_node(at->second->address, address)) return nullptr;
  return at->second.get();
}

Instance* Discovery::meet(Primary& primary, const Hello& hello, const NodeAddress& address) {
  if (hello.runid == core_.settings.myid) return nullptr;
  const bool moved = core_.topology.remove_sentinel(primary, hello.runid);
  if (moved) {
    core_.event(Event::kSentinelAddressSwitch, primary,
                fmt::format(" ip {} port {} for {}", hello.host, hello.port, hello.runid));
  } else {
    for (const auto& [runid, other] : primary.sentinels) {
      if (!same_node(other->address, address)) continue;
      core_.event(Event::kSentinelInvalidAddress, *other);
      forget_everywhere(std::string(runid));
      break;
    }
  }
  if (primary.sentinels.size() >= kSentinelsMax) return nullptr;
  Instance& sentinel = core_.topology.add_sentinel(primary, hello.runid, address, core_.now.mono);
  if (!moved) core_.event(Event::kSentinel, sentinel);
  core_.topology.share_link(sentinel);
  if (moved) update_address_everywhere(sentinel);
  core_.saver.request();
  core_.close_orphans();
  return &sentinel;
}

void Discovery::forget_everywhere(const std::string& runid) {
  for (const auto& [name, primary] : core_.topology.primaries()) core_.topology.remove_sentinel(*primary, runid);
  core_.close_orphans();
}

void Discovery::update_address_everywhere(Instance& sentinel) {
  int updated = 0;
  for (const auto& [name, primary] : core_.topology.primaries()) {
    const auto at = primary->sentinels.find(sentinel.runid);
    if (at == primary->sentinels.end()) continue;
    Link& link = core_.topology.link_of(*at->second);
    links_.close_commands(link);
    link.last_attempt.reset();
    if (at->second.get() == &sentinel) continue;
    at->second->address = sentinel.address;
    core_.touch(*primary);
    ++updated;
  }
  if (updated > 0) {
    core_.event(Event::kSentinelAddressUpdate, sentinel, fmt::format(" {} additional matching instances", updated));
  }
}

void Discovery::adopt_configuration(Primary& primary, const Instance& from, const Hello& hello) {
  const NodeAddress to = core_.address_of(hello.primary_host, hello.primary_port);
  if (to.ip.empty()) {
    // Without its address the new primary cannot be watched: look it up, and take the next hello.
    core_.names.request(core_, hello.primary_host);
    return;
  }
  primary.config_epoch = hello.config_epoch;
  core_.saver.request();
  // What we tell clients may be a promoted replica of a failover of ours that is not over: a newer configuration ends
  // it, even if it names the address that the failover started from.
  const NodeAddress old = core_.topology.current_address(primary);
  if (hello.primary_port == old.port && core_.same_host(old, hello.primary_host)) return;
  core_.event(Event::kConfigUpdateFrom, from);
  core_.event_text(Event::kSwitchMaster, &primary,
                   fmt::format("{} {} {} {} {}", primary.name, core_.announced(old), old.port, hello.primary_host,
                               hello.primary_port));
  change_address(core_, links_, primary, to);
  core_.run_reconfig_script(primary, "observer", old, primary.address);
}

}  // namespace holdfast::sentinel
