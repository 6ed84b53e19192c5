#include "store/packed.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "store/varint.h"

namespace holdfast::store {

namespace {

/// Writes `value` so that it can be read from its last byte towards its first.
char* put_back_varint(char* at, uint64_t value) {
  const size_t size = varint_size(value);
  for (char* byte = at + size; byte-- != at;) {
    *byte = static_cast<char>((value & 0x7f) | (value >= 0x80 ? 0x80 : 0));
    value >>= 7;
  }
  return at + size;
}

/// `end` is one past the varint; returns its first byte.
const char* get_back_varint(const char* end, uint64_t& value) {
  uint64_t byte = static_cast<uint8_t>(*--end);
  value = byte & 0x7f;
  for (unsigned shift = 7; (byte & 0x80) != 0; shift += 7) {
    byte = static_cast<uint8_t>(*--end);
    value |= (byte & 0x7f) << shift;
  }
  return end;
}

}  // namespace

Packed::~Packed() { HF_ASSERT(block_ == nullptr); }

size_t Packed::memory() const { return block_ == nullptr ? 0 : Heap::class_bytes(sizeof(Header) + header().capacity); }

size_t Packed::element_bytes(size_t size) {
  const size_t front = varint_size(size) + size;
  return front + varint_size(front);
}

Packed::Offset Packed::next(Offset at) const {
  HF_ASSERT(at < bytes());
  uint64_t size = 0;
  get_varint(data() + at, size);
  return at + static_cast<Offset>(element_bytes(size));
}

Packed::Offset Packed::previous(Offset at) const {
  HF_ASSERT(at > 0 && at <= bytes());
  uint64_t front = 0;
  const char* const back = get_back_varint(data() + at, front);
  return static_cast<Offset>(back - data() - static_cast<ptrdiff_t>(front));
}

std::string_view Packed::get(Offset at) const {
  HF_ASSERT(at < bytes());
  uint64_t size = 0;
  const char* const bytes = get_varint(data() + at, size);
  return {bytes, size};
}

Packed::Offset Packed::seek(uint32_t index) const {
  const uint32_t total = count();
  HF_ASSERT(index <= total);
  if (index <= total / 2) {
    Offset at = begin();
    for (uint32_t i = 0; i < index; ++i) at = next(at);
    return at;
  }
  Offset at = end();
  for (uint32_t i = total; i > index; --i) at = previous(at);
  return at;
}

Packed::Offset Packed::find(std::string_view bytes, uint32_t stride) const {
  Offset at = begin();
  const Offset stop = end();
  while (at != stop) {
    if (get(at) == bytes) return at;
    for (uint32_t i = 0; i < stride; ++i) at = next(at);
  }
  return stop;
}

void Packed::reserve(Heap& heap, size_t bytes) {
  HF_ASSERT(bytes <= kBytesMax);
  if (block_ != nullptr && bytes <= header().capacity) return;
  size_t capacity = bytes;
  if (block_ != nullptr) capacity = std::max(bytes, size_t{header().capacity} + header().capacity / 4);
  capacity = Heap::class_bytes(sizeof(Header) + capacity) - sizeof(Header);
  auto* const fresh = static_cast<char*>(heap.allocate(sizeof(Header) + capacity));
  if (block_ == nullptr) {
    *reinterpret_cast<Header*>(fresh) = Header{0, 0, 0};
  } else {
    std::memcpy(fresh, block_, sizeof(Header) + header().bytes);
    heap.release(block_, sizeof(Header) + header().capacity);
  }
  block_ = fresh;
  header().capacity = static_cast<uint32_t>(capacity);
}

void Packed::shrink(Heap& heap) {
  if (header().count == 0) {
    clear(heap);
    return;
  }
  const size_t fitting = Heap::class_bytes(sizeof(Header) + header().bytes) - sizeof(Header);
  if (fitting > header().capacity / 2) return;
  auto* const fresh = static_cast<char*>(heap.allocate(sizeof(Header) + fitting));
  std::memcpy(fresh, block_, sizeof(Header) + header().bytes);
  heap.release(block_, sizeof(Header) + header().capacity);
  block_ = fresh;
  header().capacity = static_cast<uint32_t>(fitting);
}

void Packed::insert(Heap& heap, Offset at, std::string_view bytes) {
  const size_t size = element_bytes(bytes.size());
  HF_ASSERT(at <= end());
  reserve(heap, this->bytes() + size);
  char* to = data() + at;
  std::memmove(to + size, to, header().bytes - at);
  to = put_varint(to, bytes.size());
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  put_back_varint(to + bytes.size(), varint_size(bytes.size()) + bytes.size());
  header().bytes += static_cast<uint32_t>(size);
  ++header().count;
}

void Packed::replace(Heap& heap, Offset at, std::string_view bytes) {
  const std::string_view old = get(at);
  if (old.size() == bytes.size()) {
    if (!bytes.empty()) std::memmove(data() + (old.data() - data()), bytes.data(), bytes.size());
    return;
  }
  const size_t old_size = element_bytes(old.size());
  const size_t size = element_bytes(bytes.size());
  if (size > old_size) reserve(heap, this->bytes() + size - old_size);
  char* to = data() + at;
  std::memmove(to + size, to + old_size, header().bytes - at - old_size);
  to = put_varint(to, bytes.size());
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  put_back_varint(to + bytes.size(), varint_size(bytes.size()) + bytes.size());
  header().bytes = static_cast<uint32_t>(header().bytes + size - old_size);
  if (size < old_size) shrink(heap);
}

void Packed::erase(Heap& heap, Offset at, uint32_t elements) {
  if (elements == 0) return;
  Offset stop = at;
  for (uint32_t i = 0; i < elements; ++i) stop = next(stop);
  std::memmove(data() + at, data() + stop, header().bytes - stop);
  header().bytes -= stop - at;
  header().count -= elements;
  shrink(heap);
}

Packed Packed::split(Heap& heap, Offset at) {
  Packed rest;
  const uint32_t moved = bytes() - at;
  if (moved == 0) return rest;
  uint32_t kept = 0;
  for (Offset i = begin(); i != at; i = next(i)) ++kept;
  rest.reserve(heap, moved);
  std::memcpy(rest.data(), data() + at, moved);
  rest.header().bytes = moved;
  rest.header().count = count() - kept;
  header().bytes = at;
  header().count = kept;
  shrink(heap);
  return rest;
}

void Packed::clear(Heap& heap) {
  if (block_ == nullptr) return;
  heap.release(block_, sizeof(Header) + header().capacity);
  block_ = nullptr;
}

void Packed::compact(Heap& heap) {
  if (block_ == nullptr) return;
  block_ = static_cast<char*>(heap.compact(block_, sizeof(Header) + header().capacity));
}

Packed Packed::clone(Heap& heap) const {
  Packed copy;
  if (block_ == nullptr) return copy;
  copy.reserve(heap, bytes());
  copy.header().bytes = header().bytes;
  copy.header().count = header().count;
  std::memcpy(copy.data(), data(), header().bytes);
  return copy;
}

void Packed::check_invariants() const {
  if (block_ == nullptr) return;
  HF_ASSERT(header().count > 0 && header().bytes <= header().capacity && header().capacity <= kBytesMax + 16);
  uint32_t elements = 0;
  Offset at = begin();
  while (at != end()) {
    const Offset after = next(at);
    HF_ASSERT(after <= end() && previous(after) == at);
    at = after;
    ++elements;
  }
  HF_ASSERT(elements == header().count);
}

}  // namespace holdfast::store
