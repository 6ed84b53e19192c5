// Commands on hashes.
#include <fmt/format.h>
#include <cmath>

#include <limits>
#include <set>

#include "base/text.h"
#include "family/bindings.h"
#include "family/lookup.h"
#include "family/scan.h"
#include "store/type/hash.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::Hash;
using store::Key;
using store::Type;

const Hash* hash_for_reading(Context& c, bool& wrong) {
  const Entry* entry = lookup_read(c, c.key(c.argv[1]), Type::kHash, wrong);
  return entry == nullptr ? nullptr : &entry->hash();
}

void changed(Context& c, const Key& key, std::string_view event) {
  c.modified(key.bytes);
  c.notify(kNotifyHash, event, key.bytes);
}

void hset_generic(Context& c, bool answer_ok) {
  if (c.argv.size() % 2 != 0) {
    return c.reply.error(fmt::format("ERR wrong number of arguments for '{}' command", c.spec.name));
  }
  const Key key = c.key(c.argv[1]);
  Entry* entry = find_or_create(c, key, Type::kHash);
  if (entry == nullptr) return;
  int64_t added = 0;
  for (size_t i = 2; i < c.argv.size(); i += 2) added += entry->hash().set(c.argv[i], c.argv[i + 1]) ? 1 : 0;
  answer_ok ? c.reply.ok() : c.reply.integer(added);
  changed(c, key, "hset");
  c.dirty += (c.argv.size() - 2) / 2;
}
void hset_command(Context& c) { hset_generic(c, false); }
void hmset_command(Context& c) { hset_generic(c, true); }

void hsetnx_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  const Entry* present = lookup_write(c, key, Type::kHash, wrong);
  if (wrong) return;
  if (present != nullptr && present->hash().contains(c.argv[2])) return c.reply.integer(0);
  find_or_create(c, key, Type::kHash)->hash().set(c.argv[2], c.argv[3]);
  c.reply.integer(1);
  changed(c, key, "hset");
  ++c.dirty;
}

void reply_field(Context& c, const Hash* hash, std::string_view field) {
  const auto value = hash == nullptr ? std::nullopt : hash->get(field);
  value ? c.reply.bulk(*value) : c.reply.null();
}

void hget_command(Context& c) {
  bool wrong = false;
  const Hash* hash = hash_for_reading(c, wrong);
  if (!wrong) reply_field(c, hash, c.argv[2]);
}

void hmget_command(Context& c) {
  bool wrong = false;
  const Hash* hash = hash_for_reading(c, wrong);
  if (wrong) return;
  c.reply.array(c.argv.size() - 2);
  for (const std::string_view field : c.argv.subspan(2)) reply_field(c, hash, field);
}

void hgetall_command(Context& c) {
  bool wrong = false;
  const Hash* hash = hash_for_reading(c, wrong);
  if (wrong) return;
  c.reply.map(hash == nullptr ? 0 : hash->size());
  if (hash == nullptr) return;
  hash->for_each([&](std::string_view field, std::string_view value) {
    c.reply.bulk(field);
    c.reply.bulk(value);
    return true;
  });
}

void hash_column(Context& c, bool values) {
  bool wrong = false;
  const Hash* hash = hash_for_reading(c, wrong);
  if (wrong) return;
  c.reply.array(hash == nullptr ? 0 : hash->size());
  if (hash == nullptr) return;
  hash->for_each([&](std::string_view field, std::string_view value) {
    c.reply.bulk(values ? value : field);
    return true;
  });
}
void hkeys_command(Context& c) { hash_column(c, false); }
void hvals_command(Context& c) { hash_column(c, true); }

void hdel_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  if (lookup_write(c, key, Type::kHash, wrong) == nullptr) {
    if (!wrong) c.reply.integer(0);
    return;
  }
  Hash& hash = c.db().find_for_write(key)->hash();
  int64_t removed = 0;
  for (const std::string_view field : c.argv.subspan(2)) removed += hash.erase(field) ? 1 : 0;
  if (removed > 0) {
    changed(c, key, "hdel");
    erase_if_empty(c, key);
    c.dirty += static_cast<uint64_t>(removed);
  }
  c.reply.integer(removed);
}

