#include "store/cell.h"

#include <numeric>

#include "store/varint.h"

namespace holdfast::store {

namespace {

size_t text_bytes(std::string_view text) { return varint_size(text.size()) + text.size(); }

char* put_text(char* at, std::string_view text) {
  at = put_varint(at, text.size());
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

std::string_view get_text(const char*& at) {
  uint64_t size = 0;
  const char* const bytes = get_varint(at, size);
  at = bytes + size;
  return {bytes, size};
}

}  // namespace

void CellRecord::store(char* at) const {
  if (outline != nullptr) {
    std::memcpy(at, &outline, kPointerBytes);
    return;
  }
  if (!key.empty()) std::memcpy(at, key.data(), key.size());
  if (!value.empty()) std::memcpy(at + key.size(), value.data(), value.size());
}

size_t CellRecord::outline_bytes() const { return text_bytes(key) + text_bytes(value); }

void CellRecord::write_outline() { put_text(put_text(static_cast<char*>(outline), key), value); }

size_t CellShape::stored_bytes(const Cell& cell, uint32_t slot) const {
  const uint8_t key_size = key_sizes(cell)[slot];
  if (key_size == CellRecord::kOutlined) return CellRecord::kPointerBytes;
  return size_t{key_size} + (with_values() ? value_sizes(cell)[slot] : 0);
}

size_t CellShape::offset_of(const Cell& cell, uint32_t slot) const {
  size_t offset = 0;
  if (cell.outlined == 0) [[likely]] {
    const uint8_t* const keys = key_sizes(cell);
    offset = std::accumulate(keys, keys + slot, offset);
    if (with_values()) offset = std::accumulate(value_sizes(cell), value_sizes(cell) + slot, offset);
    return offset;
  }
  for (uint32_t i = 0; i < slot; ++i) offset += stored_bytes(cell, i);
  return offset;
}

CellRecord CellShape::read(const Cell& cell, uint32_t slot, size_t offset) const {
  CellRecord record;
  record.tag = cell.tags()[slot];
  const uint8_t key_size = key_sizes(cell)[slot];
  const char* at = data(cell) + offset;
  if (key_size == CellRecord::kOutlined) {
    std::memcpy(&record.outline, at, CellRecord::kPointerBytes);
    at = static_cast<const char*>(record.outline);
    record.key = get_text(at);
    record.value = get_text(at);
    return record;
  }
  record.key = {at, key_size};
  if (with_values()) record.value = {at + key_size, value_sizes(cell)[slot]};
  return record;
}

void CellShape::append(Cell& from, Cell& to, const CellRecord& record) const {
  const uint32_t count = from.count;
  const size_t bytes = from.data_bytes;
  const char* const old_data = data(from);
  const uint8_t* const old_values = value_sizes(from);
  const uint8_t* const old_keys = key_sizes(from);
  if (&to != &from) std::memcpy(to.tags(), from.tags(), count);
  to.outlined = static_cast<uint16_t>(from.outlined + (record.outline != nullptr ? 1 : 0));
  to.count = static_cast<uint16_t>(count + 1);
  to.data_bytes = static_cast<uint32_t>(bytes + record.stored());
  // From back to front, so that within one block nothing is overwritten before it has moved.
  std::memmove(data(to), old_data, bytes);
  record.store(data(to) + bytes);
  if (with_values()) {
    std::memmove(value_sizes(to), old_values, count);
    value_sizes(to)[count] = record.value_size();
  }
  std::memmove(key_sizes(to), old_keys, count);
  key_sizes(to)[count] = record.key_size();
  to.tags()[count] = record.tag;
}

void CellShape::take_out(Cell& from, Cell& to, uint32_t slot, size_t offset) const {
  const uint32_t count = from.count;
  const size_t stored = stored_bytes(from, slot);
  const size_t behind = from.data_bytes - offset - stored;
  const bool was_outlined = key_sizes(from)[slot] == CellRecord::kOutlined;
  const char* const old_data = data(from);
  const uint8_t* const old_arrays[] = {from.tags(), key_sizes(from), value_sizes(from)};
  to.outlined = static_cast<uint16_t>(from.outlined - (was_outlined ? 1 : 0));
  to.data_bytes = static_cast<uint32_t>(from.data_bytes - stored);
  to.count = static_cast<uint16_t>(count - 1);
  // From front to back, so that within one block nothing is overwritten before it has moved.
  for (uint32_t i = 0; i < arrays_; ++i) {
    uint8_t* const array = to.tags() + size_t{i} * (count - 1);
    std::memmove(array, old_arrays[i], slot);
    std::memmove(array + slot, old_arrays[i] + slot + 1, count - slot - 1);
  }
  std::memmove(data(to), old_data, offset);
  std::memmove(data(to) + offset, old_data + offset + stored, behind);
}

}  // namespace holdfast::store
