// Blocking: commands that wait for a key - BLPOP and its relatives.
//
// A handler that finds nothing to take calls wait_for_keys() and returns without a reply. When one of the keys holds a
// value of the wanted type, the server runs the whole command again; it then replies, or waits on with its old
// deadline. Waiting ends by deadline with a null array, by CLIENT UNBLOCK, or with an error when the server becomes a
// replica. Inside EXEC nothing waits: the handler answers as if its time were over.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "family/context.h"

namespace holdfast::family {

/// A timeout in seconds, as milliseconds rounded up; 0 = for ever. nullopt: the error is written.
std::optional<int64_t> read_timeout(Context& c, std::string_view text);

/// Waits for a value of `type` under one of `keys`. False: this client must not wait; answer a null.
bool wait_for_keys(Context& c, store::Type type, std::span<const std::string_view> keys, int64_t timeout_ms,
                   WhenGone when_gone = WhenGone::kWait);

}  // namespace holdfast::family
