// StreamNode: some neighbouring entries of a stream in one listpack.
//
// Layout (redis-server 5-7.2; reference/server.md 1.2, stream listpacks): a master entry [live][deleted][fields]
// [name...][0] with the field names of the first entry ever, then per entry [flags][ms - node's ms][seq - node's seq]
// and either [value...] (same names as the master) or [fields][name][value]..., closed by [elements so far]. Deleted
// entries stay, flagged. The layout is kept because node boundaries show: in approximate trimming, in XINFO, in files.
// A trivially copyable handle: the owner passes the same Heap to every call and frees with clear().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "store/context.h"
#include "store/function_ref.h"
#include "store/stream_id.h"

namespace holdfast::store {

/// One entry, read in place; valid until its stream changes.
struct StreamEntry {
  StreamId id;
  bool deleted = false;
  size_t fields = 0;

  void for_each(FunctionRef<void(std::string_view field, std::string_view value)> visit) const;

  // The places in the block; for StreamNode only.
  const char* begin = nullptr;   // its flags
  const char* names = nullptr;   // the master's names; null: names stand before their values
  const char* values = nullptr;  // behind the numbers
  // Of the node's master entry, found at the first step.
  size_t master_fields = 0;
  const char* master_names = nullptr;
  const char* first = nullptr;  // entry
};

struct StreamNode {
  StreamId id;  // of the first entry ever in it
  char* block = nullptr;
  uint32_t capacity = 0;

  /// With the first entry. `words` are field, value, field, value.
  static StreamNode make(Heap& heap, StreamId id, std::span<const std::string_view> words);
  /// Out of a file: nullopt unless the bytes are such a listpack with ids that ascend from `id` on.
  static std::optional<StreamNode> from(Heap& heap, StreamId id, std::string_view listpack);
  void clear(Heap& heap);
  StreamNode clone(Heap& heap) const;

  std::string_view listpack() const;
  size_t memory() const;
  uint64_t live() const;
  /// Whether an entry with `payload` bytes of names and values may be added.
  bool has_room(const Limits& limits, size_t payload) const;
  void append(Heap& heap, StreamId id, std::span<const std::string_view> words);
  /// Gives back what append took ahead.
  void shrink(Heap& heap);
  /// Flags an entry that is not deleted yet; views stay good. Follow with account_deleted.
  static void mark_deleted(StreamEntry& entry);
  /// All views die.
  void account_deleted(Heap& heap, uint64_t entries);

  /// Forward from entry to entry, deleted ones included. False at the end. Start with a fresh StreamEntry.
  bool next(StreamEntry& entry) const;
  bool previous(StreamEntry& entry) const;
  /// Of the last entry, deleted or not.
  StreamId last_id() const;
  void check_invariants() const;

 private:
  void find_master(StreamEntry& entry) const;
  void read(StreamEntry& entry, const char* at) const;
  void reserve(Heap& heap, size_t bytes);
  char* end() const;  // the end mark
  void finish(char* end, uint64_t added);
  void set_number(Heap& heap, size_t offset, int64_t value);
};

}  // namespace holdfast::store
