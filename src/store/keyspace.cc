#include "store/keyspace.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "store/entry_factory.h"

namespace holdfast::store {

namespace {

constexpr uint32_t kEntryKeyOffset = 4;
/// As the original grows its strings: double below this, then by this much.
constexpr size_t kGrowthStepMax = size_t{1} << 20;

const Entry& entry_of(const void* item) { return *static_cast<const Entry*>(item); }

/// The store knows no time before 1970; such an expiry is over either way.
int64_t clamp_expiry(int64_t ms) { return ms < kNoExpiry ? 0 : ms; }

size_t grown_capacity(size_t size) { return size < kGrowthStepMax ? size * 2 : size + kGrowthStepMax; }

}  // namespace

KeyTable::KeyTable(Context& shared) : table(shared, kEntryKeyOffset), context(&shared) {}

KeyTable::~KeyTable() {
  HF_ASSERT(pins == 0);
  table.drain(SIZE_MAX, [&](void* item) { EntryFactory::destroy(*context, static_cast<Entry*>(item)); });
}

Keyspace::Keyspace(Context& context) : context_(&context), keys_(std::make_unique<KeyTable>(context)) {}

uint64_t Keyspace::scan(uint64_t cursor, FunctionRef<void(const Entry&)> visit) const {
  return keys_->table.scan(cursor, [&](void* item) { visit(entry_of(item)); });
}

void Keyspace::for_each(FunctionRef<bool(const Entry&)> visit) const {
  keys_->table.for_each([&](void* item) { return visit(entry_of(item)); });
}

void Keyspace::sample(Prng& prng, size_t count, bool expiring_only, FunctionRef<void(const Entry&)> visit) const {
  keys_->table.sample(prng, count, expiring_only, [&](void* item) {
    const Entry& entry = entry_of(item);
    if (expiring_only && !entry.has_expiry()) return false;
    visit(entry);
    return true;
  });
}

Entry* Keyspace::find_for_write(const Key& key) {
  Table& table = keys_->table;
  auto* const entry = static_cast<Entry*>(table.find(key));
  if (entry != nullptr) table.announce(key);
  return entry;
}

void Keyspace::account_expiry(const Key& key, bool before, const Entry* after) {
  const bool now = after != nullptr && after->has_expiry();
  if (before) --keys_->expiring;
  if (!now) return;
  ++keys_->expiring;
  keys_->table.note_due(key, after->expires_at_ms());
}

Entry& Keyspace::add(const Key& key, Entry* entry) {
  keys_->table.insert(key, entry);
  account_expiry(key, false, entry);
  return *entry;
}

Entry& Keyspace::reshape(const Key& key, void** slot, const EntryParts& parts) {
  auto* const old = static_cast<Entry*>(*slot);
  const bool expired_before = old->has_expiry();
  Entry* const fresh = EntryFactory::rebuild(*context_, old, parts);
  *slot = fresh;
  account_expiry(key, expired_before, fresh);
  return *fresh;
}

Entry& Keyspace::create(const Key& key, Type type) {
  HF_ASSERT(type != Type::kString && !contains(key));
  EntryParts parts;
  parts.type = type;
  parts.form = Form::kBody;
  parts.key = key.bytes;
  parts.access = context_->fresh_access;
  parts.word = EntryFactory::new_body(*context_, type);
  return add(key, EntryFactory::build(*context_, parts));
}

Entry& Keyspace::put_string(const Key& key, const EntryParts& value, bool keep_expiry) {
  Table& table = keys_->table;
  table.announce(key);
  EntryParts parts = value;
  void** const slot = table.slot(key);
  if (slot == nullptr) {
    parts.key = key.bytes;
    parts.access = context_->fresh_access;
    return add(key, EntryFactory::build(*context_, parts));
  }
  auto* const old = static_cast<Entry*>(*slot);
  parts.key = old->key();
  parts.access = keep_expiry || context_->overwriting_keeps_access ? old->access() : context_->fresh_access;
  if (keep_expiry) parts.expires_at_ms = old->expires_at_ms();
  EntryFactory::destroy_value(*context_, *old);
  return reshape(key, slot, parts);
}

Entry& Keyspace::set_string(const Key& key, std::string_view value, int64_t expires_at_ms) {
  EntryParts parts;
  EntryFactory::put_text(*context_, parts, value);
  parts.expires_at_ms = clamp_expiry(expires_at_ms);
  return put_string(key, parts, false);
}

Entry& Keyspace::set_string_keep_expiry(const Key& key, std::string_view value) {
  EntryParts parts;
  EntryFactory::put_text(*context_, parts, value);
  return put_string(key, parts, true);
}

Entry& Keyspace::set_text_keep_expiry(const Key& key, std::string_view value) {
  EntryParts parts;
  EntryFactory::put_bytes(*context_, parts, value);
  return put_string(key, parts, true);
}

Entry& Keyspace::set_integer_keep_expiry(const Key& key, int64_t value) {
  EntryParts parts;
  parts.form = Form::kInteger;
  parts.word = static_cast<uint64_t>(value);
  return put_string(key, parts, true);
}

std::span<char> Keyspace::edit_string(const Key& key, size_t size) {
  HF_ASSERT(size > 0);
  Table& table = keys_->table;
  table.announce(key);
  void** slot = table.slot(key);
  if (slot == nullptr) {
    set_string(key, {});
    slot = table.slot(key);
  }
  auto* const old = static_cast<Entry*>(*slot);
  EntryParts parts = EntryFactory::parts(*old);
  NumberBuffer buffer;
  const std::string_view held = old->string(buffer);
  const size_t kept = std::min(held.size(), size);
  if (parts.form == Form::kBlock) {
    StringBlock* block = &EntryFactory::block_of(parts.word);
    if (block->capacity < size) {
      StringBlock* const wide = EntryFactory::new_block(*context_, size, grown_capacity(size));
      std::memcpy(wide->data(), block->data(), kept);
      context_->heap.release(block, block->block_bytes());
      block = wide;
      parts.word = reinterpret_cast<uint64_t>(wide);
      reshape(key, slot, parts);
    }
    block->size = size;
    std::memset(block->data() + kept, 0, size - kept);
    return {block->data(), size};
  }
  if (size > kInlineStringMax) {
    // A string that is made at this length may never grow.
    StringBlock* const block = EntryFactory::new_block(*context_, size, held.empty() ? size : grown_capacity(size));
    if (kept > 0) std::memcpy(block->data(), held.data(), kept);
    std::memset(block->data() + kept, 0, size - kept);
    parts.form = Form::kBlock;
    parts.word = reinterpret_cast<uint64_t>(block);
    reshape(key, slot, parts);
    return {block->data(), size};
  }
  char text[kInlineStringMax] = {};
  if (kept > 0) std::memcpy(text, held.data(), kept);
  parts.form = Form::kEditedInline;
  parts.text = {text, size};
  const std::string_view now = EntryFactory::parts(reshape(key, slot, parts)).text;
  return {const_cast<char*>(now.data()), now.size()};
}

bool Keyspace::erase(const Key& key) {
  auto* const entry = static_cast<Entry*>(keys_->table.erase(key));
  if (entry == nullptr) return false;
  account_expiry(key, entry->has_expiry(), nullptr);
  EntryFactory::destroy(*context_, entry);
  return true;
}

bool Keyspace::erase_if_empty(const Key& key) {
  const Entry* const entry = find(key);
  return entry != nullptr && entry->type() != Type::kString && entry->type() != Type::kStream && entry->length() == 0 &&
         erase(key);
}

Entry* Keyspace::set_expiry(const Key& key, int64_t expires_at_ms) {
  Table& table = keys_->table;
  void** const slot = table.slot(key);
  if (slot == nullptr) return nullptr;
  table.announce(key);
  EntryParts parts = EntryFactory::parts(*static_cast<Entry*>(*slot));
  parts.expires_at_ms = clamp_expiry(expires_at_ms);
  return &reshape(key, slot, parts);
}

bool Keyspace::rename(const Key& from, const Key& to) {
  if (from.bytes == to.bytes) return contains(from);
  if (!contains(from)) return false;
  erase(to);
  auto* const entry = static_cast<Entry*>(keys_->table.erase(from));
  account_expiry(from, entry->has_expiry(), nullptr);
  EntryParts parts = EntryFactory::parts(*entry);
  parts.key = to.bytes;
  add(to, EntryFactory::rebuild(*context_, entry, parts));
  return true;
}

bool Keyspace::move(const Key& key, Keyspace& target) {
  HF_ASSERT(context_ == target.context_ && this != &target);
  if (target.contains(key)) return false;
  auto* const entry = static_cast<Entry*>(keys_->table.erase(key));
  if (entry == nullptr) return false;
  account_expiry(key, entry->has_expiry(), nullptr);
  target.add(key, entry);
  return true;
}

bool Keyspace::copy(const Key& from, Keyspace& target, const Key& to) const {
  HF_ASSERT(context_ == target.context_);
  if (this == &target && from.bytes == to.bytes) return contains(from);
  const Entry* const entry = find(from);
  if (entry == nullptr) return false;
  EntryParts parts = EntryFactory::parts(*entry);
  EntryFactory::clone_value(*context_, *entry, parts);
  parts.key = to.bytes;
  Entry* const fresh = EntryFactory::build(*context_, parts);
  target.erase(to);
  target.add(to, fresh);
  return true;
}

size_t Keyspace::collect_due(int64_t now_ms, size_t limit, std::vector<std::string>& keys) {
  struct Seen {
    Segment* segment;
    int64_t due_ms;
  };
  std::vector<Seen> seen;  // segments with keys that were told: still due until the caller erases them
  Table& table = keys_->table;
  size_t found = 0;
  while (found < limit) {
    Segment* const segment = table.most_due();
    if (segment == nullptr || segment->due_ms >= now_ms) break;
    int64_t first = Segment::kNothingDue;
    bool told = false;
    for (uint32_t b = 0; b < segment->bucket_count(); ++b) {
      table.for_each_in_bucket(*segment, b, [&](void* item) {
        const Entry& entry = entry_of(item);
        if (!entry.has_expiry()) return;
        first = std::min(first, entry.expires_at_ms());
        if (!entry.is_expired(now_ms) || found == limit) return;
        keys.emplace_back(entry.key());
        ++found;
        told = true;
      });
    }
    if (told) {
      seen.push_back({segment, first});
      first = Segment::kNothingDue;
    }
    table.set_due(*segment, first);
  }
  for (const Seen& one : seen) table.set_due(*one.segment, one.due_ms);
  return found;
}

int64_t Keyspace::average_ttl_ms(int64_t now_ms, size_t samples) const {
  int64_t sum = 0;
  int64_t count = 0;
  uint64_t cursor = 0;
  for (size_t i = 0; i < samples; ++i) {
    cursor = scan(cursor, [&](const Entry& entry) {
      if (!entry.has_expiry() || entry.is_expired(now_ms)) return;
      // A mean of means would not need this, but far expiries must not overflow the sum.
      sum += std::min(entry.expires_at_ms() - now_ms, INT64_MAX / 2 / static_cast<int64_t>(samples * 64));
      ++count;
    });
    if (cursor == 0) break;
  }
  return count == 0 ? 0 : sum / count;
}

std::unique_ptr<KeyTable> Keyspace::detach() {
  auto old = std::make_unique<KeyTable>(*context_);
  keys_.swap(old);
  return old;
}

void Keyspace::swap(Keyspace& other) noexcept {
  HF_ASSERT(context_ == other.context_);
  keys_.swap(other.keys_);
}

void Keyspace::check_invariants() const {
  keys_->table.check_invariants();
  size_t expiring = 0;
  keys_->table.for_each([&](void* item) {
    const Entry& entry = entry_of(item);
    if (entry.has_expiry()) ++expiring;
    return true;
  });
  HF_ASSERT(expiring == keys_->expiring);
  uint64_t position = 0;
  do {
    const Segment& segment = *keys_->table.segment_at(position);
    for (uint32_t b = 0; b < segment.bucket_count(); ++b) {
      keys_->table.for_each_in_bucket(segment, b, [&](void* item) {
        HF_ASSERT(!entry_of(item).has_expiry() || entry_of(item).expires_at_ms() >= segment.due_ms);
      });
    }
    position = Table::position_after(segment);
  } while (position != 0);
}

}  // namespace holdfast::store
