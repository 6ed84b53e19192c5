// Topology: the tables of primaries with their replicas and Sentinels, and the links to all of them.
//
// Invariants: every instance has a link and is among its owners; a link without owners is gone; names are unique per
// table. Links that end leave their connections in take_orphans() for the caller to close.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sentinel/instance.h"
#include "sentinel/worklist.h"

namespace holdfast::sentinel {

/// How addresses are shown and compared.
struct AddressStyle {
  bool resolve_hostnames = false;
  bool announce_hostnames = false;
};

/// `ip` or host name, as this Sentinel tells it to others.
const std::string& announced_host(const NodeAddress& address, const AddressStyle& style);
/// `host:port` with brackets around IPv6: the key of a replica.
std::string announced_key(const NodeAddress& address, const AddressStyle& style);
/// Same port and same address, by ip or by name. Unresolved addresses never match by ip.
bool same_node(const NodeAddress& a, const NodeAddress& b);

class Topology {
 public:
  using Primaries = std::map<std::string, std::unique_ptr<Primary>, std::less<>>;

  Primaries& primaries() { return primaries_; }
  const Primaries& primaries() const { return primaries_; }
  Primary* find(std::string_view name);
  const Primary* find(std::string_view name) const;
  /// The first primary at an address.
  Primary* find_by_address(const NodeAddress& address);
  Instance* instance(InstanceId id);
  Link& link(LinkId id);
  const Link& link(LinkId id) const;
  Link& link_of(const Instance& instance) { return link(instance.link); }
  const Link& link_of(const Instance& instance) const { return link(instance.link); }
  Link* find_link(LinkId id);

  Worklist& worklist() { return worklist_; }
  void touch(Instance& instance);
  void touch_all();

  /// Each asserts that the name is free. `now` starts the timers.
  Primary& add_primary(std::string name, NodeAddress address, int64_t quorum, Mono now);
  Instance& add_replica(Primary& primary, std::string key, NodeAddress address, Mono now);
  Instance& add_sentinel(Primary& primary, std::string runid, NodeAddress address, Mono now);
  void remove_primary(Primary& primary);
  void remove_replicas(Primary& primary);
  void remove_sentinels(Primary& primary);
  /// Removes the Sentinel with this run id; false if there was none.
  bool remove_sentinel(Primary& primary, const std::string& runid);
  /// Lets a new Sentinel instance use the link that another primary's instance of the same Sentinel has.
  void share_link(Instance& sentinel);

  /// The primary's down-after for all its replicas and Sentinels.
  static void propagate_down_after(Primary& primary);
  /// What a client should use: the promoted replica's address once it confirmed its promotion.
  const NodeAddress& current_address(const Primary& primary) const;
  const Instance* promoted(const Primary& primary) const;

  /// We were late by `stall`: pings that were waiting for answers have waited so much less.
  void excuse(Duration stall, Mono now);
  void want_pings();
  /// There are connections, and each had an answer to a ping sent after `then`.
  bool all_answered_since(Mono then) const;

  std::vector<ConnId> take_orphans() { return std::move(orphans_); }
  void check_invariants() const;

 private:
  Link& new_link(Instance& owner, Mono now);
  void init(Instance& instance, Kind kind, Mono now);
  void release(Instance& instance);

  Primaries primaries_;
  Worklist worklist_;
  // Looked up at every input; nothing depends on their order.
  std::unordered_map<InstanceId, Instance*> instances_;  // owned by primaries_
  std::unordered_map<LinkId, std::unique_ptr<Link>> links_;
  std::vector<ConnId> orphans_;
  uint32_t last_instance_ = 0;
  uint32_t last_link_ = 0;
};

/// The primary an instance belongs to (itself, for a primary).
Primary& primary_of(Instance& instance);
const Primary& primary_of(const Instance& instance);

}  // namespace holdfast::sentinel
