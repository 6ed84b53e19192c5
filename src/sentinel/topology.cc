#include "sentinel/topology.h"

#include <algorithm>

#include "base/address.h"
#include "base/assert.h"
#include "base/text.h"

namespace holdfast::sentinel {

bool CaseInsensitiveLess::operator()(const std::string& a, const std::string& b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return to_lower(x) < to_lower(y); });
}

const std::string& announced_host(const NodeAddress& address, const AddressStyle& style) {
  // An unresolved name stands for itself: the original prints nothing, and writes a line it cannot read back.
  return style.announce_hostnames || address.ip.empty() ? address.hostname : address.ip;
}

std::string announced_key(const NodeAddress& address, const AddressStyle& style) {
  return host_port(announced_host(address, style), address.port);
}

bool same_node(const NodeAddress& a, const NodeAddress& b) {
  if (a.port != b.port) return false;
  return (!a.ip.empty() && a.ip == b.ip) || equal_ignoring_case(a.hostname, b.hostname);
}

Primary& primary_of(Instance& instance) {
  return instance.kind == Kind::kPrimary ? static_cast<Primary&>(instance) : *instance.primary;
}
const Primary& primary_of(const Instance& instance) {
  return instance.kind == Kind::kPrimary ? static_cast<const Primary&>(instance) : *instance.primary;
}

Primary* Topology::find(std::string_view name) {
  const auto at = primaries_.find(name);
  return at == primaries_.end() ? nullptr : at->second.get();
}
const Primary* Topology::find(std::string_view name) const {
  const auto at = primaries_.find(name);
  return at == primaries_.end() ? nullptr : at->second.get();
}

Primary* Topology::find_by_address(const NodeAddress& address) {
  for (const auto& [name, primary] : primaries_) {
    if (same_node(primary->address, address)) return primary.get();
  }
  return nullptr;
}

Instance* Topology::instance(InstanceId id) {
  const auto at = instances_.find(id);
  return at == instances_.end() ? nullptr : at->second;
}

void Topology::touch(Instance& instance) { worklist_.touch(primary_of(instance)); }

void Topology::touch_all() {
  for (const auto& [name, primary] : primaries_) worklist_.touch(*primary);
}

Link* Topology::find_link(LinkId id) {
  const auto at = links_.find(id);
  return at == links_.end() ? nullptr : at->second.get();
}

Link& Topology::link(LinkId id) {
  Link* link = find_link(id);
  HF_ASSERT(link != nullptr);
  return *link;
}

const Link& Topology::link(LinkId id) const {
  const auto at = links_.find(id);
  HF_ASSERT(at != links_.end());
  return *at->second;
}

Link& Topology::new_link(Instance& owner, Mono now) {
  auto link = std::make_unique<Link>();
  link->id = LinkId{++last_link_};
  link->owners.push_back(owner.id);
  link->wants_pubsub = owner.monitored();
  // The clock runs from here although nothing was sent: a node that cannot be reached at all goes down in time.
  link->unanswered_since = now;
  link->last_available = now;
  link->last_reply = now;
  owner.link = link->id;
  return *links_.emplace(link->id, std::move(link)).first->second;
}

void Topology::init(Instance& instance, Kind kind, Mono now) {
  instance.id = InstanceId{++last_instance_};
  instance.kind = kind;
  instance.hello_sent = now;
  instance.hello_received = now;
  instance.last_answer = now;
  instance.role_reported = kind == Kind::kPrimary ? Role::kPrimary : Role::kReplica;
  instance.role_reported_at = now;
  instance.replication_changed_at = now;
  instances_[instance.id] = &instance;
  new_link(instance, now);
}

Primary& Topology::add_primary(std::string name, NodeAddress address, int64_t quorum, Mono now) {
  HF_ASSERT(find(name) == nullptr);
  auto primary = std::make_unique<Primary>();
  primary->name = name;
  primary->address = std::move(address);
  primary->quorum = quorum;
  init(*primary, Kind::kPrimary, now);
  touch(*primary);
  return *primaries_.emplace(std::move(name), std::move(primary)).first->second;
}

Instance& Topology::add_replica(Primary& primary, std::string key, NodeAddress address, Mono now) {
  HF_ASSERT(!primary.replicas.contains(key));
  auto replica = std::make_unique<Instance>();
  replica->name = key;
  replica->address = std::move(address);
  replica->primary = &primary;
  replica->down_after = primary.down_after;
  init(*replica, Kind::kReplica, now);
  touch(primary);
  return *primary.replicas.emplace(std::move(key), std::move(replica)).first->second;
}

Instance& Topology::add_sentinel(Primary& primary, std::string runid, NodeAddress address, Mono now) {
  HF_ASSERT(!primary.sentinels.contains(runid));
  auto sentinel = std::make_unique<Instance>();
  sentinel->name = runid;
  sentinel->runid = runid;
  sentinel->address = std::move(address);
  sentinel->primary = &primary;
  sentinel->down_after = primary.down_after;
  init(*sentinel, Kind::kSentinel, now);
  touch(primary);
  return *primary.sentinels.emplace(std::move(runid), std::move(sentinel)).first->second;
}

