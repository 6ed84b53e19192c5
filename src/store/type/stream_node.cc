#include "store/type/stream_node.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/assert.h"
#include "codec/listpack.h"
#include "codec/rdb/packed.h"

namespace holdfast::store {

namespace listpack = codec::listpack;

namespace {

constexpr int64_t kDeleted = 1;
constexpr int64_t kSameFields = 2;
/// No node grows beyond this, whatever the limits say.
constexpr size_t kNodeBytesMax = size_t{1} << 30;
constexpr size_t kNumberMax = 11;  // bytes of an integer element

size_t words_room(std::span<const std::string_view> words) {
  size_t bytes = 0;
  for (const std::string_view word : words) bytes += word.size() + listpack::kOverheadMax;
  return bytes;
}

const char* skip(const char* at, size_t elements) {
  for (size_t i = 0; i < elements; ++i) at = listpack::next(at);
  return at;
}

}  // namespace

void StreamEntry::for_each(FunctionRef<void(std::string_view, std::string_view)> visit) const {
  listpack::Digits field_digits;
  listpack::Digits value_digits;
  const char* name = names;
  const char* at = values;
  for (size_t i = 0; i < fields; ++i) {
    if (names == nullptr) {
      name = at;
      at = listpack::next(at);
    }
    visit(listpack::text(name, field_digits), listpack::text(at, value_digits));
    if (names != nullptr) name = listpack::next(name);
    at = listpack::next(at);
  }
}

std::string_view StreamNode::listpack() const { return {block, listpack::total_bytes(block)}; }
size_t StreamNode::memory() const { return Heap::class_bytes(capacity); }
char* StreamNode::end() const { return block + listpack::total_bytes(block) - 1; }
uint64_t StreamNode::live() const { return static_cast<uint64_t>(listpack::number(block + listpack::kHeaderBytes)); }

void StreamNode::reserve(Heap& heap, size_t bytes) {
  if (bytes <= capacity) return;
  HF_ASSERT(bytes <= UINT32_MAX);
  const size_t wide = Heap::class_bytes(std::max<size_t>(bytes, size_t{capacity} + capacity / 2));
  auto* const fresh = static_cast<char*>(heap.allocate(wide));
  if (block != nullptr) {
    std::memcpy(fresh, block, listpack::total_bytes(block));
    heap.release(block, capacity);
  }
  block = fresh;
  capacity = static_cast<uint32_t>(wide);
}

void StreamNode::finish(char* end, uint64_t added) {
  *end++ = listpack::kEndMark;
  listpack::set_total_bytes(block, static_cast<uint32_t>(end - block));
  listpack::add_elements(block, added);
}

StreamNode StreamNode::make(Heap& heap, StreamId id, std::span<const std::string_view> words) {
  StreamNode node;
  node.id = id;
  const size_t fields = words.size() / 2;
  node.reserve(heap, listpack::kHeaderBytes + 4 * kNumberMax + words_room(words) + 1);
  std::memset(node.block, 0, listpack::kHeaderBytes);
  char* at = node.block + listpack::kHeaderBytes;
  at = listpack::put(at, int64_t{0});
  at = listpack::put(at, int64_t{0});
  at = listpack::put(at, static_cast<int64_t>(fields));
  for (size_t i = 0; i < fields; ++i) at = listpack::put(at, words[i * 2]);
  at = listpack::put(at, int64_t{0});
  node.finish(at, 4 + fields);
  node.append(heap, id, words);
  return node;
}

void StreamNode::append(Heap& heap, StreamId entry, std::span<const std::string_view> words) {
  const size_t fields = words.size() / 2;
  reserve(heap, listpack::total_bytes(block) + words_room(words) + 6 * kNumberMax);
  StreamEntry master;
  find_master(master);
  bool same = fields == master.master_fields;
  const char* name = master.master_names;
  listpack::Digits digits;
  for (size_t i = 0; same && i < fields; ++i) {
    same = listpack::text(name, digits) == words[i * 2];
    name = listpack::next(name);
  }
  char* at = end();
  at = listpack::put(at, same ? kSameFields : 0);
  at = listpack::put(at, static_cast<int64_t>(entry.ms - id.ms));
  at = listpack::put(at, static_cast<int64_t>(entry.sequence - id.sequence));
  uint64_t elements = 3 + fields;
  if (!same) {
    at = listpack::put(at, static_cast<int64_t>(fields));
    elements += 1 + fields;
  }
  for (size_t i = 0; i < fields; ++i) {
    if (!same) at = listpack::put(at, words[i * 2]);
    at = listpack::put(at, words[i * 2 + 1]);
  }
  at = listpack::put(at, static_cast<int64_t>(elements));
  finish(at, elements + 1);
  set_number(heap, listpack::kHeaderBytes, static_cast<int64_t>(live() + 1));
}

/// Replaces the integer element at `offset`.
void StreamNode::set_number(Heap& heap, size_t offset, int64_t value) {
  char fresh[kNumberMax + 1];
  const auto size = static_cast<size_t>(listpack::put(fresh, value) - fresh);
  const auto old_size = static_cast<size_t>(listpack::next(block + offset) - (block + offset));
  const uint32_t total = listpack::total_bytes(block);
  if (size != old_size) {
    reserve(heap, total + size);
    char* const at = block + offset;
    std::memmove(at + size, at + old_size, total - offset - old_size);
    listpack::set_total_bytes(block, static_cast<uint32_t>(total + size - old_size));
  }
  std::memcpy(block + offset, fresh, size);
}

bool StreamNode::has_room(const Limits& limits, size_t payload) const {
  size_t bytes_max = limits.stream_node_max_bytes;
  if (bytes_max == 0 || bytes_max > kNodeBytesMax) bytes_max = kNodeBytesMax;
  if (listpack::total_bytes(block) + payload >= bytes_max) return false;
  if (limits.stream_node_max_entries == 0) return true;
  const char* const count = block + listpack::kHeaderBytes;
  return listpack::number(count) + listpack::number(listpack::next(count)) < limits.stream_node_max_entries;
}

void StreamNode::shrink(Heap& heap) {
  const size_t fitting = Heap::class_bytes(listpack::total_bytes(block));
  if (fitting >= capacity) return;
  auto* const fresh = static_cast<char*>(heap.allocate(fitting));
  std::memcpy(fresh, block, listpack::total_bytes(block));
  heap.release(block, capacity);
  block = fresh;
  capacity = static_cast<uint32_t>(fitting);
}

void StreamNode::clear(Heap& heap) {
  if (block != nullptr) heap.release(block, capacity);
  block = nullptr;
  capacity = 0;
}

StreamNode StreamNode::clone(Heap& heap) const {
  StreamNode copy;
  copy.id = id;
  copy.reserve(heap, listpack::total_bytes(block));
  std::memcpy(copy.block, block, listpack::total_bytes(block));
  return copy;
}

void StreamNode::mark_deleted(StreamEntry& entry) {
  HF_ASSERT(!entry.deleted);
  // Flags are one byte whatever they say.
  listpack::put(const_cast<char*>(entry.begin), listpack::number(entry.begin) | kDeleted);
  entry.deleted = true;
}

void StreamNode::account_deleted(Heap& heap, uint64_t entries) {
  const auto change = static_cast<int64_t>(entries);
  set_number(heap, listpack::kHeaderBytes, static_cast<int64_t>(live()) - change);
  const auto deleted_at = static_cast<size_t>(listpack::next(block + listpack::kHeaderBytes) - block);
  set_number(heap, deleted_at, listpack::number(block + deleted_at) + change);
}

// Walking.

void StreamNode::find_master(StreamEntry& entry) const {
  const char* at = skip(block + listpack::kHeaderBytes, 2);
  entry.master_fields = static_cast<size_t>(listpack::number(at));
  entry.master_names = listpack::next(at);
  entry.first = skip(entry.master_names, entry.master_fields + 1);
}

void StreamNode::read(StreamEntry& entry, const char* at) const {
  entry.begin = at;
  const int64_t flags = listpack::number(at);
  at = listpack::next(at);
  entry.id.ms = id.ms + static_cast<uint64_t>(listpack::number(at));
  at = listpack::next(at);
  entry.id.sequence = id.sequence + static_cast<uint64_t>(listpack::number(at));
  at = listpack::next(at);
  entry.deleted = (flags & kDeleted) != 0;
  entry.names = (flags & kSameFields) != 0 ? entry.master_names : nullptr;
  entry.fields = entry.master_fields;
  if (entry.names == nullptr) {
    entry.fields = static_cast<size_t>(listpack::number(at));
    at = listpack::next(at);
  }
  entry.values = at;
}

bool StreamNode::next(StreamEntry& entry) const {
  if (entry.first == nullptr) find_master(entry);
  const char* at = entry.first;
  if (entry.begin != nullptr) {
    at = skip(entry.values, entry.names == nullptr ? entry.fields * 2 : entry.fields);
    at = listpack::next(at);
  }
  if (*at == listpack::kEndMark) return false;
  read(entry, at);
  return true;
}

bool StreamNode::previous(StreamEntry& entry) const {
  if (entry.first == nullptr) find_master(entry);
  const char* at = entry.begin == nullptr ? end() : entry.begin;
  if (at == entry.first) return false;
  at = listpack::previous(at);
  for (int64_t elements = listpack::number(at); elements > 0; --elements) at = listpack::previous(at);
  read(entry, at);
  return true;
}

StreamId StreamNode::last_id() const {
  StreamEntry entry;
  return previous(entry) ? entry.id : StreamId{};
}

void StreamNode::check_invariants() const {
  HF_ASSERT(listpack::total_bytes(block) <= capacity && *end() == listpack::kEndMark);
  uint64_t alive = 0;
  StreamEntry entry;
  StreamId before{};
  bool first = true;
  while (next(entry)) {
    HF_ASSERT(first || before < entry.id);
    HF_ASSERT(id <= entry.id);
    before = entry.id;
    first = false;
    alive += entry.deleted ? 0 : 1;
  }
  HF_ASSERT(alive == live());
}

// Reading what others wrote.

namespace {

using codec::rdb::PackedElement;
using codec::rdb::PackedReader;

/// Copies a foreign listpack element by element, checking its structure on the way.
class Copier {
 public:
  Copier(std::string_view from, char* to) : reader_(codec::rdb::PackedKind::kListpack, from), to_(to) {}

