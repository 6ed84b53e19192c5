#include <fmt/format.h>

#include "base/assert.h"
#include "base/text.h"
#include "family/lookup.h"
#include "family/stream.h"

namespace holdfast::family {

using store::ConsumerGroup;
using store::Entry;
using store::Key;
using store::Stream;
using store::StreamConsumer;
using store::StreamEntry;
using store::StreamId;
using store::Type;

namespace {

constexpr size_t kIdTextMax = 127;
constexpr size_t kPrintedIdMax = 44;

/// COMPAT: leading spaces, a plus and zeros pass, as with strtoull.
std::optional<uint64_t> parse_part(std::string_view text) {
  if (const auto value = parse_uint64(text)) return value;
  text = text.substr(std::min(text.find_first_not_of(" \t\n\v\f\r"), text.size()));
  if (text.starts_with('+')) text.remove_prefix(1);
  const size_t digits = text.find_first_not_of('0');
  if (text.empty()) return std::nullopt;
  return digits == std::string_view::npos ? 0 : parse_uint64(text.substr(digits));
}

struct Printed {
  char bytes[kPrintedIdMax];
  size_t size;
  std::string_view text() const { return {bytes, size}; }
};
Printed print(StreamId id) {
  Printed out;
  char* const end = fmt::format_to(out.bytes, FMT_STRING("{}-{}"), id.ms, id.sequence);
  out.size = static_cast<size_t>(end - out.bytes);
  return out;
}

std::optional<StreamId> read_end(Context& c, std::string_view text, uint64_t missing, bool& excluded) {
  excluded = text.size() > 1 && text[0] == '(';
  if (!excluded && text == "-") return store::kStreamIdMin;
  if (!excluded && text == "+") return store::kStreamIdMax;
  const auto id = parse_id(excluded ? text.substr(1) : text, missing);
  if (!id) c.reply.error(kInvalidStreamId);
  return id;
}

}  // namespace

std::string print_id(StreamId id) { return std::string(print(id).text()); }
void reply_id(command::Reply& reply, StreamId id) { reply.bulk(print(id).text()); }

std::optional<StreamId> parse_id(std::string_view text, uint64_t missing_sequence) {
  if (text.size() > kIdTextMax) return std::nullopt;
  text = text.substr(0, text.find('\0'));
  const size_t dash = text.find('-');
  const auto ms = parse_part(text.substr(0, dash));
  if (!ms) return std::nullopt;
  if (dash == std::string_view::npos) return StreamId{*ms, missing_sequence};
  const auto sequence = parse_part(text.substr(dash + 1));
  if (!sequence) return std::nullopt;
  return StreamId{*ms, *sequence};
}

std::optional<StreamId> read_id(Context& c, std::string_view text) {
  const auto id = parse_id(text);
  if (!id) c.reply.error(kInvalidStreamId);
  return id;
}

std::optional<StreamId> read_range_start(Context& c, std::string_view text) {
  bool excluded = false;
  auto id = read_end(c, text, 0, excluded);
  if (!id || !excluded) return id;
  id = id->next();
  if (!id) c.reply.error("ERR invalid start ID for the interval");
  return id;
}

std::optional<StreamId> read_range_end(Context& c, std::string_view text) {
  bool excluded = false;
  auto id = read_end(c, text, UINT64_MAX, excluded);
  if (!id || !excluded) return id;
  id = id->previous();
  if (!id) c.reply.error("ERR invalid end ID for the interval");
  return id;
}

Stream* stream_for_writing(Context& c, const Key& key, bool& wrong) {
  const Entry* const entry = lookup_write(c, key, Type::kStream, wrong);
  return entry == nullptr ? nullptr : &c.db().find_for_write(key)->stream();
}

Stream* stream_to_claim_from(Context& c, const Key& key, bool& wrong) {
  const Entry* const entry = lookup_read(c, key, Type::kStream, wrong);
  return entry == nullptr ? nullptr : &c.db().find_for_write(key)->stream();
}

void reply_entry(command::Reply& reply, const StreamEntry& entry) {
  reply.array(2);
  reply_id(reply, entry.id);
  reply.array(entry.fields * 2);
  entry.for_each([&](std::string_view field, std::string_view value) {
    reply.bulk(field);
    reply.bulk(value);
  });
}

void reply_entry(command::Reply& reply, const Stream& stream, StreamId id) {
  bool found = false;
  stream.for_each(id, id, [&](const StreamEntry& entry) {
    found = true;
    reply_entry(reply, entry);
    return false;
  });
  HF_ASSERT(found);
}

void reply_range(command::Reply& reply, const Stream& stream, StreamId from, StreamId to, size_t count, bool reversed) {
  size_t left = from > to ? 0 : stream.count(from, to, count);
  reply.array(left);
  if (left == 0) return;
  const auto visit = [&](const StreamEntry& entry) {
    reply_entry(reply, entry);
    return --left > 0;
  };
  reversed ? stream.for_each_reversed(from, to, visit) : stream.for_each(from, to, visit);
}

StreamConsumer& seen_consumer(Context& c, ConsumerGroup& group, std::string_view key, std::string_view name,
                              bool* created) {
  StreamConsumer* consumer = group.consumer(name);
  if (created != nullptr) *created = consumer == nullptr;
  if (consumer == nullptr) {
    consumer = &group.create_consumer(name, c.now_ms());
    ++c.dirty;
    c.notify(kNotifyStream, "xgroup-createconsumer", key);
  }
  consumer->seen_ms = c.now_ms();
  return *consumer;
}

void propagate_claim(Context& c, std::string_view key, const ConsumerGroup& group,
                     const ConsumerGroup::Pending& pending) {
  c.replace_effect({"XCLAIM", key, group.name(), pending.consumer->name, "0", print(pending.id).text(), "TIME",
                    std::to_string(pending.delivered_ms), "RETRYCOUNT", std::to_string(pending.deliveries), "FORCE",
                    "JUSTID", "LASTID", print(group.last_id).text()});
}

void propagate_group_id(Context& c, std::string_view key, const ConsumerGroup& group) {
  c.replace_effect({"XGROUP", "SETID", key, group.name(), print(group.last_id).text(), "ENTRIESREAD",
                    std::to_string(group.entries_read)});
}

}  // namespace holdfast::family