void Topology::release(Instance& instance) {
  Link& used = link(instance.link);
  std::erase(used.owners, instance.id);
  for (PendingReply& reply : used.commands.pending) {
    if (reply.instance == instance.id) reply = {};
  }
  instances_.erase(instance.id);
  if (!used.owners.empty()) return;
  if (used.commands.conn) orphans_.push_back(used.commands.conn);
  if (used.pubsub.conn) orphans_.push_back(used.pubsub.conn);
  links_.erase(used.id);
}

void Topology::remove_replicas(Primary& primary) {
  for (const auto& [key, replica] : primary.replicas) release(*replica);
  primary.replicas.clear();
  primary.promoted_replica = InstanceId::kNone;
}

void Topology::remove_sentinels(Primary& primary) {
  for (const auto& [key, sentinel] : primary.sentinels) release(*sentinel);
  primary.sentinels.clear();
}

bool Topology::remove_sentinel(Primary& primary, const std::string& runid) {
  const auto at = primary.sentinels.find(runid);
  if (at == primary.sentinels.end()) return false;
  release(*at->second);
  primary.sentinels.erase(at);
  touch(primary);
  return true;
}

void Topology::remove_primary(Primary& primary) {
  remove_replicas(primary);
  remove_sentinels(primary);
  release(primary);
  worklist_.forget(primary);
  primaries_.erase(primaries_.find(primary.name));
}

void Topology::share_link(Instance& sentinel) {
  HF_ASSERT(sentinel.kind == Kind::kSentinel);
  if (link_of(sentinel).owners.size() > 1) return;
  for (const auto& [name, other] : primaries_) {
    if (other.get() == sentinel.primary) continue;
    const auto match = other->sentinels.find(sentinel.runid);
    if (match == other->sentinels.end()) continue;
    const InstanceId id = sentinel.id;
    release(sentinel);
    instances_[id] = &sentinel;
    sentinel.link = match->second->link;
    link(sentinel.link).owners.push_back(id);
    return;
  }
}

void Topology::propagate_down_after(Primary& primary) {
  for (const auto& [key, replica] : primary.replicas) replica->down_after = primary.down_after;
  for (const auto& [key, sentinel] : primary.sentinels) sentinel->down_after = primary.down_after;
}

const Instance* Topology::promoted(const Primary& primary) const {
  const auto at = instances_.find(primary.promoted_replica);
  return at == instances_.end() ? nullptr : at->second;
}

const NodeAddress& Topology::current_address(const Primary& primary) const {
  const Instance* promoted_replica = promoted(primary);
  const bool confirmed = primary.failover_in_progress && primary.failover_state >= FailoverState::kReconfReplicas;
  return confirmed && promoted_replica != nullptr ? promoted_replica->address : primary.address;
}

void Topology::excuse(Duration stall, Mono now) {
  for (const auto& [id, used] : links_) {
    if (used->unanswered_since) used->unanswered_since = std::min(*used->unanswered_since + stall, now);
  }
}

void Topology::want_pings() {
  for (const auto& [id, used] : links_) used->ping_wanted = true;
}

bool Topology::all_answered_since(Mono then) const {
  bool any = false;
  for (const auto& [id, used] : links_) {
    if (!used->commands.established) continue;
    any = true;
    if (used->round_trip < then) return false;
  }
  return any;
}

void Topology::check_invariants() const {
  size_t seen = 0;
  const auto check = [&](const Instance& instance, const Primary* owner) {
    ++seen;
    HF_ASSERT(instances_.at(instance.id) == &instance);
    HF_ASSERT(instance.primary == owner);
    const Link& used = link(instance.link);
    HF_ASSERT(std::count(used.owners.begin(), used.owners.end(), instance.id) == 1);
    HF_ASSERT(used.wants_pubsub == instance.monitored());
  };
  for (const auto& [name, primary] : primaries_) {
    HF_ASSERT(primary->name == name);
    check(*primary, nullptr);
    for (const auto& [key, replica] : primary->replicas) check(*replica, primary.get());
    for (const auto& [key, sentinel] : primary->sentinels) {
      HF_ASSERT(sentinel->runid == key);
      check(*sentinel, primary.get());
    }
    const bool promoting = primary->failover_state >= FailoverState::kSendPromotion;
    HF_ASSERT(!promoting || promoted(*primary) != nullptr);
    HF_ASSERT(primary->failover_in_progress == (primary->failover_state != FailoverState::kNone));
  }
  HF_ASSERT(seen == instances_.size());
  for (const auto& [id, used] : links_) HF_ASSERT(!used->owners.empty());
}

}  // namespace holdfast::sentinel
