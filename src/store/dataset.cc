#include "store/dataset.h"

#include <algorithm>

#include "base/assert.h"
#include "store/entry_factory.h"

namespace holdfast::store {

Dataset::Dataset(size_t databases, const HashSeed& seed) : context_(seed) {
  HF_ASSERT(databases > 0);
  databases_.reserve(databases);
  for (size_t i = 0; i < databases; ++i) databases_.emplace_back(context_);
}

Dataset::~Dataset() {
  context_.free_at_once_max = SIZE_MAX;
  size_t all = SIZE_MAX;
  reclaim_doomed(all);
}

void Dataset::clear(size_t index, bool lazily) {
  if (databases_[index].size() == 0) return;
  graveyard_.push_back(databases_[index].detach());
  graveyard_.back()->lazily = lazily;
}

void Dataset::clear_all(bool lazily) {
  for (size_t i = 0; i < databases_.size(); ++i) clear(i, lazily);
}

size_t Dataset::size() const {
  size_t keys = 0;
  for (const Keyspace& db : databases_) keys += db.size();
  return keys;
}

bool Dataset::reclaim_doomed(size_t& limit) {
  std::vector<Doomed>& doomed = context_.doomed;
  while (!doomed.empty()) {
    if (limit == 0) return false;
    const Doomed last = doomed.back();
    if (!EntryFactory::dismantle(context_, last, limit)) {
      limit = 0;
      return false;
    }
    if (last.lazily) ++context_.freed_lazily;
    doomed.pop_back();
    // How much the last slice took is not known; small ones are not worth it.
    limit -= std::min(limit, size_t{64});
  }
  return true;
}

bool Dataset::reclaim(size_t limit) {
  if (!reclaim_doomed(limit)) return false;
  for (size_t i = 0; i < graveyard_.size();) {
    KeyTable& keys = *graveyard_[i];
    if (keys.pins > 0) {
      ++i;
      continue;
    }
    size_t freed = 0;
    const bool done = keys.table.drain(limit, [&](void* item) {
      EntryFactory::destroy(context_, static_cast<Entry*>(item));
      ++freed;
    });
    if (keys.lazily) context_.freed_lazily += freed;
    if (!done) return false;
    graveyard_.erase(graveyard_.begin() + static_cast<ptrdiff_t>(i));
    limit -= std::min(limit, freed);
  }
  return reclaim_doomed(limit);
}

size_t Dataset::pending() const {
  size_t objects = context_.doomed.size() + context_.detained.size();
  for (const auto& table : graveyard_) objects += table->table.size();
  return objects;
}

bool Dataset::can_reclaim() const {
  if (!context_.doomed.empty()) return true;
  for (const auto& table : graveyard_) {
    if (table->pins == 0) return true;
  }
  return false;
}

bool Dataset::is_read() const {
  return std::any_of(databases_.begin(), databases_.end(),
                     [](const Keyspace& db) { return db.keys().table.hook() != nullptr; });
}

size_t Dataset::used_memory() const {
  return context_.heap.used() + (databases_.size() + graveyard_.size()) * sizeof(KeyTable);
}

void Dataset::check_invariants() const {
  context_.heap.check_invariants();
  for (const Keyspace& db : databases_) db.check_invariants();
}

}  // namespace holdfast::store
