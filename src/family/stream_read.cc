// XREAD and XREADGROUP: what is new in some streams, waiting for it if asked to.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/blocking.h"
#include "family/lookup.h"
#include "family/stream.h"

namespace holdfast::family {
namespace {

using store::ConsumerGroup;
using store::Entry;
using store::Key;
using store::Stream;
using store::StreamConsumer;
using store::StreamEntry;
using store::StreamId;
using store::Type;

struct Source {
  std::string_view key;
  std::string_view id_text;
  StreamId after;         // entries behind this one
  bool only_new = false;  // `>`: what the group has not been given yet
};

struct ReadOptions {
  bool of_group = false;
  std::string_view group;
  std::string_view consumer;
  bool acknowledged = false;  // NOACK
  bool blocks = false;
  int64_t timeout_ms = 0;
  size_t count = SIZE_MAX;
  size_t streams_at = 0;  // first key
  std::vector<Source> sources;
};

/// Milliseconds; nullopt: the error is written.
std::optional<int64_t> read_timeout_ms(Context& c, std::string_view text) {
  const auto ms = parse_int64(text);
  if (ms && *ms >= 0 && *ms <= INT64_MAX - c.now_ms()) return ms;
  c.reply.error(!ms       ? "ERR timeout is not an integer or out of range"
                : *ms < 0 ? "ERR timeout is negative"
                          : "ERR timeout is out of range");
  return std::nullopt;
}

void fail_group_option(const ReadOptions& options, command::Args& args, std::string_view option) {
  if (options.of_group) return;
  args.fail(fmt::format("ERR The {} option is only supported by XREADGROUP. You called XREAD instead.", option));
}

void split_sources(Context& c, ReadOptions& options, command::Args& args) {
  const size_t words = args.left();
  options.streams_at = c.argv.size() - words;
  if (words % 2 != 0) {
    return args.fail(
        fmt::format("ERR Unbalanced '{}' list of streams: for each stream key an ID or '{}' must be "
                    "specified.",
                    c.spec.name, options.of_group ? '>' : '$'));
  }
  for (size_t i = 0; i < words / 2; ++i) {
    Source source;
    source.key = c.argv[options.streams_at + i];
    source.id_text = c.argv[options.streams_at + words / 2 + i];
    options.sources.push_back(source);
  }
}

/// nullopt: the error is written.
std::optional<ReadOptions> read_options(Context& c, bool of_group) {
  ReadOptions options;
  options.of_group = of_group;
  command::Args args = c.args();
  while (args.more() && options.streams_at == 0) {
    const size_t more = args.left() - 1;
    if (more > 0 && args.take("block")) {
      if (c.session.in_script) {
        c.reply.error(fmt::format("ERR {} command is not allowed with BLOCK option from scripts", c.argv[0]));
        return std::nullopt;
      }
      const auto timeout = read_timeout_ms(c, args.next());
      if (!timeout) return std::nullopt;
      options.blocks = true;
      options.timeout_ms = *timeout;
    } else if (more > 0 && args.take("count")) {
      const int64_t count = args.integer();
      options.count = count > 0 ? static_cast<size_t>(count) : SIZE_MAX;
    } else if (more > 0 && args.take("streams")) {
      split_sources(c, options, args);
    } else if (more > 1 && args.take("group")) {
      fail_group_option(options, args, "GROUP");
      options.group = args.next();
      options.consumer = args.next();
    } else if (args.take("noack")) {
      fail_group_option(options, args, "NOACK");
      options.acknowledged = true;
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (options.streams_at == 0) args.fail(command::kSyntaxError);
  if (of_group && options.group.data() == nullptr) args.fail("ERR Missing GROUP option for XREADGROUP");
  if (!args.failed()) return options;
  c.reply.error(args.error());
  return std::nullopt;
}

/// Where reading `source` starts. False: the error is written.
bool resolve(Context& c, const ReadOptions& options, Source& source) {
  bool wrong = false;
  const Entry* const entry = lookup_read(c, c.key(source.key), Type::kStream, wrong);
  if (wrong) return false;
  if (options.of_group && (entry == nullptr || !entry->stream().groups().contains(options.group))) {
    c.reply.error(fmt::format("NOGROUP No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option",
                              source.key, options.group));
    return false;
  }
  if (source.id_text == "$") {
    if (options.of_group) {
      c.reply.error(
          "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
          "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result "
          "set.");
      return false;
    }
    source.after = entry == nullptr ? StreamId{} : entry->stream().marks().last_id;
    return true;
  }
  if (source.id_text == ">") {
    if (!options.of_group) {
      c.reply.error(
          "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.");
      return false;
    }
    source.only_new = true;
    return true;
  }
  const auto id = read_id(c, source.id_text);
  if (!id) return false;
  source.after = *id;
  // COMPAT: the highest id means what `>` means.
  source.only_new = options.of_group && *id == store::kStreamIdMax;
  return true;
}

/// Entries behind the group's last one, given to `consumer`.
void deliver(Context& c, command::Reply& reply, const ReadOptions& options, const Source& source, const Stream& stream,
             ConsumerGroup& group, StreamConsumer& consumer) {
  const StreamId from = group.last_id.next().value_or(StreamId{});
  size_t left = stream.count(from, store::kStreamIdMax, options.count);
  reply.array(left);
  if (left == 0) return;
  stream.for_each(from, store::kStreamIdMax, [&](const StreamEntry& entry) {
    stream.note_read(group, entry.id);
    reply_entry(reply, entry);
    if (!options.acknowledged) {
      ConsumerGroup::Pending& pending = group.assign(entry.id, consumer);
      pending.delivered_ms = c.now_ms();
      pending.deliveries = 1;
      consumer.active_ms = c.now_ms();
      if (c.propagating) propagate_claim(c, source.key, group, pending);
    }
    return --left > 0;
  });
  if (options.acknowledged) propagate_group_id(c, source.key, group);
}

/// Entries behind `after` that `consumer` was given and has not acknowledged.
void repeat(Context& c, command::Reply& reply, const ReadOptions& options, StreamId after, const Stream& stream,
            ConsumerGroup& group, const StreamConsumer& consumer) {
  const auto& owned = consumer.pending;
  const auto from = after.next();
  auto at = owned.lower_bound(from.value_or(StreamId{}));
  size_t count = 0;
  for (auto place = at; place != owned.end() && count < options.count; owned.forward(place)) ++count;
  reply.array(count);
  for (; count > 0; --count, owned.forward(at)) {
    const StreamId id = owned.at(at).id;
    if (!stream.contains(id)) {
      reply.array(2);
      reply_id(reply, id);
      reply.null_array();
      continue;
    }
    reply_entry(reply, stream, id);
    ConsumerGroup::Pending& pending = *group.find(id);
    pending.delivered_ms = c.now_ms();
    ++pending.deliveries;
  }
}

void begin_stream(command::Reply& reply, std::string_view key) {
  if (reply.version() == 2) reply.array(2);
  reply.bulk(key);
}

/// One stream's part of the reply. False: it has none.
bool serve_group(Context& c, command::Reply& reply, const ReadOptions& options, const Source& source) {
  Stream& stream = c.db().find_for_write(c.key(source.key))->stream();
  ConsumerGroup& group = *stream.group(options.group);
  const auto top = source.only_new ? stream.top_id() : std::nullopt;
  const bool serve = !source.only_new || (top && *top > group.last_id);
  bool created = false;
  StreamConsumer& consumer = seen_consumer(c, group, source.key, options.consumer, &created);
  if (created && options.acknowledged) {
    c.replace_effect({"XGROUP", "CREATECONSUMER", source.key, options.group, options.consumer});
  }
  if (!serve) return false;
  begin_stream(reply, source.key);
  if (source.only_new) {
    deliver(c, reply, options, source, stream, group, consumer);
  } else {
    repeat(c, reply, options, source.after, stream, group, consumer);
  }
  ++c.dirty;
  return true;
}

bool serve_plain(Context& c, command::Reply& reply, const ReadOptions& options, const Source& source) {
  bool wrong = false;
  const Entry* const entry = lookup_read(c, c.key(source.key), Type::kStream, wrong);
  if (entry == nullptr || entry->stream().empty()) return false;
  const Stream& stream = entry->stream();
  if (*stream.top_id() <= source.after) return false;
  begin_stream(reply, source.key);
  reply_range(reply, stream, *source.after.next(), store::kStreamIdMax, options.count);
  return true;
}

/// How many streams had something; what they had is in `reply`, without the frame around it.
size_t serve_all(Context& c, command::Reply& reply, const ReadOptions& options) {
  size_t served = 0;
  for (const Source& source : options.sources) {
    served += (options.of_group ? serve_group : serve_plain)(c, reply, options, source) ? 1 : 0;
  }
  return served;
}

void frame(command::Reply& reply, size_t streams) { reply.version() == 2 ? reply.array(streams) : reply.map(streams); }

void wait_for_entries(Context& c, const ReadOptions& options) {
  std::vector<std::string> words(c.argv.begin(), c.argv.end());
  std::vector<std::string_view> keys;
  for (size_t i = 0; i < options.sources.size(); ++i) {
    const Source& source = options.sources[i];
    keys.push_back(source.key);
    // When it runs again, `$` must mean what it means now.
    if (source.id_text == "$") words[options.streams_at + options.sources.size() + i] = print_id(source.after);
  }
  const std::vector<std::string_view> resolved(words.begin(), words.end());
  const auto given = std::exchange(c.argv, resolved);
  const bool waits = wait_for_keys(c, Type::kStream, keys, options.timeout_ms,
                                   options.of_group ? WhenGone::kRunAgain : WhenGone::kWait);
  c.argv = given;
  if (!waits) c.reply.null_array();
}

void read_generic(Context& c, bool of_group) {
  c.drop_effect();  // what happens to groups is told in other words
  auto options = read_options(c, of_group);
  if (!options) return;
  for (Source& source : options->sources) {
    if (!resolve(c, *options, source)) return;
  }
  // How many streams have something is known only in the end.
  OutQueue parts;
  command::Reply reply(parts, c.reply.version(), c.reply.muted());
  const size_t served = serve_all(c, reply, *options);
  if (served > 0) {
    frame(c.reply, served);
    std::string_view views[16];
    while (!parts.empty()) {
      size_t moved = 0;
      const size_t count = parts.peek(views);
      for (size_t i = 0; i < count; ++i) {
        c.reply.raw(views[i]);
        moved += views[i].size();
      }
      parts.consume(moved);
    }
    return;
  }
  options->blocks ? wait_for_entries(c, *options) : c.reply.null_array();
}
void xread_command(Context& c) { read_generic(c, false); }
void xreadgroup_command(Context& c) { read_generic(c, true); }

constexpr Binding kBindings[] = {
    {"xread", xread_command},
    {"xreadgroup", xreadgroup_command},
};

}  // namespace

std::span<const Binding> stream_read_bindings() { return kBindings; }

}  // namespace holdfast::family
