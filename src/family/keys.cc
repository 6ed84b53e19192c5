// Commands on keys whatever they hold: existence, expiry, names, iteration, whole databases.
#include <fmt/format.h>

#include <limits>

#include "base/text.h"
#include "family/bindings.h"
#include "family/expiry.h"
#include "family/lookup.h"
#include "family/scan.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::Key;
using store::kNoExpiry;

constexpr std::string_view kNoSuchKey = "ERR no such key";
constexpr std::string_view kBadDbIndex = "ERR DB index is out of range";

void delete_keys(Context& c, bool lazily) {
  const store::FreeingScope freeing(c.state.data->context(), lazily);
  int64_t removed = 0;
  for (const std::string_view name : c.argv.subspan(1)) removed += delete_key(c, c.key(name)) ? 1 : 0;
  c.dirty += static_cast<uint64_t>(removed);
  c.reply.integer(removed);
}
void del_command(Context& c) { delete_keys(c, c.state.settings.lazyfree_lazy_user_del); }
void unlink_command(Context& c) { delete_keys(c, true); }

int64_t count_present(Context& c, Touch touch) {
  int64_t found = 0;
  for (const std::string_view name : c.argv.subspan(1)) found += lookup_read(c, c.key(name), touch) != nullptr ? 1 : 0;
  return found;
}

void exists_command(Context& c) { c.reply.integer(count_present(c, Touch::kNo)); }
void touch_command(Context& c) { c.reply.integer(count_present(c, Touch::kYes)); }

void type_command(Context& c) {
  const Entry* entry = lookup_read(c, c.key(c.argv[1]), Touch::kNo);
  c.reply.simple(entry == nullptr ? "none" : store::type_name(entry->type()));
}

// Expiry.

struct ExpireConditions {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
};

