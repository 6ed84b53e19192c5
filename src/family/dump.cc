// DUMP and RESTORE: a value as bytes, and back.
#include "persist/dump.h"

#include <limits>
#include <optional>

#include "base/text.h"
#include "family/access.h"
#include "family/bindings.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::Key;
using store::kNoExpiry;

constexpr std::string_view kBadPayload = "ERR DUMP payload version or checksum are wrong";

void dump_command(Context& c) {
  const Entry* entry = lookup_read(c, c.key(c.argv[1]));
  entry == nullptr ? c.reply.null() : c.reply.bulk(persist::dump(*entry));
}

struct RestoreOptions {
  bool replace = false;
  bool absolute = false;
  std::optional<int64_t> idle_s;
  std::optional<int64_t> frequency;
};

std::string read_restore_options(Context& c, RestoreOptions& options) {
  command::Args args = c.args(4);
  while (args.more()) {
    if (args.take("replace")) {
      options.replace = true;
    } else if (args.take("absttl")) {
      options.absolute = true;
    } else if (args.left() >= 2 && !options.frequency && args.take("idletime")) {
      options.idle_s = args.integer();
      if (*options.idle_s < 0) args.fail("ERR Invalid IDLETIME value, must be >= 0");
    } else if (args.left() >= 2 && !options.idle_s && args.take("freq")) {
      options.frequency = args.integer();
      if (*options.frequency < 0 || *options.frequency > 255) {
        args.fail("ERR Invalid FREQ value, must be >= 0 and <= 255");
      }
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  return args.error();
}

/// RESTORE once everything was checked but the value itself; `at` is the time of expiry or kNoExpiry.
void restore_value(Context& c, const Key& key, const RestoreOptions& options, int64_t at) {
  // The value is built under a name of its own first: a bad one must not cost the key that is there.
  const std::string_view payload = c.argv[3];
  store::Keyspace scratch(c.state.data->context());
  if (!persist::restore(payload, scratch, key, at).has_value()) return c.reply.error("ERR Bad data format");
  const bool deleted = options.replace && lookup_write(c, key) != nullptr && c.db().erase(key);
  const bool may_expire = !c.state.loading && !c.state.replication.is_replica;
  if (at != kNoExpiry && at <= c.now_ms() && may_expire) {
    scratch.erase(key);
    if (deleted) {
      c.modified(key.bytes);
      c.notify(kNotifyGeneric, "del", key.bytes);
      c.replace_effect({"DEL", key.bytes});
      ++c.dirty;
    }
    return c.reply.ok();
  }
  scratch.move(key, c.db());
  const Entry* entry = c.db().find(key);
  if (options.frequency && tracks_frequency(c.state)) {
    entry->set_access(bits_of_frequency(c, static_cast<uint32_t>(*options.frequency)));
  } else if (options.idle_s && !tracks_frequency(c.state)) {
    entry->set_access(bits_of_idle(c, *options.idle_s));
  }
  if (at != kNoExpiry && !options.absolute) {
    std::vector<std::string> effect(c.argv.begin(), c.argv.end());
    effect[2] = std::to_string(at);
    effect.emplace_back("ABSTTL");
    c.replace_effect(std::move(effect));
  }
  c.modified(key.bytes);
  c.notify(kNotifyGeneric, "restore", key.bytes);
  ++c.dirty;
  c.reply.ok();
}

void restore_command(Context& c) {
  RestoreOptions options;
  const std::string error = read_restore_options(c, options);
  if (!error.empty()) return c.reply.error(error);
  const Key key = c.key(c.argv[1]);
  if (!options.replace && lookup_write(c, key) != nullptr) {
    return c.reply.error("BUSYKEY Target key name already exists.");
  }
  const auto ttl = parse_int64(c.argv[2]);
  if (!ttl) return c.reply.error(command::kNotAnInteger);
  if (*ttl < 0) return c.reply.error("ERR Invalid TTL value, must be >= 0");
  if (!persist::is_valid_dump(c.argv[3])) return c.reply.error(kBadPayload);
  int64_t at = kNoExpiry;
  if (*ttl > 0) {
    // COMPAT: the sum wraps in the original; here a time beyond the end of time is the end of time.
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    at = options.absolute ? *ttl : (*ttl > kMax - c.now_ms() ? kMax : *ttl + c.now_ms());
  }
  restore_value(c, key, options, at);
}

void migrate_command(Context& c) { c.services.migrate(c); }

constexpr Binding kBindings[] = {
    {"dump", dump_command},
    {"migrate", migrate_command},
    {"restore", restore_command},
    {"restore-asking", restore_command},
};

}  // namespace

std::span<const Binding> dump_bindings() { return kBindings; }

}  // namespace holdfast::family
