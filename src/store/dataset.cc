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

Dataset::~Dataset() = default;

void Dataset::clear(size_t index) {
  if (databases_[index].size() == 0) return;
  graveyard_.push_back(databases_[index].detach());
}

void Dataset::clear_all() {
  for (size_t i = 0; i < databases_.size(); ++i) clear(i);
}

size_t Dataset::size() const {
  size_t keys = 0;
  for (const Keyspace& db : databases_) keys += db.size();
  return keys;
}

bool Dataset::reclaim(size_t limit) {
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
    if (!done) return false;
    graveyard_.erase(graveyard_.begin() + static_cast<ptrdiff_t>(i));
    limit -= std::min(limit, freed);
  }
  return true;
}

size_t Dataset::pending() const {
  size_t keys = 0;
  for (const auto& table : graveyard_) keys += table->table.size();
  return keys;
}

size_t Dataset::used_memory() const {
  return context_.heap.used() + (databases_.size() + graveyard_.size()) * sizeof(KeyTable);
}

void Dataset::check_invariants() const {
  context_.heap.check_invariants();
  for (const Keyspace& db : databases_) db.check_invariants();
}

}  // namespace holdfast::store
