// Lookup: how handlers find keys - expiry, access clocks and hit counters included.
//
// A primary deletes an expired key it meets and propagates the deletion; a replica only pretends it is gone (the
// primary will delete it), except to the stream from its primary, which sees every key.
#pragma once

#include <string_view>

#include "family/context.h"

namespace holdfast::family {

enum class Touch : uint8_t { kYes, kNo };
/// For reading; counts a hit or a miss, and as an access unless told not to. Null if absent or expired.
const store::Entry* lookup_read(Context& context, const store::Key& key, Touch touch = Touch::kYes);
/// For a look before a write; expired keys are removed first. Null if absent.
const store::Entry* lookup_write(Context& context, const store::Key& key);
/// lookup_read for a key that must hold `type`: writes the WRONGTYPE error and sets `wrong`. Null: absent or wrong.
const store::Entry* lookup_read(Context& context, const store::Key& key, store::Type type, bool& wrong);
/// The same before a write.
const store::Entry* lookup_write(Context& context, const store::Key& key, store::Type type, bool& wrong);
/// A collection for changing it in place, made if absent. Null: the key holds another type, the error is written.
store::Entry* find_or_create(Context& context, const store::Key& key, store::Type type);

/// Deletes, with notification and WATCH; true if the key was there.
bool delete_key(Context& context, const store::Key& key);
/// Deletes a key found to be expired and propagates that; for active expiry too.
void expire_key(State& state, Services& services, int db, const store::Key& key);
/// After taking elements out: erases an emptied collection and tells so.
void erase_if_empty(Context& context, const store::Key& key);

/// To be called for every key whose value or existence changed, by `writer` (0: by nobody): for WATCH, for clients that
/// wait for it and for those who cached it.
void key_changed(State& state, Services& services, int db, std::string_view key, ClientId writer);
/// The first two of these alone: a whole database changed.
void touch_watchers(State& state, Services& services, int db, std::string_view key);
void notify_event(State& state, Services& services, int db, NotifyClass event_class, std::string_view event,
                  std::string_view key);

}  // namespace holdfast::family
