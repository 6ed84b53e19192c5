#include "store/key_walk.h"

#include "base/assert.h"

namespace holdfast::store {

KeyWalk::KeyWalk(KeyTable& keys, Reader& reader) : keys_(&keys), reader_(reader), number_(++keys.context->walks) {
  HF_ASSERT(keys.table.walk() == nullptr);
  keys.table.set_walk(this);
  ++keys.pins;
}

KeyWalk::~KeyWalk() { leave(); }

void KeyWalk::leave() {
  if (keys_ == nullptr) return;
  HF_ASSERT(keys_->pins > 0 && keys_->table.walk() == this);
  keys_->table.set_walk(nullptr);
  --keys_->pins;
  keys_ = nullptr;
}

void KeyWalk::join(Segment& segment) const {
  if (segment.walk == number_) return;
  segment.walk = number_;
  segment.walked[0] = segment.walked[1] = 0;
}

void KeyWalk::before_write(Table& table, Segment& segment, uint32_t bucket) {
  HF_ASSERT(keys_ != nullptr && &keys_->table == &table);
  join(segment);
  see(segment, bucket);
}

/// How many keys were shown.
size_t KeyWalk::see(Segment& segment, uint32_t bucket) {
  const uint64_t bit = uint64_t{1} << (bucket & 63);
  uint64_t& marks = segment.walked[bucket >> 6];
  if ((marks & bit) != 0) return 0;
  marks |= bit;
  size_t shown = 0;
  keys_->table.for_each_in_bucket(segment, bucket, [&](void* item) {
    reader_.see(*static_cast<const Entry*>(item));
    ++shown;
  });
  return shown;
}

bool KeyWalk::step(size_t keys) {
  for (size_t shown = 0; keys_ != nullptr && shown < keys;) {
    Segment& segment = *keys_->table.segment_at(position_);
    join(segment);
    for (uint32_t bucket = 0; bucket < segment.bucket_count(); ++bucket) shown += see(segment, bucket);
    ++shown;  // a segment costs something even when it was seen before
    position_ = Table::position_after(segment);
    if (position_ == 0) leave();
  }
  return keys_ == nullptr;
}

}  // namespace holdfast::store
