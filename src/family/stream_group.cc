// Consumer groups: making and removing them, acknowledging, what is pending.
#include <fmt/format.h>

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
using store::Key;
using store::Stream;
using store::StreamConsumer;
using store::StreamId;
using store::Type;

/// XGROUP <what> key group ...
struct GroupTarget {
  Key key;
  std::string_view name;
  bool make_stream = false;
  int64_t entries_read = ConsumerGroup::kUnknownRead;
  Stream* stream = nullptr;
  ConsumerGroup* group = nullptr;
};

/// Options of CREATE and SETID behind argument 4. False: the error is written.
bool read_group_options(Context& c, GroupTarget& target, bool creating) {
  command::Args args = c.args(5);
  while (args.more()) {
    if (creating && args.take("mkstream")) {
      target.make_stream = true;
    } else if (args.left() > 1 && args.take("entriesread")) {
      target.entries_read = args.integer();
      if (target.entries_read < ConsumerGroup::kUnknownRead) {
        args.fail("ERR value for ENTRIESREAD must be positive or -1");
      }
    } else {
      reply_unknown_subcommand(c);
      return false;
    }
  }
  if (args.failed()) c.reply.error(args.error());
  return !args.failed();
}

/// Finds stream and group. False: the error is written.
bool find_target(Context& c, GroupTarget& target, bool needs_group) {
  target.key = c.key(c.argv[2]);
  target.name = c.argv[3];
  bool wrong = false;
  target.stream = stream_for_writing(c, target.key, wrong);
  if (wrong) return false;
  if (target.stream == nullptr) {
    if (target.make_stream) return true;
    c.reply.error(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
        "option to create an empty stream automatically.");
    return false;
  }
  target.group = target.stream->group(target.name);
  if (target.group != nullptr || !needs_group) return true;
  c.reply.error(fmt::format("NOGROUP No such consumer group '{}' for key name '{}'", target.name, c.argv[2]));
  return false;
}

/// `$` or an id.
std::optional<StreamId> read_group_id(Context& c, const Stream* stream, bool allow_edges) {
  const std::string_view text = c.argv[4];
  if (text == "$") return stream == nullptr ? StreamId{} : stream->marks().last_id;
  if (allow_edges && text == "-") return store::kStreamIdMin;
  if (allow_edges && text == "+") return store::kStreamIdMax;
  return read_id(c, text);
}

void xgroup_create_command(Context& c) {
  GroupTarget target;
  if (!read_group_options(c, target, true) || !find_target(c, target, false)) return;
  const auto id = read_group_id(c, target.stream, false);
  if (!id) return;
  if (target.stream == nullptr) {
    target.stream = &find_or_create(c, target.key, Type::kStream)->stream();
    c.modified(c.argv[2]);
  }
  if (target.stream->create_group(target.name, *id, target.entries_read) == nullptr) {
    return c.reply.error("BUSYGROUP Consumer Group name already exists");
  }
  c.reply.ok();
  ++c.dirty;
  c.notify(kNotifyStream, "xgroup-create", c.argv[2]);
}

void xgroup_setid_command(Context& c) {
  GroupTarget target;
  if (!read_group_options(c, target, false) || !find_target(c, target, true)) return;
  const auto id = read_group_id(c, target.stream, true);
  if (!id) return;
  target.group->last_id = *id;
  target.group->entries_read = target.entries_read;
  c.reply.ok();
  ++c.dirty;
  c.notify(kNotifyStream, "xgroup-setid", c.argv[2]);
}

void xgroup_destroy_command(Context& c) {
  GroupTarget target;
  if (!find_target(c, target, false)) return;
  if (!target.stream->destroy_group(target.name)) return c.reply.integer(0);
  c.reply.integer(1);
  ++c.dirty;
  c.notify(kNotifyStream, "xgroup-destroy", c.argv[2]);
  // Readers that wait for this group must learn that it is gone.
  if (c.state.awaited_keys > 0) c.services.awaited_key_changed(c.session.db, c.argv[2]);
}