bool read_conditions(Context& c, ExpireConditions& conditions) {
  for (const std::string_view word : c.argv.subspan(3)) {
    if (equal_ignoring_case(word, "nx")) {
      conditions.nx = true;
    } else if (equal_ignoring_case(word, "xx")) {
      conditions.xx = true;
    } else if (equal_ignoring_case(word, "gt")) {
      conditions.gt = true;
    } else if (equal_ignoring_case(word, "lt")) {
      conditions.lt = true;
    } else {
      c.reply.error(fmt::format("ERR Unsupported option {}", word));
      return false;
    }
  }
  if (conditions.nx && (conditions.xx || conditions.gt || conditions.lt)) {
    c.reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (conditions.gt && conditions.lt) {
    c.reply.error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

/// No expiry counts as infinitely late.
bool allowed(const ExpireConditions& conditions, int64_t current, int64_t wanted) {
  if (conditions.nx && current != kNoExpiry) return false;
  if (conditions.xx && current == kNoExpiry) return false;
  if (conditions.gt && (current == kNoExpiry || wanted <= current)) return false;
  if (conditions.lt && current != kNoExpiry && wanted >= current) return false;
  return true;
}

void expire_generic(Context& c, ExpiryUnit unit, ExpiryBase base) {
  ExpireConditions conditions;
  if (!read_conditions(c, conditions)) return;
  const auto at = read_expiry(c, c.argv[2], unit, base, true);
  if (!at) return;
  const Key key = c.key(c.argv[1]);
  const Entry* entry = lookup_write(c, key);
  if (entry == nullptr || !allowed(conditions, entry->expires_at_ms(), *at)) return c.reply.integer(0);
  ++c.dirty;
  const bool past = *at <= c.now_ms() && !c.state.loading && !c.state.replication.is_replica;
  if (past) {
    delete_key(c, key);
    c.replace_effect({"DEL", c.argv[1]});
  } else {
    c.db().set_expiry(key, std::max<int64_t>(*at, 0));
    c.modified(key.bytes);
    c.notify(kNotifyGeneric, "expire", key.bytes);
    c.replace_effect({"PEXPIREAT", c.argv[1], std::to_string(*at)});
  }
  c.reply.integer(1);
}
void expire_command(Context& c) { expire_generic(c, ExpiryUnit::kSeconds, ExpiryBase::kRelative); }
void pexpire_command(Context& c) { expire_generic(c, ExpiryUnit::kMilliseconds, ExpiryBase::kRelative); }
void expireat_command(Context& c) { expire_generic(c, ExpiryUnit::kSeconds, ExpiryBase::kAbsolute); }
void pexpireat_command(Context& c) { expire_generic(c, ExpiryUnit::kMilliseconds, ExpiryBase::kAbsolute); }

/// -2: no key, -1: no expiry, else what is left of it or its time.
void ttl_generic(Context& c, ExpiryUnit unit, ExpiryBase base) {
  const Entry* entry = lookup_read(c, c.key(c.argv[1]), Touch::kNo);
  if (entry == nullptr) return c.reply.integer(-2);
  if (!entry->has_expiry()) return c.reply.integer(-1);
  int64_t ms = entry->expires_at_ms();
  if (base == ExpiryBase::kRelative) ms = std::max<int64_t>(ms - c.now_ms(), 0);
  c.reply.integer(unit == ExpiryUnit::kSeconds ? (ms + 500) / 1000 : ms);
}
void ttl_command(Context& c) { ttl_generic(c, ExpiryUnit::kSeconds, ExpiryBase::kRelative); }
void pttl_command(Context& c) { ttl_generic(c, ExpiryUnit::kMilliseconds, ExpiryBase::kRelative); }
void expiretime_command(Context& c) { ttl_generic(c, ExpiryUnit::kSeconds, ExpiryBase::kAbsolute); }
void pexpiretime_command(Context& c) { ttl_generic(c, ExpiryUnit::kMilliseconds, ExpiryBase::kAbsolute); }

void persist_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  const Entry* entry = lookup_write(c, key);
  if (entry == nullptr || !entry->has_expiry()) return c.reply.integer(0);
  c.db().set_expiry(key, kNoExpiry);
  c.modified(key.bytes);
  c.notify(kNotifyGeneric, "persist", key.bytes);
  ++c.dirty;
  c.reply.integer(1);
}

// Iteration.

void keys_command(Context& c) {
  if (c.reply.muted() || c.services.list_keys(c)) return;
  const std::string_view pattern = c.argv[1];
  std::vector<std::string_view> names;
  c.db().for_each([&](const Entry& entry) {
    if (!entry.is_expired(c.now_ms()) && (pattern == "*" || glob_match(pattern, entry.key()))) {
      names.push_back(entry.key());
    }
    return true;
  });
  c.reply.array(names.size());
  for (const std::string_view name : names) c.reply.bulk(name);
}

void scan_command(Context& c) {
  const auto options = read_scan_options(c, 1, true);
  if (!options) return;
  std::vector<std::string> names;
  std::vector<std::string> expired;
  uint64_t cursor = options->cursor;
  int64_t visits = options->count <= std::numeric_limits<int64_t>::max() / 10 ? options->count * 10 : options->count;
  do {
    cursor = c.db().scan(cursor, [&](const Entry& entry) {
      if (!options->matches(entry.key())) return;
      if (entry.is_expired(c.now_ms())) {
        expired.emplace_back(entry.key());
        return;
      }
      if (!options->type.empty() && !equal_ignoring_case(options->type, store::type_name(entry.type()))) return;
      names.emplace_back(entry.key());
    });
  } while (cursor != 0 && --visits > 0 && static_cast<int64_t>(names.size()) < options->count);
  if (!c.state.replication.is_replica) {
    for (const std::string& name : expired) expire_key(c.state, c.services, c.session.db, c.key(name));
  }
  c.reply.array(2);
  c.reply.bulk(std::to_string(cursor));
  c.reply.array(names.size());
  for (const std::string& name : names) c.reply.bulk(name);
}

void randomkey_command(Context& c) {
  constexpr int kTries = 100;  // COMPAT: on a replica full of expired keys one of them is answered in the end
  for (int i = 0; c.db().size() > 0; ++i) {
    const Entry* entry = c.db().random(c.state.prng);
    if (entry->is_expired(c.now_ms())) {
      if (c.state.replication.is_replica) {
        if (i < kTries) continue;
      } else {
        const std::string name(entry->key());
        expire_key(c.state, c.services, c.session.db, c.key(name));
        continue;
      }
    }
    return c.reply.bulk(entry->key());
  }
  c.reply.null();
}

void dbsize_command(Context& c) { c.reply.integer(static_cast<int64_t>(c.db().size())); }

// Names.

void rename_generic(Context& c, bool only_new) {
  const Key from = c.key(c.argv[1]);
  const Key to = c.key(c.argv[2]);
  if (lookup_write(c, from) == nullptr) return c.reply.error(kNoSuchKey);
  if (from.bytes == to.bytes) return only_new ? c.reply.integer(0) : c.reply.ok();
  if (lookup_write(c, to) != nullptr && only_new) return c.reply.integer(0);
  c.db().rename(from, to);
  c.modified(from.bytes);
  c.modified(to.bytes);
  c.notify(kNotifyGeneric, "rename_from", from.bytes);
  c.notify(kNotifyGeneric, "rename_to", to.bytes);
  ++c.dirty;
  only_new ? c.reply.integer(1) : c.reply.ok();
}
void rename_command(Context& c) { rename_generic(c, false); }
void renamenx_command(Context& c) { rename_generic(c, true); }

/// A database number; nullopt: not one, or out of range, and the error is written. `error` replaces the usual texts.
std::optional<int> read_int(Context& c, std::string_view text, std::string_view error) {
  const auto number = parse_int64(text);
  if (number && *number >= std::numeric_limits<int>::min() && *number <= std::numeric_limits<int>::max()) {
    return static_cast<int>(*number);
  }
  if (!error.empty()) {
    c.reply.error(error);
  } else {
    c.reply.error(number ? "ERR value is out of range, value must between -2147483648 and 2147483647"
                         : command::kNotAnInteger);
  }
  return std::nullopt;
}

bool is_db(Context& c, int number) {
  const bool known = number >= 0 && number < c.state.settings.databases;
  if (!known) c.reply.error(kBadDbIndex);
  return known;
}

std::optional<int> read_db(Context& c, std::string_view text) {
  const auto number = read_int(c, text, {});
  return number && is_db(c, *number) ? number : std::nullopt;
}

/// Runs `work` with the session switched to another database.
template <typename Work>
auto in_db(Context& c, int db, Work work) {
  const int before = std::exchange(c.session.db, db);
  const auto result = work();
  c.session.db = before;
  return result;
}

void copy_command(Context& c) {
  int target = c.session.db;
  bool replace = false;
  command::Args args = c.args(3);
  while (args.more()) {
    if (args.take("replace")) {
      replace = true;
    } else if (args.left() >= 2 && args.take("db")) {
      const auto db = read_db(c, args.next());
      if (!db) return;
      target = *db;
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (args.failed()) return c.reply.error(args.error());
  if (target == c.session.db && c.argv[1] == c.argv[2]) {
    return c.reply.error("ERR source and destination objects are the same");
  }
  const Key from = c.key(c.argv[1]);
  const Key to = c.key(c.argv[2]);
  if (lookup_read(c, from) == nullptr) return c.reply.integer(0);
  const bool taken = in_db(c, target, [&] { return lookup_write(c, to) != nullptr; });
  if (taken && !replace) return c.reply.integer(0);
  store::Keyspace& source = c.db();
  in_db(c, target, [&] {
    source.copy(from, c.db(), to);
    c.modified(to.bytes);
    c.notify(kNotifyGeneric, "copy_to", to.bytes);
    return true;
  });
  ++c.dirty;
  c.reply.integer(1);
}

void move_command(Context& c) {
  const auto db = read_db(c, c.argv[2]);
  if (!db) return;
  if (*db == c.session.db) return c.reply.error("ERR source and destination objects are the same");
  const Key key = c.key(c.argv[1]);
  if (lookup_write(c, key) == nullptr) return c.reply.integer(0);
  const bool taken = in_db(c, *db, [&] { return lookup_write(c, key) != nullptr; });
  if (taken || !c.db().move(key, c.state.data->db(static_cast<size_t>(*db)))) return c.reply.integer(0);
  c.modified(key.bytes);
  c.notify(kNotifyGeneric, "move_from", key.bytes);
  in_db(c, *db, [&] {
    c.modified(key.bytes);
    c.notify(kNotifyGeneric, "move_to", key.bytes);
    return true;
  });
  ++c.dirty;
  c.reply.integer(1);
}

// Whole databases.

/// Either way memory comes back in steps; ASYNC says that it counts as lazily freed.
bool read_flush_mode(Context& c, bool& lazily) {
  const std::string_view mode = c.argv.size() > 1 ? c.argv[1] : "";
  lazily = c.argv.size() == 1 ? c.state.settings.lazyfree_lazy_user_flush : equal_ignoring_case(mode, "async");
  const bool known = c.argv.size() == 1 || (c.argv.size() == 2 && (lazily || equal_ignoring_case(mode, "sync")));
  if (!known) c.reply.error(command::kSyntaxError);
  return known;
}

/// Every watched key of `db` counts as changed if it existed.
void touch_all(Context& c, int db) {
  for (const auto& [watched, _] : c.state.watchers) {
    if (watched.first == db && c.state.data->db(static_cast<size_t>(db)).contains(c.key(watched.second))) {
      touch_watchers(c.state, c.services, db, watched.second);
    }
  }
}

void flushdb_command(Context& c) {
  bool lazily = false;
  if (!read_flush_mode(c, lazily)) return;
  touch_all(c, c.session.db);
  c.dirty += c.db().size();
  c.replace_effect({c.argv.begin(), c.argv.end()});  // told to others even if nothing was there
  tell_all_changed(c.state, c.services);
  c.state.data->clear(static_cast<size_t>(c.session.db), lazily);
  if (c.state.awaited_keys > 0) c.services.databases_changed();
  c.reply.ok();
}

void flushall_command(Context& c) {
  bool lazily = false;
  if (!read_flush_mode(c, lazily)) return;
  for (size_t db = 0; db < c.state.data->databases(); ++db) touch_all(c, static_cast<int>(db));
  c.dirty += c.state.data->size();
  c.replace_effect({c.argv.begin(), c.argv.end()});
  tell_all_changed(c.state, c.services);
  c.state.data->clear_all(lazily);
  if (c.state.awaited_keys > 0) c.services.databases_changed();
  if (c.services.save_flushed(c)) c.dirty = 0;
  if (!c.session.blocked) c.reply.ok();
}

void swapdb_command(Context& c) {
  const auto first = read_int(c, c.argv[1], "ERR invalid first DB index");
  if (!first) return;
  const auto second = read_int(c, c.argv[2], "ERR invalid second DB index");
  if (!second || !is_db(c, *first) || !is_db(c, *second)) return;
  if (*first != *second) {
    touch_all(c, *first);
    touch_all(c, *second);
    c.state.data->swap(static_cast<size_t>(*first), static_cast<size_t>(*second));
    touch_all(c, *first);
    touch_all(c, *second);
    c.services.databases_changed();
  }
  ++c.dirty;
  c.reply.ok();
}

constexpr Binding kBindings[] = {
    {"copy", copy_command},
    {"dbsize", dbsize_command},
    {"del", del_command},
    {"exists", exists_command},
    {"expire", expire_command},
    {"expireat", expireat_command},
    {"expiretime", expiretime_command},
    {"flushall", flushall_command},
    {"flushdb", flushdb_command},
    {"keys", keys_command},
    {"move", move_command},
    {"persist", persist_command},
    {"pexpire", pexpire_command},
    {"pexpireat", pexpireat_command},
    {"pexpiretime", pexpiretime_command},
    {"pttl", pttl_command},
    {"randomkey", randomkey_command},
    {"rename", rename_command},
    {"renamenx", renamenx_command},
    {"scan", scan_command},
    {"swapdb", swapdb_command},
    {"touch", touch_command},
    {"ttl", ttl_command},
    {"type", type_command},
    {"unlink", unlink_command},
};

}  // namespace

std::span<const Binding> keys_bindings() { return kBindings; }

}  // namespace holdfast::family
