// Commands on strings.
#include <fmt/format.h>
#include <cmath>

#include <limits>

#include "base/text.h"
#include "family/bindings.h"
#include "family/expiry.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::Key;
using store::kNoExpiry;
using store::NumberBuffer;
using store::Type;

constexpr std::string_view kTooLong = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

void reply_string(Context& c, const Entry& entry) {
  NumberBuffer buffer;
  c.reply.bulk(entry.string(buffer));
}

// SET and its relatives.

struct SetOptions {
  bool only_new = false;
  bool only_existing = false;
  bool get = false;
  bool keep_expiry = false;
  bool says_when = false;  // PXAT: the command itself is the effect
  int64_t expires_at_ms = kNoExpiry;
};

/// The shared end of SET, SETNX, SETEX, PSETEX: conditions, the write, events.
void store_string(Context& c, std::string_view name, std::string_view value, const SetOptions& options, bool plain_ok) {
  const Key key = c.key(name);
  const Entry* old = nullptr;
  if (options.get || options.only_new || options.only_existing) {
    bool wrong = false;
    old = options.get ? lookup_read(c, key, Type::kString, wrong) : lookup_write(c, key);
    if (wrong) return;
  }
  const bool refused = (options.only_new && old != nullptr) || (options.only_existing && old == nullptr);
  if (options.get) {
    if (old == nullptr) {
      c.reply.null();
    } else {
      reply_string(c, *old);
    }
  }
  if (refused) {
    if (!options.get) plain_ok ? c.reply.null() : c.reply.integer(0);
    return;
  }
  const bool is_new = (c.state.settings.notify_keyspace_events & kNotifyNew) != 0 && !c.db().contains(key);
  if (options.keep_expiry) {
    lookup_write(c, key);  // an expired key's expiry is not kept
    c.db().set_string_keep_expiry(key, value);
  } else {
    c.db().set_string(key, value, options.expires_at_ms);
  }
  c.modified(name);
  ++c.dirty;
  if (is_new) c.notify(kNotifyNew, "new", name);
  c.notify(kNotifyString, "set", name);
  if (options.expires_at_ms != kNoExpiry) {
    c.notify(kNotifyGeneric, "expire", name);
    if (!options.says_when) c.replace_effect({"SET", name, value, "PXAT", std::to_string(options.expires_at_ms)});
  }
  if (!options.get) plain_ok ? c.reply.ok() : c.reply.integer(1);
}

struct ExpiryOption {
  std::string_view word;
  ExpiryUnit unit;
  ExpiryBase base;
};
constexpr ExpiryOption kExpiryOptions[] = {
    {"ex", ExpiryUnit::kSeconds, ExpiryBase::kRelative},
    {"px", ExpiryUnit::kMilliseconds, ExpiryBase::kRelative},
    {"exat", ExpiryUnit::kSeconds, ExpiryBase::kAbsolute},
    {"pxat", ExpiryUnit::kMilliseconds, ExpiryBase::kAbsolute},
};

const ExpiryOption* find_expiry_option(std::string_view word) {
  for (const ExpiryOption& option : kExpiryOptions) {
    if (equal_ignoring_case(option.word, word)) return &option;
  }
  return nullptr;
}

