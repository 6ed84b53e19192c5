// Lookahead: asks the processor for the memory that pipelined requests will touch, before they are carried out.
//
// A keyspace larger than the caches costs two misses per key, one after the other: the bucket, then the entry. Over a
// batch of requests they happen at the same time. Hints only: whatever is misread here costs nothing but its hint, and
// what the requests mean is decided by RequestParser and the dispatcher alone. Source: reference/server.md 3.3.
#pragma once

#include <cstddef>
#include <string_view>

#include "store/keyspace.h"

namespace holdfast::server {

/// `bytes` begins where a request begins; its first argument is taken for a key of `db`. Returns how many requests were
/// looked at, kLookaheadMost at most, 0 when the next one is incomplete or no array of bulk strings.
inline constexpr size_t kLookaheadMost = 16;
size_t look_ahead(std::string_view bytes, const store::Keyspace& db);

}  // namespace holdfast::server
