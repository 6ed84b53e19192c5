#include "store/type/hash.h"

#include <cstring>

#include "base/assert.h"
#include "base/prng.h"
#include "store/body.h"
#include "store/varint.h"

namespace holdfast::store {

namespace {

// An item of the table: [field length varint][field][value length varint][value].
struct Item {
  std::string_view field;
  std::string_view value;
};

Item read_item(const void* item) {
  uint64_t size = 0;
  const char* at = get_varint(static_cast<const char*>(item), size);
  const std::string_view field(at, size);
  at = get_varint(at + size, size);
  return {field, {at, size}};
}

size_t item_bytes(std::string_view field, std::string_view value) {
  return varint_size(field.size()) + field.size() + varint_size(value.size()) + value.size();
}

char* put_text(char* at, std::string_view text) {
  at = put_varint(at, text.size());
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

}  // namespace

Hash::Hash(Context& context) : context_(&context) {}

Hash::~Hash() {
  packed_.clear(context_->heap);
  if (table_) table_->drain(SIZE_MAX, [&](void* item) { free_item(item); });
}

char* Hash::make_item(std::string_view field, std::string_view value) {
  const size_t bytes = item_bytes(field, value);
  auto* const item = static_cast<char*>(context_->heap.allocate(bytes));
  put_text(put_text(item, field), value);
  item_bytes_ += Heap::class_bytes(bytes);
  return item;
}

void Hash::free_item(void* item) {
  const auto [field, value] = read_item(item);
  const size_t bytes = item_bytes(field, value);
  item_bytes_ -= Heap::class_bytes(bytes);
  context_->heap.release(item, bytes);
}

bool Hash::dismantle(size_t elements) {
  return !table_ || table_->drain(elements, [&](void* item) { free_item(item); });
}

Hash* Hash::clone() const {
  Hash* const copy = make_body<Hash>(*context_);
  copy->packed_ = packed_.clone(context_->heap);
  if (table_) {
    copy->table_ = std::make_unique<Table>(*context_, 0);
    for_each([&](std::string_view field, std::string_view value) {
      copy->table_->insert(context_->key(field), copy->make_item(field, value));
      return true;
    });
  }
  return copy;
}

size_t Hash::size() const { return table_ ? table_->size() : packed_.count() / 2; }

std::optional<std::string_view> Hash::get(std::string_view field) const {
  if (table_) {
    const void* const item = table_->find(context_->key(field));
    if (item == nullptr) return std::nullopt;
    return read_item(item).value;
  }
  const auto at = packed_.find(field, 2);
  if (at == packed_.end()) return std::nullopt;
  return packed_.get(packed_.next(at));
}

bool Hash::set(std::string_view field, std::string_view value) {
  const Limits& limits = context_->limits;
  if (!table_) {
    const auto at = packed_.find(field, 2);
    const bool is_new = at == packed_.end();
    if (field.size() <= limits.hash_max_listpack_value && value.size() <= limits.hash_max_listpack_value &&
        size() + (is_new ? 1 : 0) <= limits.hash_max_listpack_entries &&
        packed_.has_room(field.size() + value.size())) {
      if (is_new) {
        packed_.push_back(context_->heap, field);
        packed_.push_back(context_->heap, value);
      } else {
        packed_.replace(context_->heap, packed_.next(at), value);
      }
      return is_new;
    }
    convert();
  }
  const Key key = context_->key(field);
  void** const slot = table_->slot(key);
  char* const item = make_item(field, value);
  if (slot == nullptr) {
    table_->insert(key, item);
    return true;
  }
  free_item(*slot);
  *slot = item;
  return false;
}

void Hash::convert() {
  auto table = std::make_unique<Table>(*context_, 0);
  for_each([&](std::string_view field, std::string_view value) {
    table->insert(context_->key(field), make_item(field, value));
    return true;
  });
  packed_.clear(context_->heap);
  table_ = std::move(table);
}

bool Hash::erase(std::string_view field) {
  if (table_) {
    void* const item = table_->erase(context_->key(field));
    if (item != nullptr) free_item(item);
    return item != nullptr;
  }
  const auto at = packed_.find(field, 2);
  if (at == packed_.end()) return false;
  packed_.erase(context_->heap, at, 2);
  return true;
}

void Hash::for_each(Visitor visit) const {
  if (table_) {
    table_->for_each([&](void* raw) {
      const Item item = read_item(raw);
      return visit(item.field, item.value);
    });
    return;
  }
  for (auto at = packed_.begin(); at != packed_.end();) {
    const auto value = packed_.next(at);
    if (!visit(packed_.get(at), packed_.get(value))) return;
    at = packed_.next(value);
  }
}

void Hash::random(Prng& prng, FunctionRef<void(std::string_view, std::string_view)> visit) const {
  HF_ASSERT(!empty());
  if (table_) {
    const Item item = read_item(table_->random(prng));
    visit(item.field, item.value);
    return;
  }
  at(prng.below(size()), visit);
}

void Hash::at(size_t index, FunctionRef<void(std::string_view, std::string_view)> visit) const {
  HF_ASSERT(index < size());
  if (!table_) {
    const auto at = packed_.seek(static_cast<uint32_t>(index * 2));
    visit(packed_.get(at), packed_.get(packed_.next(at)));
    return;
  }
  for_each([&](std::string_view field, std::string_view value) {
    if (index-- > 0) return true;
    visit(field, value);
    return false;
  });
}

uint64_t Hash::scan(uint64_t cursor, FunctionRef<void(std::string_view, std::string_view)> visit) const {
  if (table_) {
    return table_->scan(cursor, [&](void* raw) {
      const Item item = read_item(raw);
      visit(item.field, item.value);
    });
  }
  for_each([&](std::string_view field, std::string_view value) {
    visit(field, value);
    return true;
  });
  return 0;
}

size_t Hash::memory() const {
  const size_t own = Heap::class_bytes(sizeof(Hash));
  return own + packed_.memory() + item_bytes_ + (table_ ? table_->memory() + sizeof(Table) : 0);
}

void Hash::check_invariants() const {
  packed_.check_invariants();
  HF_ASSERT(packed_.count() % 2 == 0);
  if (!table_) return;
  table_->check_invariants();
  HF_ASSERT(packed_.count() == 0);
  size_t bytes = 0;
  for_each([&](std::string_view field, std::string_view value) {
    bytes += Heap::class_bytes(item_bytes(field, value));
    return true;
  });
  HF_ASSERT(bytes == item_bytes_);
}

}  // namespace holdfast::store
