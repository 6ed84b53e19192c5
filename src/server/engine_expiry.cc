// The engine's part in active expiry: deleting what is due, a bounded number of keys per turn.
#include "family/lookup.h"
#include "server/accounting.h"
#include "server/compactor.h"
#include "server/engine.h"

namespace holdfast::server {
namespace {

constexpr size_t kExpirePerTurn = 200;

}  // namespace

void Engine::expire_due(Now now) {
  if (!state_.active_expire || state_.loading || paused(false)) return;
  if (state_.replication.is_replica) return expire_written_here(now);
  state_.expiring_here.clear();
  const SpikeScope spike(state_, "expire-cycle", now);
  std::vector<std::string> names;
  for (size_t db = 0; db < state_.data->databases(); ++db) {
    names.clear();
    if (state_.data->db(db).collect_due(unix_ms(now.wall), kExpirePerTurn, names) > 0) compactor_->consider(now);
    for (const std::string& name : names) {
      family::expire_key(state_, *this, static_cast<int>(db), state_.data->key(name));
      // A unit each: no transaction holds keys together that only happen to end at once.
      flush_effects(now);
    }
  }
}

/// On a replica the primary deletes, but for keys it knows nothing of.
void Engine::expire_written_here(Now now) {
  size_t looked_at = 0;
  for (auto at = state_.expiring_here.begin(); at != state_.expiring_here.end() && looked_at < kExpirePerTurn;) {
    ++looked_at;
    const auto& [db, name] = *at;
    const store::Key key = state_.data->key(name);
    const store::Entry* const entry = state_.data->db(static_cast<size_t>(db)).find(key);
    if (entry != nullptr && entry->is_expired(unix_ms(now.wall))) {
      family::expire_key(state_, *this, db, key);
    } else if (entry != nullptr && entry->has_expiry()) {
      ++at;
      continue;
    }
    at = state_.expiring_here.erase(at);
  }
}

}  // namespace holdfast::server
