#include "server/evict.h"

#include <algorithm>
#include <cmath>

#include "family/access.h"
#include "family/lookup.h"
#include "server/engine.h"

namespace holdfast::server {

using store::Entry;
using store::Keyspace;

namespace {

constexpr size_t kPoolMax = 16;
constexpr size_t kReclaimedPerCall = 4000;
constexpr int64_t kTenacityMax = 100;

/// Keys per call. The original gives time: 50 us per point up to 10 points, then 15 % more for each.
size_t keys_per_call(int64_t tenacity) {
  constexpr double kKeysPerPoint = 10;
  if (tenacity >= kTenacityMax) return SIZE_MAX;
  if (tenacity <= 10) return static_cast<size_t>(std::max(kKeysPerPoint * static_cast<double>(tenacity), 1.0));
  return static_cast<size_t>(kKeysPerPoint * 10 * std::pow(1.15, static_cast<double>(tenacity - 10)));
}

}  // namespace

bool Evictor::policy_of(const family::Settings& settings, Policy& policy) {
  const std::string_view name = settings.maxmemory_policy;
  if (name == "noeviction") return false;
  policy.expiring_only = name.starts_with("volatile");
  policy.by = name.ends_with("lru")   ? By::kIdle
              : name.ends_with("lfu") ? By::kFrequency
              : name.ends_with("ttl") ? By::kTimeToLive
                                      : By::kChance;
  return true;
}

bool Evictor::over() const {
  return engine_.counted_memory() > static_cast<uint64_t>(engine_.state_.settings.maxmemory);
}

Evictor::Outcome Evictor::make_room(Now now) {
  const family::State& state = engine_.state_;
  running_ = false;
  if (state.settings.maxmemory <= 0 || state.loading) return Outcome::kEnough;
  if (state.replication.is_replica && state.settings.replica_ignore_maxmemory) return Outcome::kEnough;
  if (engine_.paused(false) || !over()) return Outcome::kEnough;
  // What was deleted before counts until it is freed.
  if (state.data->can_reclaim()) state.data->reclaim(kReclaimedPerCall);
  Policy policy{};
  const bool may_evict = policy_of(state.settings, policy);
  const size_t keys_max = keys_per_call(state.settings.maxmemory_eviction_tenacity);
  for (size_t keys = 0; over(); ++keys) {
    running_ = keys == keys_max || (keys > 0 && state.data->can_reclaim());
    if (running_) return Outcome::kRunning;
    Candidate victim;
    if (!may_evict || !choose(policy, now, victim)) {
      running_ = state.data->can_reclaim();
      return running_ ? Outcome::kRunning : Outcome::kFailed;
    }
    evict(victim, now);
  }
  return Outcome::kEnough;
}

void Evictor::offer(uint64_t rank, int db, std::string_view key) {
  if (pool_.size() == kPoolMax && rank <= pool_.front().rank) return;
  for (const Candidate& held : pool_) {
    if (held.db == db && held.key == key) return;
  }
  if (pool_.size() == kPoolMax) pool_.erase(pool_.begin());
  const auto at = std::upper_bound(pool_.begin(), pool_.end(), rank,
                                   [](uint64_t r, const Candidate& held) { return r < held.rank; });
  pool_.insert(at, Candidate{rank, db, std::string(key)});
}

void Evictor::fill_pool(const Policy& policy, int db, Now now) {
  family::State& state = engine_.state_;
  const auto samples = static_cast<size_t>(state.settings.maxmemory_samples);
  state.data->db(static_cast<size_t>(db)).sample(state.prng, samples, policy.expiring_only, [&](const Entry& entry) {
    uint64_t rank = 0;
    switch (policy.by) {
      case By::kIdle:
        rank = static_cast<uint64_t>(family::idle_seconds(entry, now));
        break;
      case By::kFrequency:
        rank = 255 - family::frequency(state.settings, entry, now);
        break;
      case By::kTimeToLive:
        rank = UINT64_MAX - static_cast<uint64_t>(entry.expires_at_ms());
        break;
      case By::kChance:
        break;
    }
    offer(rank, db, entry.key());
  });
}

bool Evictor::choose(const Policy& policy, Now now, Candidate& victim) {
  if (policy.by == By::kChance) return choose_by_chance(policy, victim);
  store::Dataset& data = *engine_.state_.data;
  while (true) {
    bool any = false;
    for (size_t db = 0; db < data.databases(); ++db) {
      const Keyspace& keys = data.db(db);
      if ((policy.expiring_only ? keys.expiring() : keys.size()) == 0) continue;
      any = true;
      fill_pool(policy, static_cast<int>(db), now);
    }
    if (!any) return false;
    while (!pool_.empty()) {
      victim = std::move(pool_.back());
      pool_.pop_back();
      // It may be gone, or stay for ever now.
      const Entry* const entry = data.db(static_cast<size_t>(victim.db)).find(data.key(victim.key));
      if (entry != nullptr && (!policy.expiring_only || entry->has_expiry())) return true;
    }
  }
}

bool Evictor::choose_by_chance(const Policy& policy, Candidate& victim) {
  family::State& state = engine_.state_;
  const auto databases = static_cast<int>(state.data->databases());
  for (int i = 0; i < databases; ++i) {
    next_db_ = (next_db_ + 1) % databases;
    bool found = false;
    state.data->db(static_cast<size_t>(next_db_)).sample(state.prng, 1, policy.expiring_only, [&](const Entry& entry) {
      victim = {0, next_db_, std::string(entry.key())};
      found = true;
    });
    if (found) return true;
  }
  return false;
}

void Evictor::evict(const Candidate& victim, Now now) {
  family::State& state = engine_.state_;
  const bool lazy = state.settings.lazyfree_lazy_eviction;
  {
    const store::FreeingScope freeing(state.data->context(), lazy);
    state.data->db(static_cast<size_t>(victim.db)).erase(state.data->key(victim.key));
  }
  ++state.stats.evicted_keys;
  family::key_changed(state, engine_, victim.db, victim.key, 0);
  family::notify_event(state, engine_, victim.db, family::kNotifyEvicted, "evicted", victim.key);
  engine_.propagate(victim.db, {lazy ? "UNLINK" : "DEL", victim.key});
  // Each deletion is a unit of its own: no transaction holds them together.
  engine_.flush_effects(now);
}

}  // namespace holdfast::server
