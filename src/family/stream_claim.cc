// XCLAIM and XAUTOCLAIM: pending entries change their owner.
#include <fmt/format.h>

#include <limits>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/lookup.h"
#include "family/stream.h"

namespace holdfast::family {
namespace {

using store::ConsumerGroup;
using store::Key;
using store::Stream;
using store::StreamConsumer;
using store::StreamId;

struct ClaimOptions {
  int64_t min_idle_ms = 0;
  std::vector<StreamId> ids;
  int64_t delivered_ms = 0;
  std::optional<int64_t> deliveries;
  bool force = false;
  bool just_ids = false;
  StreamId last_id;
};

struct Target {
  Stream* stream = nullptr;
  ConsumerGroup* group = nullptr;
};

/// The stream and the group of a claim. False: the error is written.
bool find_target(Context& c, Target& target) {
  bool wrong = false;
  target.stream = stream_to_claim_from(c, c.key(c.argv[1]), wrong);
  if (wrong) return false;
  if (target.stream != nullptr) target.group = target.stream->group(c.argv[2]);
  if (target.group != nullptr) return true;
  c.reply.error(fmt::format("NOGROUP No such key '{}' or consumer group '{}'", c.argv[1], c.argv[2]));
  return false;
}

/// nullopt: the error is written.
std::optional<ClaimOptions> read_claim(Context& c) {
  constexpr int64_t kLow = std::numeric_limits<int64_t>::min();
  constexpr int64_t kHigh = std::numeric_limits<int64_t>::max();
  ClaimOptions options;
  command::Args args = c.args(4);
  options.min_idle_ms =
      std::max<int64_t>(args.integer(kLow, kHigh, "ERR Invalid min-idle-time argument for XCLAIM"), 0);
  const int64_t now = c.now_ms();
  int64_t delivered = -1;
  while (args.more()) {
    const auto id = parse_id(args.peek());
    if (!id) break;
    options.ids.push_back(*id);
    args.next();
  }
  while (args.more()) {
    const bool more = args.left() > 1;
    if (args.take("force")) {
      options.force = true;
    } else if (args.take("justid")) {
      options.just_ids = true;
    } else if (more && args.take("idle")) {
      const int64_t idle = args.integer(kLow, kHigh, "ERR Invalid IDLE option argument for XCLAIM");
      delivered = static_cast<int64_t>(static_cast<uint64_t>(now) - static_cast<uint64_t>(idle));
    } else if (more && args.take("time")) {
      delivered = args.integer(kLow, kHigh, "ERR Invalid TIME option argument for XCLAIM");
    } else if (more && args.take("retrycount")) {
      const int64_t count = args.integer(kLow, kHigh, "ERR Invalid RETRYCOUNT option argument for XCLAIM");
      options.deliveries = count >= 0 ? std::optional(count) : std::nullopt;
    } else if (more && args.take("lastid")) {
      const auto id = parse_id(args.next());
      id ? static_cast<void>(options.last_id = *id) : args.fail(kInvalidStreamId);
    } else {
      args.fail(fmt::format("ERR Unrecognized XCLAIM option '{}'", args.peek()));
    }
  }
  // A time that cannot be (clients reckon with clocks of their own) is now.
  options.delivered_ms = delivered < 0 || delivered > now ? now : delivered;
  if (!args.failed()) return options;
  c.reply.error(args.error());
  return std::nullopt;
}

void tell_claim(Context& c, const ConsumerGroup& group, const ConsumerGroup::Pending& pending) {
  if (c.propagating) propagate_claim(c, c.argv[1], group, pending);
  ++c.dirty;
}

/// False: the entry stays where it is.
bool claim(Context& c, Target target, StreamConsumer& consumer, const ClaimOptions& options, StreamId id) {
  ConsumerGroup& group = *target.group;
  const ConsumerGroup::Pending* const held = group.find(id);
  if (!target.stream->contains(id)) {
    // What is no longer there cannot be pending.
    if (held != nullptr) {
      tell_claim(c, group, *held);
      group.release(id);
    }
    return false;
  }
  if (held == nullptr && !options.force) return false;
  if (held != nullptr && options.min_idle_ms > 0 && c.now_ms() - held->delivered_ms < options.min_idle_ms) return false;
  const bool fresh = held == nullptr;
  ConsumerGroup::Pending& pending = group.assign(id, consumer);
  if (fresh) pending.deliveries = 1;
  pending.delivered_ms = options.delivered_ms;
  if (options.deliveries) {
    pending.deliveries = static_cast<uint64_t>(*options.deliveries);
  } else if (!options.just_ids) {
    ++pending.deliveries;
  }
  consumer.active_ms = c.now_ms();
  tell_claim(c, group, pending);
  return true;
}

void reply_claimed(Context& c, const Stream& stream, const std::vector<StreamId>& ids, bool just_ids) {
  c.reply.array(ids.size());
  for (const StreamId id : ids) just_ids ? reply_id(c.reply, id) : reply_entry(c.reply, stream, id);
}

void xclaim_command(Context& c) {
  Target target;
  if (!find_target(c, target)) return;
  const auto options = read_claim(c);
  if (!options) return;
  c.drop_effect();
  const bool moves_last_id = options->last_id > target.group->last_id;
  if (moves_last_id) target.group->last_id = options->last_id;
  StreamConsumer& consumer = seen_consumer(c, *target.group, c.argv[1], c.argv[3]);
  const uint64_t claims_from = c.dirty;
  std::vector<StreamId> claimed;
  for (const StreamId id : options->ids) {
    if (claim(c, target, consumer, *options, id)) claimed.push_back(id);
  }
  // Claims carry the last id along.
  if (moves_last_id && c.dirty == claims_from) {
    propagate_group_id(c, c.argv[1], *target.group);
    ++c.dirty;
  }
  reply_claimed(c, *target.stream, claimed, options->just_ids);
}

struct AutoOptions {
  ClaimOptions claim;
  StreamId from;
  int64_t count = 100;
};

/// nullopt: the error is written.
std::optional<AutoOptions> read_autoclaim(Context& c) {
  constexpr int64_t kLow = std::numeric_limits<int64_t>::min();
  constexpr int64_t kHigh = std::numeric_limits<int64_t>::max();
  constexpr int64_t kCountMax = kHigh / 16;
  AutoOptions options;
  command::Args args = c.args(4);
  options.claim.min_idle_ms =
      std::max<int64_t>(args.integer(kLow, kHigh, "ERR Invalid min-idle-time argument for XAUTOCLAIM"), 0);
  if (!args.failed()) {
    const auto from = read_range_start(c, args.next());
    if (!from) return std::nullopt;
    options.from = *from;
  }
  while (args.more()) {
    if (args.left() > 1 && args.take("count")) {
      options.count = args.integer(1, kCountMax, "ERR COUNT must be > 0");
    } else if (args.take("justid")) {
      options.claim.just_ids = true;
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  options.claim.delivered_ms = c.now_ms();
  if (!args.failed()) return options;
  c.reply.error(args.error());
  return std::nullopt;
}

void xautoclaim_command(Context& c) {
  constexpr int64_t kLooksPerClaim = 10;
  const auto options = read_autoclaim(c);
  if (!options) return;
  Target target;
  if (!find_target(c, target)) return;
  c.drop_effect();
  StreamConsumer& consumer = seen_consumer(c, *target.group, c.argv[1], c.argv[3]);
  const auto& pending = target.group->pending();
  std::vector<StreamId> claimed;
  std::vector<StreamId> deleted;
  int64_t left = options->count;
  int64_t looks = left > kLooksPerClaim * left ? left : left * kLooksPerClaim;
  auto at = pending.lower_bound(options->from);
  for (; looks > 0 && left > 0 && at != pending.end(); --looks) {
    const StreamId id = pending.at(at).id;
    const size_t held = pending.size();
    if (claim(c, target, consumer, options->claim, id)) {
      claimed.push_back(id);
      --left;
    } else if (pending.size() < held) {
      deleted.push_back(id);
      --left;
    }
    at = pending.lower_bound(id);
    if (at != pending.end() && pending.at(at).id == id) pending.forward(at);
  }
  const StreamId cursor = at == pending.end() ? StreamId{} : pending.at(at).id;
  c.reply.array(3);
  reply_id(c.reply, cursor);
  reply_claimed(c, *target.stream, claimed, options->claim.just_ids);
  c.reply.array(deleted.size());
  for (const StreamId id : deleted) reply_id(c.reply, id);
}

constexpr Binding kBindings[] = {
    {"xautoclaim", xautoclaim_command},
    {"xclaim", xclaim_command},
};

}  // namespace

std::span<const Binding> stream_claim_bindings() { return kBindings; }

}  // namespace holdfast::family