void xgroup_createconsumer_command(Context& c) {
  GroupTarget target;
  if (!find_target(c, target, true)) return;
  const bool fresh = target.group->consumer(c.argv[4]) == nullptr;
  if (fresh) seen_consumer(c, *target.group, c.argv[2], c.argv[4]);
  c.reply.integer(fresh ? 1 : 0);
}

void xgroup_delconsumer_command(Context& c) {
  GroupTarget target;
  if (!find_target(c, target, true)) return;
  if (target.group->consumer(c.argv[4]) == nullptr) return c.reply.integer(0);
  const size_t pending = target.group->delete_consumer(c.argv[4]);
  ++c.dirty;
  c.notify(kNotifyStream, "xgroup-delconsumer", c.argv[2]);
  c.reply.integer(static_cast<int64_t>(pending));
}

void xgroup_help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "CREATE <key> <groupname> <id|$> [option]",
      "    Create a new consumer group. Options are:",
      "    * MKSTREAM",
      "      Create the empty stream if it does not exist.",
      "    * ENTRIESREAD entries_read",
      "      Set the group's entries_read counter (internal use).",
      "CREATECONSUMER <key> <groupname> <consumer>",
      "    Create a new consumer in the specified group.",
      "DELCONSUMER <key> <groupname> <consumer>",
      "    Remove the specified consumer.",
      "DESTROY <key> <groupname>",
      "    Remove the specified group.",
      "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
      "    Set the current group ID and entries_read counter.",
  };
  reply_help(c, kLines);
}

