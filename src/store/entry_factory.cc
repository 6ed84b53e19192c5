#include "store/entry_factory.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/assert.h"
#include "base/text.h"
#include "store/body.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"
#include "store/type/stream.h"
#include "store/varint.h"

namespace holdfast::store {

namespace {

constexpr size_t kHeadBytes = 4;
constexpr size_t kIntegerTextMax = 20;

bool is_inline(Form form) { return form == Form::kInline || form == Form::kEditedInline; }

template <typename Collection>
uint64_t clone_body(const Collection& from) {
  return reinterpret_cast<uint64_t>(from.clone());
}

}  // namespace

EntryFactory::Parts EntryFactory::parts(const Entry& entry) {
  Parts parts;
  parts.type = entry.type();
  parts.form = form_of(entry);
  parts.access = entry.access();
  parts.key = entry.key();
  const char* at = parts.key.data() + parts.key.size();
  if (entry.has_expiry()) {
    std::memcpy(&parts.expires_at_ms, at, sizeof(int64_t));
    at += sizeof(int64_t);
  }
  if (is_inline(parts.form)) {
    uint64_t size = 0;
    at = get_varint(at, size);
    parts.text = {at, size};
  } else {
    std::memcpy(&parts.word, at, sizeof(parts.word));
  }
  return parts;
}

size_t EntryFactory::shell_bytes(const Parts& parts) {
  return kHeadBytes + varint_size(parts.key.size()) + parts.key.size() +
         (parts.expires_at_ms == kNoExpiry ? 0 : sizeof(int64_t)) +
         (is_inline(parts.form) ? varint_size(parts.text.size()) + parts.text.size() : sizeof(uint64_t));
}

size_t EntryFactory::shell_bytes(const Entry& entry) { return shell_bytes(parts(entry)); }

namespace {

/// Writes everything behind the key. The text may overlap: it is moved first.
void write_tail(char* at, const EntryFactory::Parts& parts, bool text_inline) {
  const bool expires = parts.expires_at_ms != kNoExpiry;
  char* const value = at + (expires ? sizeof(int64_t) : 0);
  if (text_inline) {
    if (!parts.text.empty()) std::memmove(value + varint_size(parts.text.size()), parts.text.data(), parts.text.size());
    put_varint(value, parts.text.size());
  } else {
    std::memcpy(value, &parts.word, sizeof(parts.word));
  }
  if (expires) std::memcpy(at, &parts.expires_at_ms, sizeof(int64_t));
}

uint8_t head_byte(const EntryFactory::Parts& parts) {
  return static_cast<uint8_t>(static_cast<unsigned>(parts.type) << 5 | (parts.expires_at_ms == kNoExpiry ? 0U : 0x10U) |
                              static_cast<unsigned>(parts.form));
}

}  // namespace

Entry* EntryFactory::build(Context& context, const Parts& parts) {
  HF_ASSERT(parts.expires_at_ms >= kNoExpiry);
  void* const block = context.heap.allocate(shell_bytes(parts));
  auto* const entry = new (block) Entry;
  entry->head_[0] = head_byte(parts);
  entry->set_access(parts.access);
  char* at = put_varint(static_cast<char*>(block) + kHeadBytes, parts.key.size());
  if (!parts.key.empty()) std::memcpy(at, parts.key.data(), parts.key.size());
  at += parts.key.size();
  write_tail(at, parts, is_inline(parts.form));
  return entry;
}

Entry* EntryFactory::rebuild(Context& context, Entry* old, const Parts& parts) {
  const std::string_view key = old->key();
  const bool same_key = key.data() == parts.key.data();
  if (same_key && Heap::class_bytes(shell_bytes(*old)) == Heap::class_bytes(shell_bytes(parts))) {
    old->head_[0] = head_byte(parts);
    old->set_access(parts.access);
    write_tail(const_cast<char*>(key.data()) + key.size(), parts, is_inline(parts.form));
    return old;
  }
  Entry* const fresh = build(context, parts);
  free_shell(context, old);
  return fresh;
}

void EntryFactory::put_text(Context& context, Parts& parts, std::string_view value) {
  parts.type = Type::kString;
  if (value.size() <= kIntegerTextMax) {
    if (const auto integer = parse_int64(value)) {
      parts.form = Form::kInteger;
      parts.word = static_cast<uint64_t>(*integer);
      return;
    }
  }
  put_bytes(context, parts, value);
}

void EntryFactory::put_bytes(Context& context, Parts& parts, std::string_view value) {
  parts.type = Type::kString;
  if (value.size() <= kInlineStringMax) {
    parts.form = Form::kInline;
    parts.text = value;
    return;
  }
  StringBlock* const block = new_block(context, value.size(), value.size());
  std::memcpy(block->data(), value.data(), value.size());
  parts.form = Form::kBlock;
  parts.word = reinterpret_cast<uint64_t>(block);
}

StringBlock* EntryFactory::new_block(Context& context, size_t size, size_t capacity) {
  capacity = Heap::class_bytes(sizeof(StringBlock) + capacity) - sizeof(StringBlock);
  auto* const block = new (context.heap.allocate(sizeof(StringBlock) + capacity)) StringBlock;
  block->size = size;
  block->capacity = capacity;
  return block;
}

namespace {

/// What freeing a value costs, in the original's units: allocations, not elements.
size_t effort(const Entry& entry) {
  switch (entry.encoding()) {
    case Encoding::kQuicklist:
      return entry.list().nodes();
    case Encoding::kHashtable:
    case Encoding::kSkiplist:
      return entry.length();
    case Encoding::kStream: {
      size_t sum = entry.stream().nodes();
      for (const auto& [name, group] : entry.stream().groups()) sum += 1 + group.pending().size();
      return sum;
    }
    default:
      return 1;
  }
}

bool is_walked(const Entry& entry) {
  switch (entry.type()) {
    case Type::kList:
      return entry.list().is_walked();
    case Type::kHash:
      return entry.hash().is_walked();
    case Type::kSet:
      return entry.set().is_walked();
    case Type::kSortedSet:
      return entry.sorted_set().is_walked();
    case Type::kStream:
      return entry.stream().is_walked();
    case Type::kString:
      return false;
  }
  HF_UNREACHABLE();
}

}  // namespace

void EntryFactory::destroy_value(Context& context, const Entry& entry) {
  const Parts held = parts(entry);
  auto* const body = reinterpret_cast<void*>(held.word);
  if (held.type == Type::kString) {
    if (held.form == Form::kBlock) context.heap.release(body, block_of(held.word).block_bytes());
    return;
  }
  const Doomed doomed{held.type, body, context.free_at_once_max == Context::kFreeAtOnceMaxLazily};
  if (is_walked(entry)) return context.detained.push_back(doomed);
  if (effort(entry) > context.free_at_once_max) return context.doomed.push_back(doomed);
  destroy_collection(context, held.type, body);
}

void EntryFactory::destroy_collection(Context& context, Type type, void* body) {
  switch (type) {
    case Type::kList:
      destroy_body(context, static_cast<List*>(body));
      return;
    case Type::kHash:
      destroy_body(context, static_cast<Hash*>(body));
      return;
    case Type::kSet:
      destroy_body(context, static_cast<Set*>(body));
      return;
    case Type::kSortedSet:
      destroy_body(context, static_cast<SortedSet*>(body));
      return;
    case Type::kStream:
      destroy_body(context, static_cast<Stream*>(body));
      return;
    case Type::kString:
      break;
  }
  HF_UNREACHABLE();
}

bool EntryFactory::dismantle(Context& context, const Doomed& doomed, size_t elements) {
  const bool empty = [&] {
    switch (doomed.type) {
      case Type::kList:
        return static_cast<List*>(doomed.body)->dismantle(elements);
      case Type::kHash:
        return static_cast<Hash*>(doomed.body)->dismantle(elements);
      case Type::kSet:
        return static_cast<Set*>(doomed.body)->dismantle(elements);
      case Type::kSortedSet:
        return static_cast<SortedSet*>(doomed.body)->dismantle(elements);
      case Type::kStream:
        return static_cast<Stream*>(doomed.body)->dismantle(elements);
      case Type::kString:
        break;
    }
    HF_UNREACHABLE();
  }();
  if (empty) destroy_collection(context, doomed.type, doomed.body);
  return empty;
}

namespace {

template <typename Collection>
uint64_t compact_body(Context& context, void* body, size_t& cursor, size_t& effort) {
  auto* collection = static_cast<Collection*>(body);
  if (context.heap.should_move(collection, sizeof(Collection))) {
    auto* const fresh = new (context.heap.allocate(sizeof(Collection))) Collection(std::move(*collection));
    destroy_body(context, collection);
    collection = fresh;
  }
  cursor = collection->compact(cursor, effort);
  return reinterpret_cast<uint64_t>(collection);
}

}  // namespace

Entry* EntryFactory::compact(Context& context, Entry* entry, size_t& cursor, size_t& effort) {
  if (is_walked(*entry)) return entry;  // its pieces are known to the walk by their places
  entry = static_cast<Entry*>(context.heap.compact(entry, shell_bytes(*entry)));
  Parts held = parts(*entry);
  auto* const body = reinterpret_cast<void*>(held.word);
  switch (held.type) {
    case Type::kString:
      if (held.form != Form::kBlock) return entry;
      held.word = reinterpret_cast<uint64_t>(context.heap.compact(body, block_of(held.word).block_bytes()));
      break;
    case Type::kList:
      held.word = compact_body<List>(context, body, cursor, effort);
      break;
    case Type::kHash:
      held.word = compact_body<Hash>(context, body, cursor, effort);
      break;
    case Type::kSet:
      held.word = compact_body<Set>(context, body, cursor, effort);
      break;
    case Type::kSortedSet:
      held.word = compact_body<SortedSet>(context, body, cursor, effort);
      break;
    case Type::kStream:
      cursor = static_cast<Stream*>(body)->compact(cursor, effort);
      return entry;
  }
  return rebuild(context, entry, held);  // in place: nothing changed its size
}

void EntryFactory::free_shell(Context& context, Entry* entry) { context.heap.release(entry, shell_bytes(*entry)); }

void EntryFactory::destroy(Context& context, Entry* entry) {
  destroy_value(context, *entry);
  free_shell(context, entry);
}

void EntryFactory::clone_value(Context& context, const Entry& entry, Parts& parts) {
  const Parts held = EntryFactory::parts(entry);
  parts.type = held.type;
  parts.form = held.form;
  parts.text = held.text;
  parts.word = held.word;
  switch (held.type) {
    case Type::kString:
      if (held.form == Form::kBlock) {
        StringBlock& from = block_of(held.word);
        StringBlock* const copy = new_block(context, from.size, from.size);
        std::memcpy(copy->data(), from.data(), from.size);
        parts.word = reinterpret_cast<uint64_t>(copy);
      }
      return;
    case Type::kList:
      parts.word = clone_body(entry.list());
      return;
    case Type::kHash:
      parts.word = clone_body(entry.hash());
      return;
    case Type::kSet:
      parts.word = clone_body(entry.set());
      return;
    case Type::kSortedSet:
      parts.word = clone_body(entry.sorted_set());
      return;
    case Type::kStream:
      parts.word = clone_body(entry.stream());
      return;
  }
  HF_UNREACHABLE();
}

uint64_t EntryFactory::new_body(Context& context, Type type) {
  switch (type) {
    case Type::kList:
      return reinterpret_cast<uint64_t>(make_body<List>(context));
    case Type::kHash:
      return reinterpret_cast<uint64_t>(make_body<Hash>(context));
    case Type::kSet:
      return reinterpret_cast<uint64_t>(make_body<Set>(context));
    case Type::kSortedSet:
      return reinterpret_cast<uint64_t>(make_body<SortedSet>(context));
    case Type::kStream:
      return reinterpret_cast<uint64_t>(make_body<Stream>(context));
    case Type::kString:
      break;
  }
  HF_UNREACHABLE();
}

}  // namespace holdfast::store
