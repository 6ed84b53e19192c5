// OBJECT: how a value is held, how long it was not used, how often it was.
#include "family/access.h"
#include "family/bindings.h"
#include "family/help.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

using store::Entry;

/// COMPAT: OBJECT answers null for a missing key, where other commands have an error.
const Entry* object_entry(Context& c) {
  const Entry* entry = lookup_read(c, c.key(c.argv[2]), Touch::kNo);
  if (entry == nullptr) c.reply.null();
  return entry;
}

void object_encoding_command(Context& c) {
  if (const Entry* entry = object_entry(c)) c.reply.bulk(store::encoding_name(entry->encoding()));
}

void object_refcount_command(Context& c) {
  const Entry* entry = object_entry(c);
  if (entry == nullptr) return;
  // COMPAT: the original shares small integers, unless each needs an access time of its own.
  constexpr int64_t kShared = 10000;
  constexpr int64_t kSharedCount = 2147483647;
  const int64_t integer = entry->type() == store::Type::kString ? entry->integer().value_or(-1) : -1;
  const std::string_view policy = c.state.settings.maxmemory_policy;
  const bool own_times = c.state.settings.maxmemory > 0 && (policy.ends_with("lru") || policy.ends_with("lfu"));
  const bool shared = integer >= 0 && integer < kShared && !own_times;
  c.reply.integer(shared ? kSharedCount : 1);
}

void object_idletime_command(Context& c) {
  const Entry* entry = object_entry(c);
  if (entry == nullptr) return;
  if (tracks_frequency(c.state)) {
    return c.reply.error(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between "
        "policies at runtime LRU and LFU data will take some time to adjust.");
  }
  c.reply.integer(idle_seconds(c, *entry));
}

void object_freq_command(Context& c) {
  const Entry* entry = object_entry(c);
  if (entry == nullptr) return;
  if (!tracks_frequency(c.state)) {
    return c.reply.error(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
        "between policies at runtime LRU and LFU data will take some time to adjust.");
  }
  c.reply.integer(frequency(c, *entry));
}

void object_help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "ENCODING <key>",
      "    Return the kind of internal representation used in order to store the value",
      "    associated with a <key>.",
      "FREQ <key>",
      "    Return the access frequency index of the <key>. The returned integer is",
      "    proportional to the logarithm of the recent access frequency of the key.",
      "IDLETIME <key>",
      "    Return the idle time of the <key>, that is the approximated number of",
      "    seconds elapsed since the last access to the key.",
      "REFCOUNT <key>",
      "    Return the number of references of the value associated with the specified",
      "    <key>.",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"object|encoding", object_encoding_command}, {"object|freq", object_freq_command},
    {"object|help", object_help_command},         {"object|idletime", object_idletime_command},
    {"object|refcount", object_refcount_command},
};

}  // namespace

std::span<const Binding> object_bindings() { return kBindings; }

}  // namespace holdfast::family