void xack_command(Context& c) {
  bool wrong = false;
  Stream* const stream = stream_to_claim_from(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  ConsumerGroup* const group = stream == nullptr ? nullptr : stream->group(c.argv[2]);
  if (group == nullptr) return c.reply.integer(0);
  std::vector<StreamId> ids;
  for (const std::string_view text : c.argv.subspan(3)) {
    const auto id = read_id(c, text);
    if (!id) return;
    ids.push_back(*id);
  }
  int64_t acknowledged = 0;
  for (const StreamId id : ids) acknowledged += group->release(id) ? 1 : 0;
  c.dirty += static_cast<uint64_t>(acknowledged);
  c.reply.integer(acknowledged);
}

// XPENDING.

struct PendingRange {
  int64_t min_idle_ms = 0;
  StreamId from;
  StreamId to;
  int64_t count = 0;
  std::string_view consumer;
  bool of_consumer = false;
};

/// nullopt: the error is written.
std::optional<PendingRange> read_pending_range(Context& c) {
  PendingRange range;
  size_t at = 3;
  const bool idle = equal_ignoring_case(c.argv[3], "idle");
  if (idle) {
    const auto min_idle = parse_int64(c.argv[4]);
    const bool enough = c.argv.size() >= 8;
    if (!min_idle || !enough) {
      c.reply.error(min_idle ? command::kSyntaxError : command::kNotAnInteger);
      return std::nullopt;
    }
    range.min_idle_ms = *min_idle;
    at += 2;
  }
  const auto count = parse_int64(c.argv[at + 2]);
  if (!count) {
    c.reply.error(command::kNotAnInteger);
    return std::nullopt;
  }
  range.count = *count;
  const auto from = read_range_start(c, c.argv[at]);
  if (!from) return std::nullopt;
  const auto to = read_range_end(c, c.argv[at + 1]);
  if (!to) return std::nullopt;
  range.from = *from;
  range.to = *to;
  range.of_consumer = at + 3 < c.argv.size();
  if (range.of_consumer) range.consumer = c.argv[at + 3];
  return range;
}

void reply_pending_summary(Context& c, const ConsumerGroup& group) {
  const auto& pending = group.pending();
  c.reply.array(4);
  c.reply.integer(static_cast<int64_t>(pending.size()));
  if (pending.empty()) {
    c.reply.null();
    c.reply.null();
    return c.reply.null_array();
  }
  reply_id(c.reply, pending.at(pending.begin()).id);
  reply_id(c.reply, pending.at(pending.last()).id);
  size_t owners = 0;
  for (const auto& [name, consumer] : group.consumers()) owners += consumer.pending.empty() ? 0 : 1;
  c.reply.array(owners);
  for (const auto& [name, consumer] : group.consumers()) {
    if (consumer.pending.empty()) continue;
    c.reply.array(2);
    c.reply.bulk(name);
    c.reply.bulk_integer(static_cast<int64_t>(consumer.pending.size()));
  }
}

void reply_pending_range(Context& c, const ConsumerGroup& group, const PendingRange& range) {
  const StreamConsumer* owner = nullptr;
  if (range.of_consumer) {
    const auto at = group.consumers().find(range.consumer);
    if (at == group.consumers().end()) return c.reply.array(0);
    owner = &at->second;
  }
  std::vector<const ConsumerGroup::Pending*> found;
  const auto enough = [&] { return static_cast<int64_t>(found.size()) >= range.count; };
  const auto look = [&](const ConsumerGroup::Pending& pending) {
    if (range.min_idle_ms == 0 || c.now_ms() - pending.delivered_ms >= range.min_idle_ms) found.push_back(&pending);
  };
  if (owner == nullptr) {
    const auto& all = group.pending();
    for (auto at = all.lower_bound(range.from); at != all.end() && !enough(); all.forward(at)) {
      if (all.at(at).id > range.to) break;
      look(all.at(at));
    }
  } else {
    const auto& owned = owner->pending;
    for (auto at = owned.lower_bound(range.from); at != owned.end() && !enough(); owned.forward(at)) {
      if (owned.at(at).id > range.to) break;
      look(*group.pending().find(owned.at(at).id));
    }
  }
  c.reply.array(found.size());
  for (const ConsumerGroup::Pending* pending : found) {
    c.reply.array(4);
    reply_id(c.reply, pending->id);
    c.reply.bulk(pending->consumer->name);
    c.reply.integer(std::max<int64_t>(c.now_ms() - pending->delivered_ms, 0));
    c.reply.integer(static_cast<int64_t>(pending->deliveries));
  }
}

void xpending_command(Context& c) {
  const size_t words = c.argv.size();
  const bool summary = words == 3;
  if (!summary && (words < 6 || words > 9)) return c.reply.error(command::kSyntaxError);
  const auto range = summary ? PendingRange{} : read_pending_range(c);
  if (!range) return;
  bool wrong = false;
  const Entry* const entry = lookup_read(c, c.key(c.argv[1]), Type::kStream, wrong);
  if (wrong) return;
  const Stream::Groups* const groups = entry == nullptr ? nullptr : &entry->stream().groups();
  if (groups == nullptr || !groups->contains(c.argv[2])) {
    return c.reply.error(fmt::format("NOGROUP No such key '{}' or consumer group '{}'", c.argv[1], c.argv[2]));
  }
  const ConsumerGroup& group = groups->find(c.argv[2])->second;
  summary ? reply_pending_summary(c, group) : reply_pending_range(c, group, *range);
}

constexpr Binding kBindings[] = {
    {"xack", xack_command},
    {"xgroup|create", xgroup_create_command},
    {"xgroup|createconsumer", xgroup_createconsumer_command},
    {"xgroup|delconsumer", xgroup_delconsumer_command},
    {"xgroup|destroy", xgroup_destroy_command},
    {"xgroup|help", xgroup_help_command},
    {"xgroup|setid", xgroup_setid_command},
    {"xpending", xpending_command},
};

}  // namespace

std::span<const Binding> stream_group_bindings() { return kBindings; }

}  // namespace holdfast::family