void set_command(Context& c) {
  SetOptions options;
  const ExpiryOption* expiry = nullptr;
  std::string_view expiry_text;
  command::Args args = c.args(3);
  while (args.more()) {
    if (!options.only_existing && args.take("nx")) {
      options.only_new = true;
    } else if (!options.only_new && args.take("xx")) {
      options.only_existing = true;
    } else if (args.take("get")) {
      options.get = true;
    } else if (expiry == nullptr && args.take("keepttl")) {
      options.keep_expiry = true;
    } else if (const ExpiryOption* found = args.left() > 1 ? find_expiry_option(args.peek()) : nullptr;
               found != nullptr && expiry == nullptr && !options.keep_expiry) {
      expiry = found;
      args.next();
      expiry_text = args.next();
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (args.failed()) return c.reply.error(args.error());
  if (expiry != nullptr) {
    const auto at = read_expiry(c, expiry_text, expiry->unit, expiry->base, false);
    if (!at) return;
    options.expires_at_ms = *at;
    options.says_when = expiry->unit == ExpiryUnit::kMilliseconds && expiry->base == ExpiryBase::kAbsolute;
  }
  store_string(c, c.argv[1], c.argv[2], options, true);
}

void setnx_command(Context& c) { store_string(c, c.argv[1], c.argv[2], {.only_new = true}, false); }

void set_with_expiry(Context& c, ExpiryUnit unit) {
  const auto at = read_expiry(c, c.argv[2], unit, ExpiryBase::kRelative, false);
  if (at) store_string(c, c.argv[1], c.argv[3], {.expires_at_ms = *at}, true);
}
void setex_command(Context& c) { set_with_expiry(c, ExpiryUnit::kSeconds); }
void psetex_command(Context& c) { set_with_expiry(c, ExpiryUnit::kMilliseconds); }

// Reading.

/// Replies with the string or null; false if there is none to go on with.
bool get_generic(Context& c, const Key& key) {
  bool wrong = false;
  const Entry* entry = lookup_read(c, key, Type::kString, wrong);
  if (wrong) return false;
  if (entry == nullptr) {
    c.reply.null();
    return false;
  }
  reply_string(c, *entry);
  return true;
}

void get_command(Context& c) { get_generic(c, c.key(c.argv[1])); }

void getset_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  const Entry* entry = lookup_read(c, key, Type::kString, wrong);
  if (wrong) return;
  if (entry == nullptr) {
    c.reply.null();
  } else {
    reply_string(c, *entry);
  }
  c.db().set_string(key, c.argv[2]);
  c.modified(key.bytes);
  c.notify(kNotifyString, "set", key.bytes);
  ++c.dirty;
  c.replace_effect({"SET", c.argv[1], c.argv[2]});
}

void getdel_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  if (!get_generic(c, key)) return;
  delete_key(c, key);
  ++c.dirty;
  c.replace_effect({"DEL", c.argv[1]});
}

