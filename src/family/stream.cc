// Streams as logs: adding, trimming, deleting, reading ranges.
#include "family/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::Key;
using store::Stream;
using store::StreamId;
using store::Type;

/// Names and values of one entry together.
constexpr size_t kEntryBytesMax = size_t{1} << 30;
constexpr uint64_t kNodesTrimmedMax = 100;
constexpr uint64_t kTrimmedWithoutBound = 10000;
constexpr uint64_t kTrimmedMax = 1000000;

/// Options of XADD and XTRIM.
struct AddOptions {
  Stream::Trim trim;
  bool limited = false;
  size_t threshold_at = 0;  // argument that says how much to keep
  bool make_stream = true;
  size_t id_at = 0;  // XADD
  StreamId id;
  bool id_given = false;        // not `*`
  bool sequence_given = false;  // nor `ms-*`
};

/// The stream from a primary and the append-only file were trimmed already and say exactly how far.
bool obeys(const Context& c) { return c.session.role == Role::kPrimary || c.state.loading; }

void read_threshold(Context& c, command::Args& args, AddOptions& options, Stream::Trim::By by) {
  if (options.trim.by != Stream::Trim::By::kNothing) {
    return args.fail("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
  }
  options.trim.whole_nodes = args.left() >= 2 && args.take("~");
  if (!options.trim.whole_nodes && args.left() >= 2) args.take("=");
  options.threshold_at = c.argv.size() - args.left();
  const std::string_view text = args.peek();
  if (by == Stream::Trim::By::kLength) {
    const int64_t length = args.integer();
    if (length < 0) args.fail("ERR The MAXLEN argument must be >= 0.");
    options.trim.length = static_cast<uint64_t>(length);
  } else {
    args.next();
    const auto id = parse_id(text);
    if (!id) return args.fail(kInvalidStreamId);
    options.trim.min_id = *id;
  }
  options.trim.by = by;
}

void read_new_id(command::Args& args, AddOptions& options) {
  std::string_view text = args.next();
  options.id_given = true;
  options.sequence_given = !text.ends_with("-*");
  if (!options.sequence_given) text.remove_suffix(2);
  const auto id = parse_id(text);
  if (!id || (!options.sequence_given && text.find('-') != std::string_view::npos)) return args.fail(kInvalidStreamId);
  options.id = *id;
}

void bound_trim(const Context& c, AddOptions& options, command::Args& args, int64_t limit) {
  using By = Stream::Trim::By;
  if (limit != 0 && options.trim.by == By::kNothing) {
    return args.fail("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
  }
  if (options.id_at == 0 && options.trim.by == By::kNothing) {
    return args.fail("ERR syntax error, XTRIM must be called with a trimming strategy");
  }
  if (obeys(c)) return;
  if (options.limited) {
    if (!options.trim.whole_nodes) {
      return args.fail("ERR syntax error, LIMIT cannot be used without the special ~ option");
    }
    options.trim.limit = static_cast<uint64_t>(limit);
  } else if (options.trim.whole_nodes) {
    const auto per_node = static_cast<uint64_t>(
        std::min<int64_t>(c.state.data->context().limits.stream_node_max_entries, static_cast<int64_t>(kTrimmedMax)));
    options.trim.limit = per_node == 0 ? kTrimmedWithoutBound : std::min(kNodesTrimmedMax * per_node, kTrimmedMax);
  }
}

/// From argument 2 on, up to and with the id for XADD. nullopt: the error is written.
std::optional<AddOptions> read_options(Context& c, bool adding) {
  AddOptions options;
  int64_t limit = 0;
  command::Args args = c.args(2);
  while (args.more() && options.id_at == 0) {
    const bool more = args.left() > 1;
    if (adding && args.peek() == "*") {
      options.id_at = c.argv.size() - args.left();
    } else if (more && args.take("maxlen")) {
      read_threshold(c, args, options, Stream::Trim::By::kLength);
    } else if (more && args.take("minid")) {
      read_threshold(c, args, options, Stream::Trim::By::kId);
    } else if (more && args.take("limit")) {
      limit = args.integer();
      if (limit < 0) args.fail("ERR The LIMIT argument must be >= 0.");
      options.limited = true;
    } else if (adding && args.take("nomkstream")) {
      options.make_stream = false;
    } else if (adding) {
      options.id_at = c.argv.size() - args.left();
      read_new_id(args, options);
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (!args.failed()) bound_trim(c, options, args, limit);
  if (!args.failed()) return options;
  c.reply.error(args.error());
  return std::nullopt;
}

/// How far an approximate trim went, said exactly.
void rewrite_threshold(std::vector<std::string>& words, const AddOptions& options, const Stream& stream) {
  words[options.threshold_at - 1] = "=";
  words[options.threshold_at] = options.trim.by == Stream::Trim::By::kLength
                                    ? std::to_string(stream.size())
                                    : print_id(stream.lowest_held_id().value_or(store::kStreamIdMax));
}

/// The id a new entry gets; nullopt: there is none behind the last one.
std::optional<StreamId> next_id(const Context& c, const Stream& stream, const AddOptions& options) {
  const StreamId last = stream.marks().last_id;
  StreamId id = options.id;
  if (!options.id_given) {
    const auto ms = static_cast<uint64_t>(c.now_ms());
    if (ms <= last.ms) return last.next();
    id = {ms, 0};
  } else if (!options.sequence_given && id.ms == last.ms) {
    if (last.sequence == UINT64_MAX) return std::nullopt;
    id.sequence = last.sequence + 1;
  }
  if (id <= last) return std::nullopt;
  return id;
}

void xadd_command(Context& c) {
  const auto options = read_options(c, true);
  if (!options) return;
  const auto words = options->id_at == 0 ? std::span<const std::string_view>() : c.argv.subspan(options->id_at + 1);
  if (words.size() < 2 || words.size() % 2 != 0) {
    return c.reply.error("ERR wrong number of arguments for 'xadd' command");
  }
  if (options->id_given && options->sequence_given && options->id.is_zero()) {
    return c.reply.error("ERR The ID specified in XADD must be greater than 0-0");
  }
  const std::string_view name = c.argv[1];
  const Key key = c.key(name);
  if (!options->make_stream) {
    bool wrong = false;
    const bool there = lookup_write(c, key, Type::kStream, wrong) != nullptr;
    if (wrong) return;
    if (!there) return c.reply.null();
  }
  size_t bytes = 0;
  for (const std::string_view word : words) bytes += word.size();
  Entry* const entry = find_or_create(c, key, Type::kStream);
  if (entry == nullptr) return;
  Stream& stream = entry->stream();
  if (stream.marks().last_id == store::kStreamIdMax) {
    return c.reply.error("ERR The stream has exhausted the last possible ID, unable to add more items");
  }
  const auto id = next_id(c, stream, *options);
  if (!id) {
    return c.reply.error("ERR The ID specified in XADD is equal or smaller than the target stream top item");
  }
  if (bytes > kEntryBytesMax) return c.reply.error("ERR Elements are too large to be stored");
  stream.append(*id, words);
  reply_id(c.reply, *id);
  c.modified(name);
  c.notify(kNotifyStream, "xadd", name);
  ++c.dirty;
  if (stream.trim(options->trim) > 0) c.notify(kNotifyStream, "xtrim", name);
  if (!c.propagating) return c.drop_effect();
  const bool approximate = options->trim.whole_nodes;
  if (!approximate && options->id_given && options->sequence_given) return;
  std::vector<std::string> effect(c.argv.begin(), c.argv.end());
  if (approximate) rewrite_threshold(effect, *options, stream);
  effect[options->id_at] = print_id(*id);
  c.replace_effect(std::move(effect));
}

void xtrim_command(Context& c) {
  const auto options = read_options(c, false);
  if (!options) return;
  const std::string_view name = c.argv[1];
  bool wrong = false;
  Stream* const stream = stream_for_writing(c, c.key(name), wrong);
  if (wrong) return;
  if (stream == nullptr) return c.reply.integer(0);
  const size_t gone = stream->trim(options->trim);
  c.reply.integer(static_cast<int64_t>(gone));
  if (gone == 0) return;
  c.notify(kNotifyStream, "xtrim", name);
  c.modified(name);
  c.dirty += gone;
  if (!options->trim.whole_nodes) return;
  std::vector<std::string> effect(c.argv.begin(), c.argv.end());
  rewrite_threshold(effect, *options, *stream);
  c.replace_effect(std::move(effect));
}

void xdel_command(Context& c) {
  const std::string_view name = c.argv[1];
  bool wrong = false;
  Stream* const stream = stream_for_writing(c, c.key(name), wrong);
  if (wrong) return;
  if (stream == nullptr) return c.reply.integer(0);
  std::vector<StreamId> ids;
  for (const std::string_view text : c.argv.subspan(2)) {
    const auto id = read_id(c, text);
    if (!id) return;
    ids.push_back(*id);
  }
  const size_t gone = stream->erase(ids);
  c.reply.integer(static_cast<int64_t>(gone));
  if (gone == 0) return;
  c.modified(name);
  c.notify(kNotifyStream, "xdel", name);
  c.dirty += gone;
}

void xlen_command(Context& c) {
  bool wrong = false;
  const Entry* const entry = lookup_read(c, c.key(c.argv[1]), Type::kStream, wrong);
  if (!wrong) c.reply.integer(entry == nullptr ? 0 : static_cast<int64_t>(entry->stream().size()));
}

void range_generic(Context& c, bool reversed) {
  const auto from = read_range_start(c, c.argv[reversed ? 3 : 2]);
  if (!from) return;
  const auto to = read_range_end(c, c.argv[reversed ? 2 : 3]);
  if (!to) return;
  command::Args args = c.args(4);
  int64_t count = -1;
  while (args.more()) {
    if (args.left() < 2 || !args.take("count")) {
      args.fail(command::kSyntaxError);
    } else {
      count = std::max<int64_t>(args.integer(), 0);
    }
  }
  if (args.failed()) return c.reply.error(args.error());
  bool wrong = false;
  const Entry* const entry = lookup_read(c, c.key(c.argv[1]), Type::kStream, wrong);
  if (wrong) return;
  if (entry == nullptr) return c.reply.array(0);
  if (count == 0) return c.reply.null_array();
  reply_range(c.reply, entry->stream(), *from, *to, count < 0 ? SIZE_MAX : static_cast<size_t>(count), reversed);
}
void xrange_command(Context& c) { range_generic(c, false); }
void xrevrange_command(Context& c) { range_generic(c, true); }

/// Null: done. Else the error.
std::string_view set_marks(Stream& stream, StreamId id, std::optional<int64_t> added, StreamId max_deleted) {
  Stream::Marks marks = stream.marks();
  if (id < marks.max_deleted_id) {
    return "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
  }
  if (!stream.empty()) {
    if (id < *stream.top_id()) return "ERR The ID specified in XSETID is smaller than the target stream top item";
    if (added && static_cast<uint64_t>(*added) < stream.size()) {
      return "ERR The entries_added specified in XSETID is smaller than the target stream length";
    }
  }
  // Deleted entries that are still held must stay behind the last id too: appending relies on it.
  marks.last_id = std::max(id, stream.highest_held_id().value_or(id));
  if (added) marks.entries_added = static_cast<uint64_t>(*added);
  if (!max_deleted.is_zero()) marks.max_deleted_id = max_deleted;
  stream.set_marks(marks);
  return {};
}

void xsetid_command(Context& c) {
  const auto id = read_id(c, c.argv[2]);
  if (!id) return;
  std::optional<int64_t> added;
  StreamId max_deleted;
  command::Args args = c.args(3);
  while (args.more()) {
    const bool more = args.left() > 1;
    if (more && args.take("entriesadded")) {
      added = args.integer();
      if (*added < 0) args.fail("ERR entries_added must be positive");
    } else if (more && args.take("maxdeletedid")) {
      const auto given = parse_id(args.next());
      if (!given) {
        args.fail(kInvalidStreamId);
      } else if (*id < *given) {
        args.fail("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
      } else {
        max_deleted = *given;
      }
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (args.failed()) return c.reply.error(args.error());
  bool wrong = false;
  Stream* const stream = stream_for_writing(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  if (stream == nullptr) return c.reply.error("ERR no such key");
  const std::string_view error = set_marks(*stream, *id, added, max_deleted);
  if (!error.empty()) return c.reply.error(error);
  c.reply.ok();
  ++c.dirty;
  c.notify(kNotifyStream, "xsetid", c.argv[1]);
}

constexpr Binding kBindings[] = {
    {"xadd", xadd_command},           {"xdel", xdel_command},     {"xlen", xlen_command},   {"xrange", xrange_command},
    {"xrevrange", xrevrange_command}, {"xsetid", xsetid_command}, {"xtrim", xtrim_command},
};

}  // namespace

std::span<const Binding> stream_bindings() { return kBindings; }

}  // namespace holdfast::family
