#include "store/type/set.h"

#include <algorithm>
#include <string>

#include "base/assert.h"
#include "base/prng.h"
#include "base/text.h"
#include "store/body.h"

namespace holdfast::store {

namespace {

/// Whatever set-max-intset-entries says.
constexpr uint32_t kIntsetEntriesMax = 1U << 30;

}  // namespace

Set::Set(Context& context) : context_(&context) {}

Set::Set(Set&& other) noexcept = default;
Set::~Set() {
  ints_.clear(context_->heap);
  packed_.clear(context_->heap);
}

size_t Set::compact(size_t from, size_t& effort) {
  ints_.compact(context_->heap);
  packed_.compact(context_->heap);
  return table_ ? table_->compact(from, effort) : 0;
}

bool Set::dismantle(size_t elements) { return !table_ || table_->drain(elements); }

Set* Set::clone() const {
  Set* const copy = make_body<Set>(*context_);
  copy->encoding_ = encoding_;
  copy->ints_ = ints_.clone(context_->heap);
  copy->packed_ = packed_.clone(context_->heap);
  if (table_) copy->table_ = table_->clone();
  return copy;
}

size_t Set::size() const {
  if (encoding_ == Encoding::kIntset) return ints_.size();
  return table_ ? table_->size() : packed_.count();
}

bool Set::contains(std::string_view member) const {
  if (encoding_ == Encoding::kIntset) {
    const auto value = parse_int64(member);
    return value && ints_.contains(*value);
  }
  if (table_) return table_->find(context_->key(member)).has_value();
  return packed_.find(member) != packed_.end();
}

bool Set::add(std::string_view member) {
  const Limits& limits = context_->limits;
  if (encoding_ == Encoding::kIntset) {
    if (const auto value = parse_int64(member)) {
      if (!ints_.insert(context_->heap, *value)) return false;
      // COMPAT: a full intset becomes a table even when a listpack would still hold it.
      if (ints_.size() > std::min(limits.set_max_intset_entries, kIntsetEntriesMax)) convert_to_table();
      return true;
    }
    if (ints_.size() < limits.set_max_listpack_entries && member.size() <= limits.set_max_listpack_value) {
      convert_to_packed();
    } else {
      convert_to_table();
    }
  }
  if (encoding_ == Encoding::kListpack) {
    if (packed_.find(member) != packed_.end()) return false;
    if (packed_.count() < limits.set_max_listpack_entries && member.size() <= limits.set_max_listpack_value &&
        packed_.has_room(member.size())) {
      packed_.push_back(context_->heap, member);
      return true;
    }
    convert_to_table();
  }
  return table_->put(context_->key(member), {});
}

void Set::convert_to_packed() {
  for_each([&](std::string_view member) {
    packed_.push_back(context_->heap, member);
    return true;
  });
  ints_.clear(context_->heap);
  encoding_ = Encoding::kListpack;
}

void Set::convert_to_table() {
  auto table = std::make_unique<CellTable>(*context_, false);
  for_each([&](std::string_view member) {
    table->put(context_->key(member), {});
    return true;
  });
  table_ = std::move(table);
  ints_.clear(context_->heap);
  packed_.clear(context_->heap);
  encoding_ = Encoding::kHashtable;
}

bool Set::erase(std::string_view member) {
  if (encoding_ == Encoding::kIntset) {
    const auto value = parse_int64(member);
    return value && ints_.erase(context_->heap, *value);
  }
  if (table_) return table_->erase(context_->key(member));
  const auto at = packed_.find(member);
  if (at == packed_.end()) return false;
  packed_.erase(context_->heap, at);
  return true;
}

void Set::for_each(FunctionRef<bool(std::string_view)> visit) const {
  switch (encoding_) {
    case Encoding::kIntset:
      for (uint32_t i = 0; i < ints_.size(); ++i) {
        NumberBuffer buffer;
        if (!visit(print_integer(ints_.at(i), buffer))) return;
      }
      return;
    case Encoding::kListpack:
      for (auto at = packed_.begin(); at != packed_.end(); at = packed_.next(at)) {
        if (!visit(packed_.get(at))) return;
      }
      return;
    default:
      table_->for_each([&](std::string_view member, std::string_view) { return visit(member); });
  }
}

void Set::random(Prng& prng, FunctionRef<void(std::string_view)> visit) const {
  HF_ASSERT(!empty());
  if (table_) {
    table_->random(prng, [&](std::string_view member, std::string_view) { visit(member); });
    return;
  }
  const auto index = static_cast<uint32_t>(prng.below(size()));
  if (encoding_ == Encoding::kIntset) {
    NumberBuffer buffer;
    visit(print_integer(ints_.at(index), buffer));
    return;
  }
  visit(packed_.get(packed_.seek(index)));
}

uint64_t Set::scan(uint64_t cursor, FunctionRef<void(std::string_view)> visit) const {
  if (table_) {
    return table_->scan(cursor, [&](std::string_view member, std::string_view) { visit(member); });
  }
  for_each([&](std::string_view member) {
    visit(member);
    return true;
  });
  return 0;
}

size_t Set::memory() const {
  return Heap::class_bytes(sizeof(Set)) + ints_.memory() + packed_.memory() +
         (table_ ? table_->memory() + sizeof(CellTable) : 0);
}

void Set::check_invariants() const {
  ints_.check_invariants();
  packed_.check_invariants();
  HF_ASSERT((encoding_ == Encoding::kHashtable) == (table_ != nullptr));
  HF_ASSERT(encoding_ == Encoding::kIntset || ints_.size() == 0);
  HF_ASSERT(encoding_ == Encoding::kListpack || packed_.count() == 0);
  if (table_) table_->check_invariants();
}

}  // namespace holdfast::store
