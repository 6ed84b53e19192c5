#include "persist/snapshot.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "codec/crc64.h"
#include "codec/rdb/write.h"
#include "persist/aof_save.h"
#include "store/dataset.h"
#include "store/entry.h"

namespace holdfast::persist {

namespace rdb = codec::rdb;

Snapshot::Snapshot(store::Dataset& data, const SaveInfo& info, const SaveOptions& options)
    : options_(options), epoch_(++data.context().snapshot_epoch) {
  begin(info);
  for (size_t i = 0; i < data.databases(); ++i) {
    store::KeyTable& keys = data.db(i).keys();
    if (keys.table.size() == 0) continue;  // whatever comes into it comes after the cut
    HF_ASSERT(keys.table.hook() == nullptr);
    keys.table.set_hook(this, static_cast<uint32_t>(sources_.size()));
    ++keys.pins;
    sources_.push_back({&keys, i});
    keys_total_ += keys.table.size();
    if (options_.as_commands) continue;
    select(i);
    rdb::put_opcode(out_, rdb::Opcode::kResizeDb);
    rdb::put_length(out_, keys.table.size());
    rdb::put_length(out_, keys.expiring);
  }
  seal();
}

void Snapshot::begin(const SaveInfo& info) {
  if (!options_.as_commands) return put_header(out_, info, options_);
  for (const std::string& library : info.functions) put_function_command(out_, library);
}

void Snapshot::select(size_t db) {
  if (selected_db_ == db) return;
  options_.as_commands ? put_select_command(out_, db) : put_database(out_, db);
  selected_db_ = db;
}

Snapshot::~Snapshot() {
  for (; current_ < sources_.size(); ++current_) leave(sources_[current_]);
}

void Snapshot::leave(const Source& source) {
  HF_ASSERT(source.keys->pins > 0 && source.keys->table.hook() == this);
  source.keys->table.set_hook(nullptr);
  --source.keys->pins;
}

void Snapshot::join(store::Segment& segment) const {
  if (segment.snapshot == epoch_) return;
  segment.snapshot = epoch_;
  segment.visited[0] = 0;
  segment.visited[1] = 0;
}

void Snapshot::before_write(store::Table& table, store::Segment& segment, uint32_t bucket) {
  const Source& source = sources_[table.hook_tag()];
  HF_ASSERT(&source.keys->table == &table);
  join(segment);
  if (!segment.is_visited(bucket)) emit(source, segment, bucket);
}

void Snapshot::emit(const Source& source, store::Segment& segment, uint32_t bucket) {
  segment.mark_visited(bucket);
  source.keys->table.for_each_in_bucket(segment, bucket, [&](void* item) {
    select(source.db);
    const auto& entry = *static_cast<const store::Entry*>(item);
    options_.as_commands ? put_entry_commands(out_, entry) : put_entry(out_, entry, options_);
    ++keys_;
  });
  seal();
}

void Snapshot::seal() {
  const std::string_view fresh = std::string_view(out_).substr(sealed_);
  if (!options_.as_commands) crc_ = codec::crc64(crc_, fresh);
  bytes_ += fresh.size();
  sealed_ = out_.size();
}

bool Snapshot::step(size_t bytes) {
  const uint64_t until = bytes > UINT64_MAX - bytes_ ? UINT64_MAX : bytes_ + bytes;
  while (!complete_ && bytes_ < until) {
    if (current_ == sources_.size()) {
      finish();
      break;
    }
    const Source& source = sources_[current_];
    store::Segment& segment = *source.keys->table.segment_at(position_);
    join(segment);
    bool whole = true;
    for (uint32_t bucket = 0; bucket < segment.bucket_count(); ++bucket) {
      if (segment.is_visited(bucket)) continue;
      if (bytes_ >= until) {
        whole = false;
        break;
      }
      emit(source, segment, bucket);
    }
    if (!whole) break;
    position_ = store::Table::position_after(segment);
    if (position_ != 0) continue;
    leave(source);
    ++current_;
  }
  return complete_;
}

bool Snapshot::slice(size_t bytes, Duration per_key, Now now) {
  if (per_key <= Duration{}) return step(bytes);
  if (now.mono < rest_until_) return complete_;
  const uint64_t before = keys_;
  // Rests before the first key too: whoever watches sees the snapshot run.
  if (rest_until_ != Mono::min()) step(1);
  rest_until_ = now.mono + per_key * std::max<int64_t>(static_cast<int64_t>(keys_ - before), 1);
  return complete_;
}

void Snapshot::finish() {
  HF_ASSERT(keys_ == keys_total_);
  if (!options_.as_commands) put_trailer(out_, crc_, options_.checksum);
  bytes_ += out_.size() - sealed_;
  sealed_ = out_.size();
  complete_ = true;
}

std::string Snapshot::take() {
  sealed_ = 0;
  return std::exchange(out_, {});
}

}  // namespace holdfast::persist