void hlen_command(Context& c) {
  bool wrong = false;
  const Hash* hash = hash_for_reading(c, wrong);
  if (!wrong) c.reply.integer(hash == nullptr ? 0 : static_cast<int64_t>(hash->size()));
}

void hexists_command(Context& c) {
  bool wrong = false;
  const Hash* hash = hash_for_reading(c, wrong);
  if (!wrong) c.reply.integer(hash != nullptr && hash->contains(c.argv[2]) ? 1 : 0);
}

void hstrlen_command(Context& c) {
  bool wrong = false;
  const Hash* hash = hash_for_reading(c, wrong);
  if (wrong) return;
  const auto value = hash == nullptr ? std::nullopt : hash->get(c.argv[2]);
  c.reply.integer(value ? static_cast<int64_t>(value->size()) : 0);
}

void hincrby_command(Context& c) {
  const auto delta = parse_int64(c.argv[3]);
  if (!delta) return c.reply.error(command::kNotAnInteger);
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  const Entry* present = lookup_write(c, key, Type::kHash, wrong);
  if (wrong) return;
  int64_t value = 0;
  if (const auto old = present == nullptr ? std::nullopt : present->hash().get(c.argv[2])) {
    const auto number = parse_int64(*old);
    if (!number) return c.reply.error("ERR hash value is not an integer");
    value = *number;
  }
  if (__builtin_add_overflow(value, *delta, &value)) {
    return c.reply.error("ERR increment or decrement would overflow");
  }
  find_or_create(c, key, Type::kHash)->hash().set(c.argv[2], std::to_string(value));
  c.reply.integer(value);
  changed(c, key, "hincrby");
  ++c.dirty;
}

void hincrbyfloat_command(Context& c) {
  const auto delta = command::parse_long_double(c.argv[3]);
  if (!delta) return c.reply.error(command::kNotAFloat);
  if (std::isinf(*delta)) return c.reply.error("ERR value is NaN or Infinity");
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  const Entry* present = lookup_write(c, key, Type::kHash, wrong);
  if (wrong) return;
  long double value = 0;
  if (const auto old = present == nullptr ? std::nullopt : present->hash().get(c.argv[2])) {
    const auto number = command::parse_long_double(*old);
    if (!number) return c.reply.error("ERR hash value is not a float");
    value = *number;
  }
  value += *delta;
  if (std::isnan(value) || std::isinf(value)) {
    return c.reply.error("ERR increment would produce NaN or Infinity");
  }
  const std::string text = command::format_long_double(value);
  find_or_create(c, key, Type::kHash)->hash().set(c.argv[2], text);
  c.reply.bulk(text);
  changed(c, key, "hincrbyfloat");
  c.replace_effect({"HSET", c.argv[1], c.argv[2], text});
  ++c.dirty;
}

// HRANDFIELD.

struct Pair {
  std::string field;
  std::string value;
};

/// `count` distinct pairs of a hash that has more than that: by rejection if they are few, else by dropping the rest.
std::vector<Pair> distinct_pairs(Context& c, const Hash& hash, size_t count) {
  std::vector<Pair> pairs;
  if (count * 3 > hash.size()) {
    hash.for_each([&](std::string_view field, std::string_view value) {
      pairs.push_back({std::string(field), std::string(value)});
      return true;
    });
    for (size_t i = 0; i < count; ++i) std::swap(pairs[i], pairs[i + c.state.prng.below(pairs.size() - i)]);
    pairs.resize(count);
    return pairs;
  }
  std::set<std::string, std::less<>> seen;
  while (pairs.size() < count) {
    hash.random(c.state.prng, [&](std::string_view field, std::string_view value) {
      if (seen.emplace(field).second) pairs.push_back({std::string(field), std::string(value)});
    });
  }
  return pairs;
}

