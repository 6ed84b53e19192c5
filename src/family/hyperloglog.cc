// Commands on HyperLogLogs: strings that estimate how many distinct elements they were given.
#include <algorithm>
#include <vector>

#include "family/bindings.h"
#include "family/hll_sketch.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::Key;
using store::NumberBuffer;
using store::Type;

constexpr std::string_view kCorrupted = "INVALIDOBJ Corrupted HLL object detected";
constexpr std::string_view kNoSketch = "WRONGTYPE Key is not a valid HyperLogLog string value.";

/// Whether `entry` (present) looks like a sketch; writes the error.
bool is_sketch(Context& c, const Entry& entry) {
  NumberBuffer buffer;
  if (entry.type() != Type::kString) {
    c.reply.error(command::kWrongType);
    return false;
  }
  if (!hll_is_sketch(entry.string(buffer))) {
    c.reply.error(kNoSketch);
    return false;
  }
  return true;
}

/// Raises `sketch` to at least what `entry` (present) holds; false: the error is written.
bool merge_into(Context& c, const Entry& entry, HllSketch& sketch) {
  NumberBuffer buffer;
  if (!is_sketch(c, entry)) return false;
  if (sketch.merge(entry.string(buffer))) return true;
  c.reply.error(kCorrupted);
  return false;
}

/// Writes encoding and registers; the cached estimate stays and is marked as out of date.
void store_sketch(Context& c, const Key& key, std::string_view bytes) {
  const std::span<char> held = c.db().edit_string(key, bytes.size());
  std::ranges::copy(bytes.substr(0, kHllCacheAt - 3), held.begin());
  held[kHllHeaderBytes - 1] = static_cast<char>(held[kHllHeaderBytes - 1] | 0x80);
  std::ranges::copy(bytes.substr(kHllHeaderBytes), held.begin() + kHllHeaderBytes);
  c.modified(key.bytes);
}

void pfadd_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  const Entry* entry = lookup_write(c, key);
  HllSketch sketch;
  if (entry != nullptr && !merge_into(c, *entry, sketch)) return;
  uint64_t updated = entry == nullptr ? 1 : 0;
  for (const std::string_view element : c.argv.subspan(2)) updated += sketch.add(element) ? 1 : 0;
  if (updated > 0) {
    store_sketch(c, key, sketch.bytes());
    c.notify(kNotifyString, "pfadd", key.bytes);
    c.dirty += updated;
  }
  c.reply.integer(updated > 0 ? 1 : 0);
}

/// One key: its cached estimate, or a new one that is cached - a write, which replicas see as this very command.
void count_one(Context& c) {
  const Key key = c.key(c.argv[1]);
  const Entry* entry = lookup_read(c, key);
  if (entry == nullptr) return c.reply.integer(0);
  if (!is_sketch(c, *entry)) return;
  NumberBuffer buffer;
  if (const auto cached = hll_cached_estimate(entry->string(buffer))) {
    return c.reply.integer(static_cast<int64_t>(*cached));
  }
  HllSketch sketch;
  if (!merge_into(c, *entry, sketch)) return;
  const uint64_t estimate = sketch.estimate();
  hll_cache_estimate(c.db().edit_string(key, entry->string_size()), estimate);
  c.modified(key.bytes);
  ++c.dirty;
  c.reply.integer(static_cast<int64_t>(estimate));
}

void pfcount_command(Context& c) {
  if (c.argv.size() == 2) return count_one(c);
  HllSketch sketch;
  for (const std::string_view name : c.argv.subspan(1)) {
    const Entry* entry = lookup_read(c, c.key(name));
    if (entry != nullptr && !merge_into(c, *entry, sketch)) return;
  }
  c.reply.integer(static_cast<int64_t>(sketch.estimate()));
}

void pfmerge_command(Context& c) {
  HllSketch sketch;
  for (const std::string_view name : c.argv.subspan(1)) {
    const Entry* entry = lookup_read(c, c.key(name));
    if (entry != nullptr && !merge_into(c, *entry, sketch)) return;
  }
  const Key target = c.key(c.argv[1]);
  lookup_write(c, target);
  store_sketch(c, target, sketch.bytes());
  c.notify(kNotifyString, "pfadd", target.bytes);
  ++c.dirty;
  c.reply.ok();
}

constexpr Binding kBindings[] = {{"pfadd", pfadd_command}, {"pfcount", pfcount_command}, {"pfmerge", pfmerge_command}};

}  // namespace

std::span<const Binding> hyperloglog_bindings() { return kBindings; }

}  // namespace holdfast::family
