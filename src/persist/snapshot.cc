#include "persist/snapshot.h"

#include <algorithm>
#include <memory>
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
    : options_(options), epoch_(++data.context().snapshot_epoch), context_(data.context()) {
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
    select(out_, selected_db_, i);
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

void Snapshot::select(std::string& out, size_t& selected, size_t db) {
  if (selected == db) return;
  options_.as_commands ? put_select_command(out, db) : put_database(out, db);
  selected = db;
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
    const auto& entry = *static_cast<const store::Entry*>(item);
    if (LargeRecord::is_worth(entry)) {
      large_.push_back(std::make_unique<LargeRecord>(context_, entry, options_, source.db));
      // From now on records of out_ wait; the first thing in front of this one is what says its database.
      if (large_.size() == 1) select(out_, selected_db_, source.db);
    } else {
      put(entry, source.db);
    }
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

void Snapshot::put(const store::Entry& entry, size_t db) {
  std::string& out = large_.empty() ? out_ : aside_;
  select(out, large_.empty() ? selected_db_ : aside_db_, db);
  const size_t before = out.size();
  options_.as_commands ? put_entry_commands(out, entry) : put_entry(out, entry, options_);
  const size_t written = out.size() - before;
  if (entry.type() == store::Type::kString) unwritten_ += std::max(entry.length(), written) - written;
}

void Snapshot::write_large(size_t bytes) {
  LargeRecord& record = *large_.front();
  const size_t before = out_.size();
  const bool whole = record.write(out_, bytes);
  const size_t written = out_.size() - before;
  unwritten_ += std::max(record.cost(), written) - written;
  if (whole) {
    large_.pop_front();
    if (!aside_.empty()) {
      out_ += aside_;
      selected_db_ = aside_db_;
      aside_.clear();
      aside_db_ = SIZE_MAX;
    }
    if (!large_.empty()) select(out_, selected_db_, large_.front()->db());
  }
  seal();
}

size_t Snapshot::pending() const {
  size_t bytes = out_.size() + aside_.size();
  for (const auto& record : large_) bytes += record->pending();
  return bytes;
}

bool Snapshot::visit(const Source& source, store::Segment& segment, uint64_t until) {
  for (uint32_t bucket = 0; bucket < segment.bucket_count(); ++bucket) {
    if (segment.is_visited(bucket)) continue;
    if (bytes_ + unwritten_ >= until || !large_.empty()) return false;
    emit(source, segment, bucket);
  }
  return large_.empty();
}

bool Snapshot::step(size_t bytes) {
  const uint64_t done = bytes_ + unwritten_;
  const uint64_t until = bytes > UINT64_MAX - done ? UINT64_MAX : done + bytes;
  while (!complete_ && bytes_ + unwritten_ < until) {
    if (!large_.empty()) {
      write_large(until - bytes_ - unwritten_);
      continue;
    }
    if (current_ == sources_.size()) {
      finish();
      break;
    }
    const Source& source = sources_[current_];
    store::Segment& segment = *source.keys->table.segment_at(position_);
    join(segment);
    if (!visit(source, segment, until)) continue;
    position_ = store::Table::position_after(segment);
    if (position_ != 0) continue;
    leave(source);
    ++current_;
  }
  return complete_;
}

bool Snapshot::slice(size_t bytes, Duration per_key, Now now) {
  if (per_key <= Duration{}) return step(bytes);
  if (!large_.empty()) return step(bytes);  // delays are between keys
  if (now.mono < rest_until_) return complete_;
  const uint64_t before = keys_;
  // Rests before the first key too: whoever watches sees the snapshot run.
  if (rest_until_ != Mono::min()) step(1);
  rest_until_ = now.mono + per_key * std::max<int64_t>(static_cast<int64_t>(keys_ - before), 1);
  return complete_;
}

void Snapshot::finish() {
  HF_ASSERT(keys_ == keys_total_ && large_.empty());
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
