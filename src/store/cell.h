// Cell: some dozens of records packed into one allocation; what a CellTable consists of.
//
// Layout: head, then a tag per record, a key size per record, a value size per record if there are values, then the
// records' bytes in the same order. A record too large for that lies in a block of its own ("outlined") and the cell
// holds its address. Sizes in bytes. In-memory format only: reads are not bounds-checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace holdfast::store {

struct Cell {
  uint32_t data_bytes;
  uint16_t count;
  uint16_t outlined;  // records that lie elsewhere

  uint8_t* tags() { return reinterpret_cast<uint8_t*>(this + 1); }
  const uint8_t* tags() const { return reinterpret_cast<const uint8_t*>(this + 1); }
  /// What the allocation of a body takes: rounded so that every second insert or so stays in its block, and a word may
  /// be read from any tag on.
  static size_t block_bytes(size_t body) { return (body + 15) & ~size_t{15}; }
};

/// One record, wherever its bytes lie. Borrowed.
struct CellRecord {
  static constexpr uint8_t kOutlined = 0xff;  // instead of a key size
  static constexpr size_t kPointerBytes = sizeof(void*);

  uint8_t tag = 0;
  std::string_view key;
  std::string_view value;
  void* outline = nullptr;  // the block of a large record: [key length varint][key][value length varint][value]

  size_t stored() const { return outline != nullptr ? kPointerBytes : key.size() + value.size(); }
  uint8_t key_size() const { return outline != nullptr ? kOutlined : static_cast<uint8_t>(key.size()); }
  uint8_t value_size() const { return outline != nullptr ? uint8_t{0} : static_cast<uint8_t>(value.size()); }
  /// stored() bytes at `at`.
  void store(char* at) const;
  /// The size of an outline, and its bytes.
  size_t outline_bytes() const;
  void write_outline();
};

/// How to read the cells of one table.
class CellShape {
 public:
  explicit CellShape(bool with_values) : arrays_(with_values ? 3 : 2) {}
  bool with_values() const { return arrays_ == 3; }
  /// Bytes per record before the data.
  uint8_t arrays() const { return arrays_; }

  size_t body_bytes(uint32_t count, size_t data_bytes) const {
    return sizeof(Cell) + size_t{arrays_} * count + data_bytes;
  }
  size_t body_bytes(const Cell& cell) const { return body_bytes(cell.count, cell.data_bytes); }
  uint8_t* key_sizes(Cell& cell) const { return cell.tags() + cell.count; }
  const uint8_t* key_sizes(const Cell& cell) const { return cell.tags() + cell.count; }
  uint8_t* value_sizes(Cell& cell) const { return cell.tags() + size_t{2} * cell.count; }
  const uint8_t* value_sizes(const Cell& cell) const { return cell.tags() + size_t{2} * cell.count; }
  char* data(Cell& cell) const { return reinterpret_cast<char*>(cell.tags() + size_t{arrays_} * cell.count); }
  const char* data(const Cell& cell) const {
    return reinterpret_cast<const char*>(cell.tags() + size_t{arrays_} * cell.count);
  }

  /// What record number `slot` takes of the data, and where it begins there.
  size_t stored_bytes(const Cell& cell, uint32_t slot) const;
  size_t offset_of(const Cell& cell, uint32_t slot) const;
  CellRecord read(const Cell& cell, uint32_t slot, size_t offset) const;
  /// Until `visit` answers false; false then.
  template <typename Visit>
  bool for_each(const Cell& cell, Visit visit) const {
    size_t offset = 0;
    for (uint32_t i = 0; i < cell.count; ++i) {
      if (!visit(read(cell, i, offset))) return false;
      offset += stored_bytes(cell, i);
    }
    return true;
  }

  /// Puts a record behind those of `from` into `to`, which has room for it: another block, or `from` itself.
  void append(Cell& from, Cell& to, const CellRecord& record) const;
  /// Takes record number `slot`, whose data begin at `offset`, out of `from` into `to`: another block, or `from`
  /// itself.
  void take_out(Cell& from, Cell& to, uint32_t slot, size_t offset) const;

 private:
  uint8_t arrays_;
};

}  // namespace holdfast::store
