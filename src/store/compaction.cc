#include "store/compaction.h"

#include <algorithm>

#include "store/entry_factory.h"

namespace holdfast::store {

namespace {
constexpr size_t kPagesPerStep = 1000;
}  // namespace

bool Compaction::step(size_t effort) {
  while (effort > 0) {
    if (!unfinished_.empty()) {
      go_on_inside(effort);
      continue;
    }
    if (db_ == data_.databases()) return data_.context().heap.end_vacating(kPagesPerStep);
    Table& table = data_.db(db_).keys().table;
    Segment& segment = *table.segment_at(position_);
    if (bucket_ < segment.bucket_count()) {
      move_bucket(table, segment, effort);
      ++bucket_;
      continue;
    }
    bucket_ = 0;
    position_ = Table::position_after(segment);
    if (position_ == 0) ++db_;
  }
  return false;
}

void Compaction::move_bucket(Table& table, Segment& segment, size_t& effort) {
  --effort;
  table.relocate(segment, bucket_, [&](void* item) {
    size_t left = std::max<size_t>(effort, 2) - 1;  // whatever is begun gets on
    size_t cursor = 0;
    Entry* const entry = EntryFactory::compact(data_.context(), static_cast<Entry*>(item), cursor, left);
    effort = std::min(effort, left);
    if (cursor != 0) unfinished_.push_back({std::string(entry->key()), cursor});
    return entry;
  });
}

void Compaction::go_on_inside(size_t& effort) {
  --effort;
  const Unfinished last = std::move(unfinished_.back());
  unfinished_.pop_back();
  const Key key = data_.key(last.key);
  void** const slot = data_.db(db_).keys().table.slot(key);
  if (slot == nullptr) return;
  size_t cursor = last.cursor;
  // Another value may have the name by now: a cursor is only a place to go on from.
  *slot = EntryFactory::compact(data_.context(), static_cast<Entry*>(*slot), cursor, effort);
  if (cursor != 0) unfinished_.push_back({last.key, cursor});
}

}  // namespace holdfast::store