void getex_command(Context& c) {
  command::Args args = c.args(2);
  const ExpiryOption* expiry = nullptr;
  std::string_view expiry_text;
  bool persist = false;
  while (args.more()) {
    const ExpiryOption* found = args.left() > 1 ? find_expiry_option(args.peek()) : nullptr;
    if (expiry == nullptr && args.take("persist")) {
      persist = true;
    } else if (found != nullptr && expiry == nullptr && !persist) {
      expiry = found;
      args.next();
      expiry_text = args.next();
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  const Entry* entry = args.failed() ? nullptr : lookup_read(c, key, Type::kString, wrong);
  if (wrong) return;
  if (args.failed()) return c.reply.error(args.error());
  if (entry == nullptr) return c.reply.null();
  std::optional<int64_t> at;
  if (expiry != nullptr) {
    at = read_expiry(c, expiry_text, expiry->unit, expiry->base, false);
    if (!at) return;
  }
  reply_string(c, *entry);
  if (at && expiry->base == ExpiryBase::kAbsolute && *at <= c.now_ms()) {
    delete_key(c, key);
    c.replace_effect({"DEL", c.argv[1]});
    ++c.dirty;
  } else if (at) {
    c.db().set_expiry(key, *at);
    c.modified(key.bytes);
    c.notify(kNotifyGeneric, "expire", key.bytes);
    c.replace_effect({"PEXPIREAT", c.argv[1], std::to_string(*at)});
    ++c.dirty;
  } else if (persist && entry->has_expiry()) {
    c.db().set_expiry(key, kNoExpiry);
    c.modified(key.bytes);
    c.notify(kNotifyGeneric, "persist", key.bytes);
    c.replace_effect({"PERSIST", c.argv[1]});
    ++c.dirty;
  }
}

void mget_command(Context& c) {
  c.reply.array(c.argv.size() - 1);
  for (const std::string_view name : c.argv.subspan(1)) {
    const Entry* entry = lookup_read(c, c.key(name));
    if (entry == nullptr || entry->type() != Type::kString) {
      c.reply.null();
    } else {
      reply_string(c, *entry);
    }
  }
}

void mset_generic(Context& c, bool only_new) {
  if (c.argv.size() % 2 == 0) {
    return c.reply.error(fmt::format("ERR wrong number of arguments for '{}' command", c.spec.name));
  }
  if (only_new) {
    for (size_t i = 1; i < c.argv.size(); i += 2) {
      if (lookup_write(c, c.key(c.argv[i])) != nullptr) return c.reply.integer(0);
    }
  }
  for (size_t i = 1; i < c.argv.size(); i += 2) {
    c.db().set_string(c.key(c.argv[i]), c.argv[i + 1]);
    c.modified(c.argv[i]);
    c.notify(kNotifyString, "set", c.argv[i]);
  }
  c.dirty += (c.argv.size() - 1) / 2;
  only_new ? c.reply.integer(1) : c.reply.ok();
}
void mset_command(Context& c) { mset_generic(c, false); }
void msetnx_command(Context& c) { mset_generic(c, true); }

// Arithmetic.

void add_integer(Context& c, int64_t delta) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  const Entry* entry = lookup_write(c, key, Type::kString, wrong);
  if (wrong) return;
  int64_t value = 0;
  if (entry != nullptr) {
    const auto old = entry->to_integer();
    if (!old) return c.reply.error(command::kNotAnInteger);
    value = *old;
  }
  if (__builtin_add_overflow(value, delta, &value)) {
    return c.reply.error("ERR increment or decrement would overflow");
  }
  c.db().set_integer_keep_expiry(key, value);
  c.modified(key.bytes);
  c.notify(kNotifyString, "incrby", key.bytes);
  ++c.dirty;
  c.reply.integer(value);
}

void incr_command(Context& c) { add_integer(c, 1); }
void decr_command(Context& c) { add_integer(c, -1); }

void incrby_command(Context& c) {
  const auto delta = parse_int64(c.argv[2]);
  if (!delta) return c.reply.error(command::kNotAnInteger);
  add_integer(c, *delta);
}

void decrby_command(Context& c) {
  const auto delta = parse_int64(c.argv[2]);
  if (!delta) return c.reply.error(command::kNotAnInteger);
  if (*delta == std::numeric_limits<int64_t>::min()) return c.reply.error("ERR decrement would overflow");
  add_integer(c, -*delta);
}

void incrbyfloat_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  const Entry* entry = lookup_write(c, key, Type::kString, wrong);
  if (wrong) return;
  long double value = 0;
  if (entry != nullptr) {
    NumberBuffer buffer;
    const auto old = command::parse_long_double(entry->string(buffer));
    if (!old) return c.reply.error(command::kNotAFloat);
    value = *old;
  }
  const auto delta = command::parse_long_double(c.argv[2]);
  if (!delta) return c.reply.error(command::kNotAFloat);
  value += *delta;
  if (std::isnan(value) || std::isinf(value)) {
    return c.reply.error("ERR increment would produce NaN or Infinity");
  }
  const std::string text = command::format_long_double(value);
  c.db().set_text_keep_expiry(key, text);
  c.modified(key.bytes);
  c.notify(kNotifyString, "incrbyfloat", key.bytes);
  ++c.dirty;
  c.replace_effect({"SET", c.argv[1], text, "KEEPTTL"});
  c.reply.bulk(text);
}

// Parts of strings.

