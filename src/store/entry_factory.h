// EntryFactory: makes, reshapes and frees entries; inside store only.
#pragma once

#include <cstdint>
#include <string_view>

#include "store/context.h"
#include "store/entry.h"

namespace holdfast::store {

/// How the value is held; the low 4 bits of an entry's first byte. Collections are always kBody.
enum class Form : uint8_t {
  kBody = 0,          // pointer to List, Hash, ...
  kInteger = 1,       // int64
  kInline = 2,        // bytes in the entry, as they were set
  kEditedInline = 3,  // bytes in the entry, edited in place: raw whatever the length
  kBlock = 4,         // pointer to a StringBlock
};

/// A long string: header and bytes in one block of sizeof(StringBlock) + capacity.
struct StringBlock {
  uint64_t size;
  uint64_t capacity;
  char* data() { return reinterpret_cast<char*>(this + 1); }
  size_t block_bytes() const { return sizeof(StringBlock) + capacity; }
};

/// Everything an entry consists of. `text` serves the inline forms, `word` the others.
struct EntryParts {
  Type type = Type::kString;
  Form form = Form::kBody;
  uint32_t access = 0;
  std::string_view key;
  int64_t expires_at_ms = kNoExpiry;
  std::string_view text;
  uint64_t word = 0;
};

class EntryFactory {
 public:
  using Parts = EntryParts;

  static Form form_of(const Entry& entry) { return static_cast<Form>(entry.head_[0] & 0x0f); }
  static Parts parts(const Entry& entry);
  static Entry* build(Context& context, const Parts& parts);
  /// Rebuilds in place when the new parts fit the same allocation, else frees the old shell. The value that `parts`
  /// points to must not lie in `old` unless it is old's own, unmoved.
  static Entry* rebuild(Context& context, Entry* old, const Parts& parts);
  /// Inline or a block, never an integer.
  static void put_bytes(Context& context, Parts& parts, std::string_view value);
  /// Chooses a form for a string; may allocate a block.
  static void put_text(Context& context, Parts& parts, std::string_view value);
  /// Frees what `entry` points to, not the entry; large collections go to context.doomed.
  static void destroy_value(Context& context, const Entry& entry);
  static void destroy_collection(Context& context, Type type, void* body);
  /// About `elements` of a doomed collection; true when it is freed.
  static bool dismantle(Context& context, const Doomed& doomed, size_t elements);
  /// Moves the entry and what it points to where the heap wants it, a large collection from `cursor` on (0: its begin)
  /// while `effort` lasts; `cursor` is where to go on then, 0 if all is done.
  static Entry* compact(Context& context, Entry* entry, size_t& cursor, size_t& effort);
  static void free_shell(Context& context, Entry* entry);
  static void destroy(Context& context, Entry* entry);
  /// The value of `entry` copied: `parts` with form, text or word replaced.
  static void clone_value(Context& context, const Entry& entry, Parts& parts);
  static uint64_t new_body(Context& context, Type type);
  static size_t shell_bytes(const Entry& entry);
  static size_t shell_bytes(const Parts& parts);
  static StringBlock* new_block(Context& context, size_t size, size_t capacity);
  static StringBlock& block_of(uint64_t word) { return *reinterpret_cast<StringBlock*>(word); }
};

}  // namespace holdfast::store
