#include "store/type/hash.h"

#include "base/assert.h"
#include "base/prng.h"
#include "store/body.h"

namespace holdfast::store {

Hash::Hash(Context& context) : context_(&context) {}

Hash::Hash(Hash&& other) noexcept = default;
Hash::~Hash() { packed_.clear(context_->heap); }

size_t Hash::compact(size_t from, size_t& effort) {
  packed_.compact(context_->heap);
  return table_ ? table_->compact(from, effort) : 0;
}

bool Hash::dismantle(size_t elements) { return !table_ || table_->drain(elements); }

Hash* Hash::clone() const {
  Hash* const copy = make_body<Hash>(*context_);
  copy->packed_ = packed_.clone(context_->heap);
  if (table_) copy->table_ = table_->clone();
  return copy;
}

size_t Hash::size() const { return table_ ? table_->size() : packed_.count() / 2; }

std::optional<std::string_view> Hash::get(std::string_view field) const {
  if (table_) return table_->find(context_->key(field));
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
  return table_->put(context_->key(field), value);
}

void Hash::convert() {
  auto table = std::make_unique<CellTable>(*context_, true);
  for_each([&](std::string_view field, std::string_view value) {
    table->put(context_->key(field), value);
    return true;
  });
  packed_.clear(context_->heap);
  table_ = std::move(table);
}

bool Hash::erase(std::string_view field) {
  if (table_) return table_->erase(context_->key(field));
  const auto at = packed_.find(field, 2);
  if (at == packed_.end()) return false;
  packed_.erase(context_->heap, at, 2);
  return true;
}

void Hash::for_each(Visitor visit) const {
  if (table_) return table_->for_each(visit);
  for (auto at = packed_.begin(); at != packed_.end();) {
    const auto value = packed_.next(at);
    if (!visit(packed_.get(at), packed_.get(value))) return;
    at = packed_.next(value);
  }
}

void Hash::random(Prng& prng, FunctionRef<void(std::string_view, std::string_view)> visit) const {
  HF_ASSERT(!empty());
  if (table_) return table_->random(prng, visit);
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
  if (table_) return table_->scan(cursor, visit);
  for_each([&](std::string_view field, std::string_view value) {
    visit(field, value);
    return true;
  });
  return 0;
}

size_t Hash::memory() const {
  const size_t own = Heap::class_bytes(sizeof(Hash));
  return own + packed_.memory() + (table_ ? table_->memory() + sizeof(CellTable) : 0);
}

void Hash::check_invariants() const {
  packed_.check_invariants();
  HF_ASSERT(packed_.count() % 2 == 0);
  if (!table_) return;
  table_->check_invariants();
  HF_ASSERT(packed_.count() == 0);
}

}  // namespace holdfast::store
