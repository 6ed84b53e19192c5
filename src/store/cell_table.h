// CellTable: a hash table of small records packed into cells of a few hundred bytes; what big sets and hashes live in.
//
// Linear hashing: cells split one after another, in order, as records come, and join again as they go, so that no
// insert ever costs more than one cell. Cells are what store/cell.h says. So a member of 14 bytes takes about 18, where
// a slot and an allocation of its own would take 29.
//
// Views handed out are borrowed until the next write. Visitors must not write. One thread.
// Invariants (check_invariants): every record is in the cell its hash names; tags match; counts and bytes add up.
// Source: linear hashing (Litwin 1980); the order of scan() is that of store/scan_cursor.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "store/cell.h"
#include "store/element_sink.h"
#include "store/function_ref.h"
#include "store/hash.h"

namespace holdfast {
class Prng;
}

namespace holdfast::store {

struct Context;

class CellTable {
 public:
  using Visit = FunctionRef<void(std::string_view key, std::string_view value)>;
  using VisitSome = FunctionRef<bool(std::string_view key, std::string_view value)>;
  /// A larger record (key and value together, bytes) gets a block of its own.
  static constexpr size_t kInlineMax = 128;

  /// Without values, those given and shown are empty.
  CellTable(Context& context, bool with_values);
  CellTable(const CellTable&) = delete;
  CellTable& operator=(const CellTable&) = delete;
  ~CellTable();
  std::unique_ptr<CellTable> clone() const;

  size_t size() const { return size_; }
  /// The value; none if the key is absent.
  std::optional<std::string_view> find(const Key& key) const;
  /// Adds the record or replaces its value; true if it is new. Neither argument may point into this table.
  bool put(const Key& key, std::string_view value);
  /// False if the key is absent.
  bool erase(const Key& key);

  /// Until `visit` answers false.
  void for_each(VisitSome visit) const;
  /// One record, each equally likely; the table must not be empty.
  void random(Prng& prng, Visit visit) const;
  /// Visits one cell and returns the next cursor, 0 at the end. Start with 0. Every record present from the first to
  /// the last call is visited at least once, whatever grows or shrinks in between.
  uint64_t scan(uint64_t cursor, Visit visit) const;
  /// Frees about `records` of them; true when none is left. For tables nobody reads any more.
  bool drain(size_t records);

  /// store/walk.h; `sink` is shown pairs if there are values, else members.
  void begin_walk(ElementSink& sink);
  bool walk();
  void end_walk() { walk_.reset(); }
  bool is_walked() const { return walk_ != nullptr; }
  /// Moves blocks that the heap wants elsewhere, from cell `from` on while `effort` (blocks looked at) lasts. Where to
  /// go on; 0: through.
  size_t compact(size_t from, size_t& effort);

  size_t memory() const { return memory_; }
  void check_invariants() const;

 private:
  struct Place {
    uint32_t cell = 0;
    uint32_t slot = 0;
    size_t offset = 0;  // of the record's bytes in the cell's
    bool found = false;
    CellRecord record;  // as it is there
  };
  struct CellWalk {
    ElementSink* sink;
    std::vector<bool> shown;  // by cell
    uint32_t next = 0;        // all before it are shown
  };
  static constexpr uint32_t kChunkBits = 10;  // cells per chunk of the directory

  Cell*& cell_at(uint32_t index) const { return chunks_[index >> kChunkBits][index & ((1U << kChunkBits) - 1)]; }
  uint32_t home_of(uint64_t hash) const;
  /// How many low bits of a hash tell `cell` apart.
  uint32_t bits_of(uint32_t cell) const;
  Place locate(const Key& key) const;
  CellRecord make_record(const Key& key, std::string_view value);
  void free_outline(const CellRecord& record);
  void append(uint32_t index, const CellRecord& record);
  Cell* build(std::span<const CellRecord> records);
  void gather(uint32_t index, std::vector<CellRecord>& out) const;
  void replace(const Place& at, const CellRecord& record);
  void take_out(const Place& at);
  Cell* new_cell(uint32_t count, size_t data_bytes);
  void free_cell(uint32_t index);
  void set_cell(uint32_t index, Cell* cell);
  void add_directory_place();
  void drop_directory_place();
  bool must_grow() const;
  bool may_shrink() const;
  void split_next();
  void join_last();
  void show(uint32_t cell);
  /// A walk sees the cell before it changes.
  void before_change(uint32_t cell) {
    if (walk_ != nullptr && !walk_->shown[cell]) [[unlikely]]
      show(cell);
  }

  Context* context_;
  std::vector<Cell**> chunks_;
  uint32_t first_capacity_ = 0;  // places in the only chunk while there is but one
  uint32_t cells_ = 0;
  uint32_t widest_ = 1;  // no cell has had more records
  CellShape shape_;
  size_t size_ = 0;
  size_t body_bytes_ = 0;  // of all cells, not rounded
  size_t memory_ = 0;
  std::unique_ptr<CellWalk> walk_;
};

}  // namespace holdfast::store