void append_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  const Entry* entry = lookup_write(c, key, Type::kString, wrong);
  if (wrong) return;
  const std::string_view tail = c.argv[2];
  size_t total = tail.size();
  if (entry == nullptr) {
    c.db().set_string(key, tail);
  } else {
    const size_t old = entry->string_size();
    total += old;
    if (total > static_cast<size_t>(c.state.settings.proto_max_bulk_len)) return c.reply.error(kTooLong);
    if (total > 0) {  // COMPAT: an empty tail, too, turns the value raw
      const std::span<char> bytes = c.db().edit_string(key, total);
      tail.copy(bytes.data() + old, tail.size());
    }
  }
  c.modified(key.bytes);
  c.notify(kNotifyString, "append", key.bytes);
  ++c.dirty;
  c.reply.integer(static_cast<int64_t>(total));
}

void strlen_command(Context& c) {
  bool wrong = false;
  const Entry* entry = lookup_read(c, c.key(c.argv[1]), Type::kString, wrong);
  if (!wrong) c.reply.integer(entry == nullptr ? 0 : static_cast<int64_t>(entry->string_size()));
}

void getrange_command(Context& c) {
  const auto first = parse_int64(c.argv[2]);
  const auto last = parse_int64(c.argv[3]);
  if (!first || !last) return c.reply.error(command::kNotAnInteger);
  bool wrong = false;
  const Entry* entry = lookup_read(c, c.key(c.argv[1]), Type::kString, wrong);
  if (wrong) return;
  if (entry == nullptr) return c.reply.bulk("");
  NumberBuffer buffer;
  const std::string_view text = entry->string(buffer);
  const auto size = static_cast<int64_t>(text.size());
  int64_t begin = *first;
  int64_t end = *last;
  if (begin < 0 && end < 0 && begin > end) return c.reply.bulk("");
  if (begin < 0) begin = std::max<int64_t>(begin + size, 0);
  if (end < 0) end = std::max<int64_t>(end + size, 0);
  end = std::min(end, size - 1);
  if (begin > end || size == 0) return c.reply.bulk("");
  c.reply.bulk(text.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin + 1)));
}

void setrange_command(Context& c) {
  const auto offset = parse_int64(c.argv[2]);
  if (!offset) return c.reply.error(command::kNotAnInteger);
  if (*offset < 0) return c.reply.error("ERR offset is out of range");
  const std::string_view value = c.argv[3];
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  const Entry* entry = lookup_write(c, key, Type::kString, wrong);
  if (wrong) return;
  const size_t old = entry == nullptr ? 0 : entry->string_size();
  if (value.empty()) return c.reply.integer(static_cast<int64_t>(old));
  const auto limit = static_cast<uint64_t>(c.state.settings.proto_max_bulk_len);
  if (static_cast<uint64_t>(*offset) > limit || static_cast<uint64_t>(*offset) + value.size() > limit) {
    return c.reply.error(kTooLong);
  }
  const auto begin = static_cast<size_t>(*offset);
  const size_t total = std::max(old, begin + value.size());
  const std::span<char> bytes = c.db().edit_string(key, total);
  value.copy(bytes.data() + begin, value.size());
  c.modified(key.bytes);
  c.notify(kNotifyString, "setrange", key.bytes);
  ++c.dirty;
  c.reply.integer(static_cast<int64_t>(total));
}

constexpr Binding kBindings[] = {
    {"append", append_command},
    {"decr", decr_command},
    {"decrby", decrby_command},
    {"get", get_command},
    {"getdel", getdel_command},
    {"getex", getex_command},
    {"getrange", getrange_command},
    {"getset", getset_command},
    {"incr", incr_command},
    {"incrby", incrby_command},
    {"incrbyfloat", incrbyfloat_command},
    {"mget", mget_command},
    {"mset", mset_command},
    {"msetnx", msetnx_command},
    {"psetex", psetex_command},
    {"set", set_command},
    {"setex", setex_command},
    {"setnx", setnx_command},
    {"setrange", setrange_command},
    {"strlen", strlen_command},
    {"substr", getrange_command},
};

}  // namespace

std::span<const Binding> string_bindings() { return kBindings; }

}  // namespace holdfast::family
