// Streams: what the files of this family share - ids as the wire has them, finding streams and groups, replying
// entries, effects that a replica must see.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "family/context.h"
#include "store/type/stream.h"

namespace holdfast::family {

inline constexpr std::string_view kInvalidStreamId = "ERR Invalid stream ID specified as stream command argument";

std::string print_id(store::StreamId id);
void reply_id(command::Reply& reply, store::StreamId id);

/// `ms` or `ms-sequence`; no `-` and `+`.
std::optional<store::StreamId> parse_id(std::string_view text, uint64_t missing_sequence = 0);
/// The same; writes the error.
std::optional<store::StreamId> read_id(Context& c, std::string_view text);
/// An end of a range: `-`, `+`, an id, or `(` and an id, which excludes it. Writes the error.
std::optional<store::StreamId> read_range_start(Context& c, std::string_view text);
std::optional<store::StreamId> read_range_end(Context& c, std::string_view text);

/// A present stream for changing it; null if absent or of another type (`wrong`, the error is written).
store::Stream* stream_for_writing(Context& c, const store::Key& key, bool& wrong);
/// The same, counted as a hit or miss of a reading command.
store::Stream* stream_to_claim_from(Context& c, const store::Key& key, bool& wrong);

void reply_entry(command::Reply& reply, const store::StreamEntry& entry);
/// The entry with this id; it must exist.
void reply_entry(command::Reply& reply, const store::Stream& stream, store::StreamId id);
/// Entries of [from, to], at most `count` of them.
void reply_range(command::Reply& reply, const store::Stream& stream, store::StreamId from, store::StreamId to,
                 size_t count, bool reversed = false);

/// A consumer by name, made (notified, dirty) if there is none; `now` it is seen.
store::StreamConsumer& seen_consumer(Context& c, store::ConsumerGroup& group, std::string_view key,
                                     std::string_view name, bool* created = nullptr);
/// XCLAIM that repeats what happened to one pending entry.
void propagate_claim(Context& c, std::string_view key, const store::ConsumerGroup& group,
                     const store::ConsumerGroup::Pending& pending);
/// XGROUP SETID with the group's last id.
void propagate_group_id(Context& c, std::string_view key, const store::ConsumerGroup& group);

}  // namespace holdfast::family
