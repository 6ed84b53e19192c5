#include "store/cell_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.h"
#include "base/prng.h"
#include "store/context.h"
#include "store/scan_cursor.h"

namespace holdfast::store {

namespace {

/// What a cell holds on average before another one is added. A cell not split yet in this round holds up to twice as
/// much, which still fits the heap's small blocks.
constexpr size_t kCellBytes = 230;
constexpr size_t kCellRecords = 28;

uint8_t tag_of(uint64_t hash) { return static_cast<uint8_t>(hash >> 56); }

}  // namespace

CellTable::CellTable(Context& context, bool with_values) : context_(&context), shape_(with_values) {
  add_directory_place();
}

CellTable::~CellTable() {
  HF_ASSERT(walk_ == nullptr);
  drain(SIZE_MAX);
  while (cells_ > 0) drop_directory_place();
  HF_ASSERT(memory_ == 0 && body_bytes_ == 0);
}

std::unique_ptr<CellTable> CellTable::clone() const {
  auto copy = std::make_unique<CellTable>(*context_, shape_.with_values());
  std::vector<CellRecord> records;
  for (uint32_t i = 0; i < cells_; ++i) {
    if (i > 0) copy->add_directory_place();
    records.clear();
    gather(i, records);
    if (records.empty()) continue;
    for (CellRecord& record : records) {
      if (record.outline != nullptr) record = copy->make_record({record.key, uint64_t{record.tag} << 56}, record.value);
    }
    copy->set_cell(i, copy->build(records));
  }
  copy->size_ = size_;
  copy->widest_ = widest_;
  return copy;
}

// The directory: chunks of addresses; the first grows by doubling, so that a small table has a small directory.

void CellTable::add_directory_place() {
  constexpr uint32_t kChunk = 1U << kChunkBits;
  if (cells_ < kChunk && cells_ == first_capacity_) {
    const uint32_t wider = std::max(8U, first_capacity_ * 2);
    auto** const places = static_cast<Cell**>(context_->heap.allocate(wider * sizeof(Cell*)));
    memory_ += Heap::class_bytes(wider * sizeof(Cell*));
    if (chunks_.empty()) {
      chunks_.push_back(places);
    } else {
      std::copy_n(chunks_[0], first_capacity_, places);
      context_->heap.release(chunks_[0], first_capacity_ * sizeof(Cell*));
      memory_ -= Heap::class_bytes(first_capacity_ * sizeof(Cell*));
      chunks_[0] = places;
    }
    first_capacity_ = wider;
  } else if (cells_ >= kChunk && cells_ % kChunk == 0) {
    chunks_.push_back(static_cast<Cell**>(context_->heap.allocate(kChunk * sizeof(Cell*))));
    memory_ += kChunk * sizeof(Cell*);
  }
  cell_at(cells_++) = nullptr;
}

void CellTable::drop_directory_place() {
  constexpr uint32_t kChunk = 1U << kChunkBits;
  HF_ASSERT(cell_at(cells_ - 1) == nullptr);
  --cells_;
  if (cells_ >= kChunk && cells_ % kChunk == 0) {
    context_->heap.release(chunks_.back(), kChunk * sizeof(Cell*));
    memory_ -= kChunk * sizeof(Cell*);
    chunks_.pop_back();
  } else if (cells_ == 0) {
    context_->heap.release(chunks_[0], first_capacity_ * sizeof(Cell*));
    memory_ -= Heap::class_bytes(first_capacity_ * sizeof(Cell*));
    chunks_.clear();
    first_capacity_ = 0;
  }
}

uint32_t CellTable::home_of(uint64_t hash) const {
  const auto bits = static_cast<uint32_t>(std::bit_width(cells_) - 1);
  const auto wide = static_cast<uint32_t>(hash & low_bits(bits + 1));
  return wide < cells_ ? wide : static_cast<uint32_t>(hash & low_bits(bits));
}

uint32_t CellTable::bits_of(uint32_t cell) const {
  const auto bits = static_cast<uint32_t>(std::bit_width(cells_) - 1);
  const uint32_t round = 1U << bits;
  return cell >= round || cell < cells_ - round ? bits + 1 : bits;
}

// Cells.

CellTable::Place CellTable::locate(const Key& key) const {
  Place place;
  place.cell = home_of(key.hash);
  const Cell* const cell = cell_at(place.cell);
  if (cell == nullptr) return place;
  const uint64_t wanted = 0x0101010101010101ULL * tag_of(key.hash);
  for (uint32_t base = 0; base < cell->count; base += 8) {
    uint64_t word = 0;
    std::memcpy(&word, cell->tags() + base, sizeof(word));
    word ^= wanted;
    // The top bit of each byte that equals the tag; rarely also of its neighbour: the key decides.
    uint64_t hits = (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
    for (; hits != 0; hits &= hits - 1) {
      place.slot = base + static_cast<uint32_t>(std::countr_zero(hits)) / 8;
      if (place.slot >= cell->count) return place;
      place.offset = shape_.offset_of(*cell, place.slot);
      place.record = shape_.read(*cell, place.slot, place.offset);
      place.found = place.record.key == key.bytes;
      if (place.found) return place;
    }
  }
  return place;
}

Cell* CellTable::new_cell(uint32_t count, size_t data_bytes) {
  HF_ASSERT(count <= UINT16_MAX && data_bytes <= UINT32_MAX);
  const size_t body = shape_.body_bytes(count, data_bytes);
  auto* const cell = static_cast<Cell*>(context_->heap.allocate(Cell::block_bytes(body)));
  cell->data_bytes = static_cast<uint32_t>(data_bytes);
  cell->count = static_cast<uint16_t>(count);
  cell->outlined = 0;
  body_bytes_ += body;
  memory_ += Heap::class_bytes(Cell::block_bytes(body));
  return cell;
}

void CellTable::free_cell(uint32_t index) {
  Cell*& cell = cell_at(index);
  if (cell == nullptr) return;
  const size_t body = shape_.body_bytes(*cell);
  body_bytes_ -= body;
  memory_ -= Heap::class_bytes(Cell::block_bytes(body));
  context_->heap.release(cell, Cell::block_bytes(body));
  cell = nullptr;
}

void CellTable::set_cell(uint32_t index, Cell* cell) {
  cell_at(index) = cell;
  if (cell != nullptr) widest_ = std::max<uint32_t>(widest_, cell->count);
}

Cell* CellTable::build(std::span<const CellRecord> records) {
  if (records.empty()) return nullptr;
  size_t bytes = 0;
  for (const CellRecord& record : records) bytes += record.stored();
  Cell* const cell = new_cell(static_cast<uint32_t>(records.size()), bytes);
  char* at = shape_.data(*cell);
  for (uint32_t i = 0; i < records.size(); ++i) {
    const CellRecord& record = records[i];
    cell->tags()[i] = record.tag;
    shape_.key_sizes(*cell)[i] = record.key_size();
    if (shape_.with_values()) shape_.value_sizes(*cell)[i] = record.value_size();
    record.store(at);
    at += record.stored();
    if (record.outline != nullptr) ++cell->outlined;
  }
  return cell;
}

void CellTable::gather(uint32_t index, std::vector<CellRecord>& out) const {
  const Cell* const cell = cell_at(index);
  if (cell == nullptr) return;
  shape_.for_each(*cell, [&](const CellRecord& record) {
    out.push_back(record);
    return true;
  });
}

CellRecord CellTable::make_record(const Key& key, std::string_view value) {
  CellRecord record{.tag = tag_of(key.hash), .key = key.bytes, .value = value};
  if (key.bytes.size() + value.size() <= kInlineMax) return record;
  const size_t bytes = record.outline_bytes();
  record.outline = context_->heap.allocate(bytes);
  memory_ += Heap::class_bytes(bytes);
  record.write_outline();
  return record;
}

void CellTable::free_outline(const CellRecord& record) {
  const size_t bytes = record.outline_bytes();
  memory_ -= Heap::class_bytes(bytes);
  context_->heap.release(record.outline, bytes);
}

size_t CellTable::compact(size_t from, size_t& effort) {
  Heap& heap = context_->heap;
  for (size_t i = from; i < cells_; ++i) {
    if (effort == 0) return i;
    --effort;
    Cell*& cell = cell_at(static_cast<uint32_t>(i));
    if (cell == nullptr) continue;
    cell = static_cast<Cell*>(heap.compact(cell, Cell::block_bytes(shape_.body_bytes(*cell))));
    if (cell->outlined == 0) continue;
    size_t offset = 0;
    for (uint32_t slot = 0; slot < cell->count; offset += shape_.stored_bytes(*cell, slot++)) {
      CellRecord record = shape_.read(*cell, slot, offset);
      if (record.outline == nullptr) continue;
      record.outline = heap.compact(record.outline, record.outline_bytes());
      record.store(shape_.data(*cell) + offset);
    }
  }
  if (cells_ < 1U << kChunkBits && first_capacity_ > 0) {
    chunks_[0] = static_cast<Cell**>(heap.compact(chunks_[0], first_capacity_ * sizeof(Cell*)));
  }
  return 0;
}

void CellTable::append(uint32_t index, const CellRecord& record) {
  Cell* const old = cell_at(index);
  if (old == nullptr) return set_cell(index, build({&record, 1}));
  const size_t before = shape_.body_bytes(*old);
  const size_t after = shape_.body_bytes(old->count + 1U, old->data_bytes + record.stored());
  if (Cell::block_bytes(after) == Cell::block_bytes(before)) {
    shape_.append(*old, *old, record);
    body_bytes_ += after - before;
    return set_cell(index, old);
  }
  Cell* const cell = new_cell(old->count + 1U, old->data_bytes + record.stored());
  shape_.append(*old, *cell, record);
  free_cell(index);
  set_cell(index, cell);
}

void CellTable::replace(const Place& at, const CellRecord& record) {
  Cell& cell = *cell_at(at.cell);
  const CellRecord& old = at.record;
  if (old.outline == nullptr && record.outline == nullptr && old.value.size() == record.value.size()) {
    record.store(shape_.data(cell) + at.offset);
    return;
  }
  std::vector<CellRecord> records;
  gather(at.cell, records);
  records[at.slot] = record;
  Cell* const fresh = build(records);
  if (old.outline != nullptr) free_outline(old);
  free_cell(at.cell);
  set_cell(at.cell, fresh);
}

void CellTable::take_out(const Place& at) {
  Cell* const old = cell_at(at.cell);
  const size_t stored = at.record.stored();
  if (at.record.outline != nullptr) free_outline(at.record);
  if (old->count == 1) return free_cell(at.cell);
  const size_t before = shape_.body_bytes(*old);
  const size_t after = shape_.body_bytes(old->count - 1U, old->data_bytes - stored);
  if (Cell::block_bytes(after) == Cell::block_bytes(before)) {
    shape_.take_out(*old, *old, at.slot, at.offset);
    body_bytes_ -= before - after;
    return;
  }
  Cell* const cell = new_cell(old->count - 1U, old->data_bytes - stored);
  shape_.take_out(*old, *cell, at.slot, at.offset);
  free_cell(at.cell);
  set_cell(at.cell, cell);
}

// Growing and shrinking, one cell at a time.

bool CellTable::must_grow() const {
  const size_t cells = cells_;
  return cells < UINT32_MAX / 2 && (body_bytes_ > cells * kCellBytes || size_ > cells * kCellRecords);
}

bool CellTable::may_shrink() const {
  const size_t cells = cells_;
  return cells > 1 && body_bytes_ * 3 < cells * kCellBytes && size_ * 3 < cells * kCellRecords;
}

void CellTable::split_next() {
  const auto bits = static_cast<uint32_t>(std::bit_width(cells_) - 1);
  const uint32_t parent = cells_ - (1U << bits);
  std::vector<CellRecord> stay;
  gather(parent, stay);
  const auto moves = std::stable_partition(stay.begin(), stay.end(), [&](const CellRecord& record) {
    return (hash_bytes(record.key, context_->seed) >> bits & 1) == 0;
  });
  const auto staying = static_cast<size_t>(moves - stay.begin());
  Cell* const low = build(std::span(stay).first(staying));
  Cell* const high = build(std::span(stay).subspan(staying));
  free_cell(parent);
  set_cell(parent, low);
  add_directory_place();
  set_cell(cells_ - 1, high);
  if (walk_ != nullptr) walk_->shown.push_back(walk_->shown[parent]);
}

void CellTable::join_last() {
  const uint32_t last = cells_ - 1;
  const uint32_t parent = last - (1U << (std::bit_width(last) - 1));
  if (walk_ != nullptr) {
    if (walk_->shown[last] != walk_->shown[parent]) {
      before_change(last);
      before_change(parent);
    }
    walk_->shown.pop_back();
  }
  std::vector<CellRecord> records;
  gather(parent, records);
  gather(last, records);
  Cell* const joined = build(records);
  free_cell(parent);
  free_cell(last);
  set_cell(parent, joined);
  drop_directory_place();
}

// What sets and hashes ask for.

std::optional<std::string_view> CellTable::find(const Key& key) const {
  const Place at = locate(key);
  if (!at.found) return std::nullopt;
  return at.record.value;
}

bool CellTable::put(const Key& key, std::string_view value) {
  HF_ASSERT(value.empty() || shape_.with_values());
  const Place at = locate(key);
  before_change(at.cell);
  const CellRecord record = make_record(key, value);
  if (at.found) {
    replace(at, record);
    return false;
  }
  append(at.cell, record);
  ++size_;
  if (must_grow()) split_next();
  return true;
}

bool CellTable::erase(const Key& key) {
  const Place at = locate(key);
  if (!at.found) return false;
  before_change(at.cell);
  take_out(at);
  --size_;
  if (may_shrink()) join_last();
  return true;
}

void CellTable::for_each(VisitSome visit) const {
  for (uint32_t index = 0; index < cells_; ++index) {
    const Cell* const cell = cell_at(index);
    if (cell == nullptr) continue;
    const auto show = [&](const CellRecord& record) { return visit(record.key, record.value); };
    if (!shape_.for_each(*cell, show)) return;
  }
}

void CellTable::random(Prng& prng, Visit visit) const {
  HF_ASSERT(size_ > 0);
  // A place of a table in which every cell is as wide as the widest: taken as often as any other, or empty.
  constexpr uint32_t kTries = 1024;
  for (uint32_t i = 0; i < kTries; ++i) {
    const Cell* const cell = cell_at(static_cast<uint32_t>(prng.below(cells_)));
    const auto slot = static_cast<uint32_t>(prng.below(widest_));
    if (cell == nullptr || slot >= cell->count) continue;
    const CellRecord record = shape_.read(*cell, slot, shape_.offset_of(*cell, slot));
    return visit(record.key, record.value);
  }
  // A table that shrank a lot: the next one from a random point on.
  auto index = static_cast<uint32_t>(prng.below(cells_));
  while (cell_at(index) == nullptr) index = (index + 1) % cells_;
  const Cell& cell = *cell_at(index);
  const auto slot = static_cast<uint32_t>(prng.below(cell.count));
  const CellRecord record = shape_.read(cell, slot, shape_.offset_of(cell, slot));
  visit(record.key, record.value);
}

uint64_t CellTable::scan(uint64_t cursor, Visit visit) const {
  const uint32_t index = home_of(cursor);
  if (const Cell* const cell = cell_at(index); cell != nullptr) {
    shape_.for_each(*cell, [&](const CellRecord& record) {
      visit(record.key, record.value);
      return true;
    });
  }
  return cursor_after(cursor, bits_of(index));
}

void CellTable::begin_walk(ElementSink& sink) {
  HF_ASSERT(walk_ == nullptr);
  walk_ = std::make_unique<CellWalk>(CellWalk{.sink = &sink, .shown = std::vector<bool>(cells_)});
}

void CellTable::show(uint32_t index) {
  walk_->shown[index] = true;
  const Cell* const cell = cell_at(index);
  if (cell == nullptr) return;
  shape_.for_each(*cell, [&](const CellRecord& record) {
    shape_.with_values() ? walk_->sink->pair(record.key, record.value) : walk_->sink->member(record.key);
    return true;
  });
}

bool CellTable::walk() {
  uint32_t& next = walk_->next;
  while (next < cells_ && walk_->shown[next]) ++next;
  if (next >= cells_) return false;
  show(next++);
  return true;
}

bool CellTable::drain(size_t records) {
  HF_ASSERT(walk_ == nullptr);
  for (size_t taken = 0; size_ > 0;) {
    if (taken >= records) return false;
    const uint32_t last = cells_ - 1;
    std::vector<CellRecord> gone;
    gather(last, gone);
    for (const CellRecord& record : gone) {
      if (record.outline != nullptr) free_outline(record);
    }
    taken += gone.size();
    size_ -= gone.size();
    free_cell(last);
    if (last > 0) drop_directory_place();
  }
  return true;
}

void CellTable::check_invariants() const {
  size_t records = 0;
  size_t bodies = 0;
  for (uint32_t index = 0; index < cells_; ++index) {
    const Cell* const cell = cell_at(index);
    if (cell == nullptr) continue;
    HF_ASSERT(cell->count > 0 && cell->count <= widest_);
    size_t offset = 0;
    uint32_t outlined = 0;
    for (uint32_t i = 0; i < cell->count; ++i) {
      const CellRecord record = shape_.read(*cell, i, offset);
      const uint64_t hash = hash_bytes(record.key, context_->seed);
      HF_ASSERT(home_of(hash) == index && record.tag == tag_of(hash));
      HF_ASSERT((record.outline != nullptr) == (record.key.size() + record.value.size() > kInlineMax));
      outlined += record.outline != nullptr ? 1 : 0;
      HF_ASSERT(offset == shape_.offset_of(*cell, i));
      offset += shape_.stored_bytes(*cell, i);
    }
    HF_ASSERT(offset == cell->data_bytes && outlined == cell->outlined);
    records += cell->count;
    bodies += shape_.body_bytes(cell->count, cell->data_bytes);
  }
  HF_ASSERT(records == size_ && bodies == body_bytes_);
}

}  // namespace holdfast::store
