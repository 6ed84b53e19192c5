// XINFO: what is known of a stream, its groups and their consumers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/help.h"
#include "family/lookup.h"
#include "family/stream.h"

namespace holdfast::family {
namespace {

using store::ConsumerGroup;
using store::Entry;
using store::Stream;
using store::StreamConsumer;
using store::StreamId;
using store::Type;

/// Null: the error is written.
const Stream* stream_of(Context& c) {
  bool wrong = false;
  const Entry* const entry = lookup_read(c, c.key(c.argv[2]), Type::kStream, wrong);
  if (entry == nullptr && !wrong) c.reply.error("ERR no such key");
  return entry == nullptr ? nullptr : &entry->stream();
}

void field(Context& c, std::string_view name, int64_t value) {
  c.reply.bulk(name);
  c.reply.integer(value);
}
void field(Context& c, std::string_view name, size_t value) { field(c, name, static_cast<int64_t>(value)); }
void field(Context& c, std::string_view name, StreamId id) {
  c.reply.bulk(name);
  reply_id(c.reply, id);
}
void field(Context& c, std::string_view name, std::string_view text) {
  c.reply.bulk(name);
  c.reply.bulk(text);
}
void field(Context& c, std::string_view name, std::optional<int64_t> value) {
  c.reply.bulk(name);
  value ? c.reply.integer(*value) : c.reply.null();
}

std::optional<int64_t> known_read(const ConsumerGroup& group) {
  if (group.entries_read == ConsumerGroup::kUnknownRead) return std::nullopt;
  return group.entries_read;
}

// How many nodes a radix tree over the nodes' ids has: the original tells its own, whose shape follows from the ids.

using RawId = std::array<uint8_t, 16>;

RawId raw(StreamId id) {
  RawId out{};
  for (size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<uint8_t>(id.ms >> (56 - 8 * i));
    out[i + 8] = static_cast<uint8_t>(id.sequence >> (56 - 8 * i));
  }
  return out;
}

/// Of ascending ids that agree in their first `depth` bytes. A run without branches is one node.
int64_t radix_nodes(std::span<const RawId> ids, size_t depth) {
  size_t shared = depth;
  while (shared < ids[0].size() && ids.front()[shared] == ids.back()[shared]) ++shared;
  if (shared == ids[0].size()) return shared > depth ? 2 : 1;
  int64_t nodes = shared > depth ? 2 : 1;
  for (size_t begin = 0; begin < ids.size();) {
    size_t end = begin;
    while (end < ids.size() && ids[end][shared] == ids[begin][shared]) ++end;
    nodes += radix_nodes(ids.subspan(begin, end - begin), shared + 1);
    begin = end;
  }
  return nodes;
}

int64_t radix_nodes(const Stream& stream) {
  std::vector<RawId> ids;
  stream.for_each_node([&](const store::StreamNode& node) { ids.push_back(raw(node.id)); });
  return ids.empty() ? 1 : radix_nodes(ids, 0);
}

void reply_edge(Context& c, const Stream& stream, bool last) {
  bool found = false;
  const auto visit = [&](const store::StreamEntry& entry) {
    reply_entry(c.reply, entry);
    found = true;
    return false;
  };
  last ? stream.for_each_reversed(store::kStreamIdMin, store::kStreamIdMax, visit)
       : stream.for_each(store::kStreamIdMin, store::kStreamIdMax, visit);
  if (!found) c.reply.null();
}

void reply_marks(Context& c, const Stream& stream) {
  const Stream::Marks& marks = stream.marks();
  field(c, "length", stream.size());
  field(c, "radix-tree-keys", stream.nodes());
  field(c, "radix-tree-nodes", radix_nodes(stream));
  field(c, "last-generated-id", marks.last_id);
  field(c, "max-deleted-entry-id", marks.max_deleted_id);
  field(c, "entries-added", static_cast<int64_t>(marks.entries_added));
  field(c, "recorded-first-entry-id", marks.first_id);
}

void reply_full_consumer(Context& c, const ConsumerGroup& group, const StreamConsumer& consumer, size_t count) {
  c.reply.map(5);
  field(c, "name", consumer.name);
  field(c, "seen-time", consumer.seen_ms);
  field(c, "active-time", consumer.active_ms);
  field(c, "pel-count", consumer.pending.size());
  c.reply.bulk("pending");
  size_t left = std::min(count, consumer.pending.size());
  c.reply.array(left);
  for (auto at = consumer.pending.begin(); left > 0; --left, consumer.pending.forward(at)) {
    const ConsumerGroup::Pending& pending = *group.pending().find(consumer.pending.at(at).id);
    c.reply.array(3);
    reply_id(c.reply, pending.id);
    c.reply.integer(pending.delivered_ms);
    c.reply.integer(static_cast<int64_t>(pending.deliveries));
  }
}

void reply_full_group(Context& c, const Stream& stream, const ConsumerGroup& group, size_t count) {
  c.reply.map(7);
  field(c, "name", group.name());
  field(c, "last-delivered-id", group.last_id);
  field(c, "entries-read", known_read(group));
  field(c, "lag", stream.lag(group));
  field(c, "pel-count", group.pending().size());
  c.reply.bulk("pending");
  size_t left = std::min(count, group.pending().size());
  c.reply.array(left);
  for (auto at = group.pending().begin(); left > 0; --left, group.pending().forward(at)) {
    const ConsumerGroup::Pending& pending = group.pending().at(at);
    c.reply.array(4);
    reply_id(c.reply, pending.id);
    c.reply.bulk(pending.consumer->name);
    c.reply.integer(pending.delivered_ms);
    c.reply.integer(static_cast<int64_t>(pending.deliveries));
  }
  c.reply.bulk("consumers");
  c.reply.array(group.consumers().size());
  for (const auto& [name, consumer] : group.consumers()) reply_full_consumer(c, group, consumer, count);
}

void reply_full(Context& c, const Stream& stream, size_t count) {
  c.reply.map(9);
  reply_marks(c, stream);
  c.reply.bulk("entries");
  reply_range(c.reply, stream, store::kStreamIdMin, store::kStreamIdMax, count);
  c.reply.bulk("groups");
  c.reply.array(stream.groups().size());
  for (const auto& [name, group] : stream.groups()) reply_full_group(c, stream, group, count);
}

void xinfo_stream_command(Context& c) {
  constexpr size_t kCountByDefault = 10;
  const Stream* const stream = stream_of(c);
  if (stream == nullptr) return;
  const size_t options = c.argv.size() - 3;
  if (options == 0) {
    c.reply.map(10);
    reply_marks(c, *stream);
    field(c, "groups", stream->groups().size());
    c.reply.bulk("first-entry");
    reply_edge(c, *stream, false);
    c.reply.bulk("last-entry");
    return reply_edge(c, *stream, true);
  }
  const bool known = (options == 1 || (options == 3 && equal_ignoring_case(c.argv[4], "count"))) &&
                     equal_ignoring_case(c.argv[3], "full");
  if (!known) return reply_unknown_subcommand(c);
  size_t count = kCountByDefault;
  if (options == 3) {
    const auto given = parse_int64(c.argv[5]);
    if (!given) return c.reply.error(command::kNotAnInteger);
    if (*given >= 0) count = *given == 0 ? SIZE_MAX : static_cast<size_t>(*given);
  }
  reply_full(c, *stream, count);
}

void xinfo_groups_command(Context& c) {
  const Stream* const stream = stream_of(c);
  if (stream == nullptr) return;
  c.reply.array(stream->groups().size());
  for (const auto& [name, group] : stream->groups()) {
    c.reply.map(6);
    field(c, "name", std::string_view(name));
    field(c, "consumers", group.consumers().size());
    field(c, "pending", group.pending().size());
    field(c, "last-delivered-id", group.last_id);
    field(c, "entries-read", known_read(group));
    field(c, "lag", stream->lag(group));
  }
}

void xinfo_consumers_command(Context& c) {
  const Stream* const stream = stream_of(c);
  if (stream == nullptr) return;
  const auto at = stream->groups().find(c.argv[3]);
  if (at == stream->groups().end()) {
    return c.reply.error(fmt::format("NOGROUP No such consumer group '{}' for key name '{}'", c.argv[3], c.argv[2]));
  }
  const ConsumerGroup& group = at->second;
  c.reply.array(group.consumers().size());
  for (const auto& [name, consumer] : group.consumers()) {
    const bool active = consumer.active_ms != StreamConsumer::kNeverActive;
    c.reply.map(4);
    field(c, "name", consumer.name);
    field(c, "pending", consumer.pending.size());
    field(c, "idle", std::max<int64_t>(c.now_ms() - consumer.seen_ms, 0));
    field(c, "inactive", active ? c.now_ms() - consumer.active_ms : consumer.active_ms);
  }
}

void xinfo_help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "CONSUMERS <key> <groupname>",
      "    Show consumers of <groupname>.",
      "GROUPS <key>",
      "    Show the stream consumer groups.",
      "STREAM <key> [FULL [COUNT <count>]",
      "    Show information about the stream.",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"xinfo|consumers", xinfo_consumers_command},
    {"xinfo|groups", xinfo_groups_command},
    {"xinfo|help", xinfo_help_command},
    {"xinfo|stream", xinfo_stream_command},
};

}  // namespace

std::span<const Binding> stream_info_bindings() { return kBindings; }

}  // namespace holdfast::family
