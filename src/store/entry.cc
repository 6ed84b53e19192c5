#include "store/entry.h"

#include <cstring>

#include "base/assert.h"
#include "base/text.h"
#include "store/entry_factory.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"
#include "store/type/stream.h"
#include "store/varint.h"

namespace holdfast::store {

std::string_view Entry::key() const {
  uint64_t size = 0;
  const char* const at = get_varint(bytes() + 4, size);
  return {at, size};
}

int64_t Entry::expires_at_ms() const {
  if (!has_expiry()) return kNoExpiry;
  const std::string_view name = key();
  int64_t ms = 0;
  std::memcpy(&ms, name.data() + name.size(), sizeof(ms));
  return ms;
}

uint32_t Entry::access() const { return static_cast<uint32_t>(head_[1] | head_[2] << 8 | head_[3] << 16); }

void Entry::set_access(uint32_t bits) const {
  auto* const head = const_cast<uint8_t*>(head_);  // entries are never const objects
  head[1] = static_cast<uint8_t>(bits);
  head[2] = static_cast<uint8_t>(bits >> 8);
  head[3] = static_cast<uint8_t>(bits >> 16);
}

std::string_view Entry::string(NumberBuffer& buffer) const {
  HF_ASSERT(type() == Type::kString);
  const EntryFactory::Parts parts = EntryFactory::parts(*this);
  switch (parts.form) {
    case Form::kInteger:
      return print_integer(static_cast<int64_t>(parts.word), buffer);
    case Form::kBlock: {
      StringBlock& block = EntryFactory::block_of(parts.word);
      return {block.data(), block.size};
    }
    case Form::kInline:
    case Form::kEditedInline:
      return parts.text;
    case Form::kBody:
      break;
  }
  HF_UNREACHABLE();
}

size_t Entry::string_size() const {
  NumberBuffer buffer;
  return string(buffer).size();
}

std::optional<int64_t> Entry::integer() const {
  HF_ASSERT(type() == Type::kString);
  if (EntryFactory::form_of(*this) != Form::kInteger) return std::nullopt;
  return static_cast<int64_t>(EntryFactory::parts(*this).word);
}

std::optional<int64_t> Entry::to_integer() const {
  if (const auto held = integer()) return held;
  NumberBuffer buffer;
  return parse_int64(string(buffer));
}

void* Entry::body(Type expected) const {
  HF_ASSERT(type() == expected);
  return reinterpret_cast<void*>(EntryFactory::parts(*this).word);
}

Encoding Entry::encoding() const {
  switch (type()) {
    case Type::kString:
      break;
    case Type::kList:
      return list().encoding();
    case Type::kHash:
      return hash().encoding();
    case Type::kSet:
      return set().encoding();
    case Type::kSortedSet:
      return sorted_set().encoding();
    case Type::kStream:
      return Encoding::kStream;
  }
  const Form form = EntryFactory::form_of(*this);
  if (form == Form::kInteger) return Encoding::kInt;
  return form == Form::kInline && string_size() <= kEmbstrMax ? Encoding::kEmbstr : Encoding::kRaw;
}

size_t Entry::length() const {
  switch (type()) {
    case Type::kString:
      return string_size();
    case Type::kList:
      return list().size();
    case Type::kHash:
      return hash().size();
    case Type::kSet:
      return set().size();
    case Type::kSortedSet:
      return sorted_set().size();
    case Type::kStream:
      return stream().size();
  }
  HF_UNREACHABLE();
}

size_t Entry::memory() const {
  const size_t shell = Heap::class_bytes(EntryFactory::shell_bytes(*this));
  switch (type()) {
    case Type::kString:
      break;
    case Type::kList:
      return shell + list().memory();
    case Type::kHash:
      return shell + hash().memory();
    case Type::kSet:
      return shell + set().memory();
    case Type::kSortedSet:
      return shell + sorted_set().memory();
    case Type::kStream:
      return shell + stream().memory();
  }
  const EntryFactory::Parts parts = EntryFactory::parts(*this);
  if (parts.form != Form::kBlock) return shell;
  return shell + Heap::class_bytes(EntryFactory::block_of(parts.word).block_bytes());
}

}  // namespace holdfast::store