void reply_pairs(Context& c, const std::vector<Pair>& pairs, bool with_values) {
  const bool nested = with_values && c.reply.version() == 3;
  c.reply.array(pairs.size() * (with_values && !nested ? 2 : 1));
  for (const Pair& pair : pairs) {
    if (nested) c.reply.array(2);
    c.reply.bulk(pair.field);
    if (with_values) c.reply.bulk(pair.value);
  }
}

void hrandfield_command(Context& c) {
  bool wrong = false;
  if (c.argv.size() == 2) {
    const Hash* hash = hash_for_reading(c, wrong);
    if (wrong) return;
    if (hash == nullptr) return c.reply.null();
    return hash->random(c.state.prng, [&](std::string_view field, std::string_view) { c.reply.bulk(field); });
  }
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const auto count = parse_int64(c.argv[2]);
  if (!count) return c.reply.error(command::kNotAnInteger);
  const bool with_values = c.argv.size() == 4 && equal_ignoring_case(c.argv[3], "withvalues");
  if (c.argv.size() > 4 || (c.argv.size() == 4 && !with_values)) return c.reply.error(command::kSyntaxError);
  if (*count < -kMax / 2 || *count > kMax / 2) return c.reply.error("ERR value is out of range");
  const Hash* hash = hash_for_reading(c, wrong);
  if (wrong) return;
  if (hash == nullptr || *count == 0) return c.reply.array(0);
  std::vector<Pair> pairs;
  if (*count > 0) {
    return reply_pairs(c, distinct_pairs(c, *hash, std::min(static_cast<size_t>(*count), hash->size())), with_values);
  }
  const auto repeats = static_cast<size_t>(-*count);
  const bool nested = with_values && c.reply.version() == 3;
  c.reply.array(repeats * (with_values && !nested ? 2 : 1));
  for (size_t i = 0; i < repeats; ++i) {
    hash->random(c.state.prng, [&](std::string_view field, std::string_view value) {
      if (nested) c.reply.array(2);
      c.reply.bulk(field);
      if (with_values) c.reply.bulk(value);
    });
  }
}

void hscan_command(Context& c) {
  const auto options = read_scan_options(c, 2, false);
  if (!options) return;
  bool wrong = false;
  const Hash* hash = hash_for_reading(c, wrong);
  if (wrong) return;
  std::vector<Pair> pairs;
  uint64_t cursor = options->cursor;
  int64_t visits = options->count;
  while (hash != nullptr) {
    cursor = hash->scan(cursor, [&](std::string_view field, std::string_view value) {
      --visits;
      if (options->matches(field)) pairs.push_back({std::string(field), std::string(value)});
    });
    if (cursor == 0 || --visits <= 0) break;
  }
  c.reply.array(2);
  c.reply.bulk(std::to_string(hash == nullptr ? 0 : cursor));
  c.reply.array(pairs.size() * 2);
  for (const Pair& pair : pairs) {
    c.reply.bulk(pair.field);
    c.reply.bulk(pair.value);
  }
}

constexpr Binding kBindings[] = {
    {"hdel", hdel_command},
    {"hexists", hexists_command},
    {"hget", hget_command},
    {"hgetall", hgetall_command},
    {"hincrby", hincrby_command},
    {"hincrbyfloat", hincrbyfloat_command},
    {"hkeys", hkeys_command},
    {"hlen", hlen_command},
    {"hmget", hmget_command},
    {"hmset", hmset_command},
    {"hrandfield", hrandfield_command},
    {"hscan", hscan_command},
    {"hset", hset_command},
    {"hsetnx", hsetnx_command},
    {"hstrlen", hstrlen_command},
    {"hvals", hvals_command},
};

}  // namespace

std::span<const Binding> hash_bindings() { return kBindings; }

}  // namespace holdfast::family
