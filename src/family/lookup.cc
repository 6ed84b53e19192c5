#include "family/lookup.h"

#include <fmt/format.h>

#include "family/access.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::Key;

/// Whether the expired `entry` counts as absent; deletes it where that is our right: on a primary, and for a write on a
/// replica that takes writes.
bool gone(Context& context, const Key& key, const Entry& entry, bool for_write) {
  if (!entry.is_expired(context.now_ms()) || context.session.role == Role::kPrimary) return false;
  if (!context.state.replication.is_replica || (for_write && !context.state.settings.replica_read_only)) {
    expire_key(context.state, context.services, context.session.db, key);
  }
  return true;
}

bool wrong_type(Context& context, const Entry* entry, store::Type type, bool& wrong) {
  wrong = entry != nullptr && entry->type() != type;
  if (wrong) context.reply.error(command::kWrongType);
  return wrong;
}

}  // namespace

const Entry* lookup_read(Context& context, const Key& key, Touch touch) {
  const Entry* entry = context.db().find(key);
  if (entry == nullptr || gone(context, key, *entry, false)) {
    ++context.state.stats.keyspace_misses;
    if ((context.state.settings.notify_keyspace_events & kNotifyKeyMiss) != 0) {
      context.notify(kNotifyKeyMiss, "keymiss", key.bytes);
    }
    return nullptr;
  }
  ++context.state.stats.keyspace_hits;
  if (touch == Touch::kYes) note_access(context, *entry);
  return entry;
}

const Entry* lookup_write(Context& context, const Key& key) {
  const Entry* entry = context.db().find(key);
  if (entry == nullptr || gone(context, key, *entry, true)) return nullptr;
  note_access(context, *entry);
  return entry;
}

const Entry* lookup_read(Context& context, const Key& key, store::Type type, bool& wrong) {
  const Entry* entry = lookup_read(context, key);
  return wrong_type(context, entry, type, wrong) ? nullptr : entry;
}

const Entry* lookup_write(Context& context, const Key& key, store::Type type, bool& wrong) {
  const Entry* entry = lookup_write(context, key);
  return wrong_type(context, entry, type, wrong) ? nullptr : entry;
}

Entry* find_or_create(Context& context, const Key& key, store::Type type) {
  bool wrong = false;
  const Entry* entry = lookup_write(context, key, type, wrong);
  if (wrong) return nullptr;
  if (entry != nullptr) return context.db().find_for_write(key);
  Entry& created = context.db().create(key, type);
  context.notify(kNotifyNew, "new", key.bytes);
  return &created;
}

bool delete_key(Context& context, const Key& key) {
  if (lookup_write(context, key) == nullptr) return false;
  context.db().erase(key);
  context.modified(key.bytes);
  context.notify(kNotifyGeneric, "del", key.bytes);
  return true;
}

void expire_key(State& state, Services& services, int db, const Key& key) {
  const std::string name(key.bytes);
  const bool lazily = state.settings.lazyfree_lazy_expire;
  {
    const store::FreeingScope freeing(state.data->context(), lazily);
    state.data->db(static_cast<size_t>(db)).erase(key);
  }
  ++state.stats.expired_keys;
  services.propagate(db, {lazily ? "UNLINK" : "DEL", name});
  notify_event(state, services, db, kNotifyExpired, "expired", name);
  key_changed(state, services, db, name, 0);
}

void erase_if_empty(Context& context, const Key& key) {
  if (context.db().erase_if_empty(key)) context.notify(kNotifyGeneric, "del", key.bytes);
}

void key_changed(State& state, Services& services, int db, std::string_view key, ClientId writer) {
  touch_watchers(state, services, db, key);
  if (state.tracking.active()) [[unlikely]]
    tell_changed_key(state, services, key, writer);
}

void touch_watchers(State& state, Services& services, int db, std::string_view key) {
  if (state.awaited_keys > 0) [[unlikely]]
    services.awaited_key_changed(db, key);
  if (state.watchers.empty()) [[likely]]
    return;
  const auto at = state.watchers.find({db, std::string(key)});
  if (at == state.watchers.end()) return;
  for (const ClientId id : at->second) {
    if (Session* session = services.find_session(id)) session->transaction.dirty_watch = true;
  }
}

void notify_event(State& state, Services& services, int db, NotifyClass event_class, std::string_view event,
                  std::string_view key) {
  const uint32_t enabled = state.settings.notify_keyspace_events;
  if ((enabled & event_class) == 0) [[likely]]
    return;
  if ((enabled & kNotifyKeyspace) != 0) services.publish(fmt::format("__keyspace@{}__:{}", db, key), event);
  if ((enabled & kNotifyKeyevent) != 0) services.publish(fmt::format("__keyevent@{}__:{}", db, event), key);
}

void Context::replace_effect(std::initializer_list<std::string_view> words) {
  replace_effect(std::vector<std::string>(words.begin(), words.end()));
}

void Context::replace_effect(std::vector<std::string> words) {
  effects_replaced_ = true;
  effects_.push_back(std::move(words));
}

void Context::modified(std::string_view key_bytes) const {
  // COMPAT: what a script changes is nobody's own change, NOLOOP or not.
  key_changed(state, services, session.db, key_bytes, session.in_script ? 0 : session.id);
}

void Context::notify(NotifyClass event_class, std::string_view event, std::string_view key_bytes) const {
  notify_event(state, services, session.db, event_class, event, key_bytes);
}

}  // namespace holdfast::family