  bool number(int64_t& value) {
    if (reader_.next(element_) != PackedReader::Step::kElement || !element_.number()) return false;
    value = *element_.number();
    to_ = listpack::put(to_, value);
    ++count_;
    return true;
  }
  bool texts(uint64_t how_many) {
    for (uint64_t i = 0; i < how_many; ++i) {
      if (reader_.next(element_) != PackedReader::Step::kElement) return false;
      to_ = listpack::put(to_, element_.text());
      ++count_;
    }
    return true;
  }
  bool at_end() { return reader_.next(element_) == PackedReader::Step::kEnd; }
  char* to() const { return to_; }
  uint64_t count() const { return count_; }

 private:
  PackedReader reader_;
  PackedElement element_;
  char* to_;
  uint64_t count_ = 0;
};

/// One entry; its id must be behind `last`, if any was before.
bool copy_entry(Copier& copy, StreamId node, int64_t master_fields, std::optional<StreamId>& last, bool& deleted) {
  int64_t flags = 0;
  int64_t ms = 0;
  int64_t sequence = 0;
  if (!copy.number(flags) || !copy.number(ms) || !copy.number(sequence)) return false;
  if (flags < 0 || flags > (kDeleted | kSameFields)) return false;
  const StreamId id{node.ms + static_cast<uint64_t>(ms), node.sequence + static_cast<uint64_t>(sequence)};
  if (id < node || (last && id <= *last)) return false;
  last = id;
  deleted = (flags & kDeleted) != 0;
  int64_t fields = master_fields;
  int64_t elements = 3;
  if ((flags & kSameFields) == 0) {
    if (!copy.number(fields) || fields < 0 || fields > INT32_MAX) return false;
    elements += fields + 1;
    if (!copy.texts(static_cast<uint64_t>(fields))) return false;
  }
  if (!copy.texts(static_cast<uint64_t>(fields))) return false;
  int64_t told = 0;
  return copy.number(told) && told == elements + fields;
}

bool copy_all(Copier& copy, StreamId id) {
  int64_t live = 0;
  int64_t deleted = 0;
  int64_t fields = 0;
  int64_t zero = -1;
  if (!copy.number(live) || !copy.number(deleted) || !copy.number(fields)) return false;
  if (live < 0 || deleted < 0 || fields < 0 || fields > INT32_MAX) return false;
  if (!copy.texts(static_cast<uint64_t>(fields)) || !copy.number(zero) || zero != 0) return false;
  std::optional<StreamId> last;
  while (live > 0 || deleted > 0) {
    bool is_deleted = false;
    if (!copy_entry(copy, id, fields, last, is_deleted)) return false;
    --(is_deleted ? deleted : live);
    if (live < 0 || deleted < 0) return false;
  }
  return last.has_value() && copy.at_end();
}

}  // namespace

std::optional<StreamNode> StreamNode::from(Heap& heap, StreamId id, std::string_view bytes) {
  if (bytes.size() > kNodeBytesMax * 2) return std::nullopt;
  StreamNode node;
  node.id = id;
  // An element that is a canonical integer in a wide form shrinks, no element grows.
  node.reserve(heap, bytes.size() + listpack::kHeaderBytes + listpack::kOverheadMax);
  std::memset(node.block, 0, listpack::kHeaderBytes);
  Copier copy(bytes, node.block + listpack::kHeaderBytes);
  if (!copy_all(copy, id)) {
    node.clear(heap);
    return std::nullopt;
  }
  node.finish(copy.to(), copy.count());
  node.shrink(heap);
  return node;
}

}  // namespace holdfast::store
