#include "persist/aof_save.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "codec/resp/encode.h"
#include "store/entry.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"
#include "store/type/stream.h"

namespace holdfast::persist {
namespace {

using codec::append_bulk;
using store::Entry;
using store::Type;

/// Opens a command where the last one is full: `name key` with room for the items that follow.
class Batches {
 public:
  Batches(std::string& out, std::string_view name, std::string_view key, size_t items, size_t words_per_item)
      : out_(out), name_(name), key_(key), left_(items), words_(words_per_item) {}
  void next_item() {
    if (room_ == 0) {
      room_ = std::min(left_, kItemsPerCommand);
      codec::append_number_line(out_, '*', static_cast<int64_t>(2 + room_ * words_));
      append_bulk(out_, name_);
      append_bulk(out_, key_);
    }
    HF_ASSERT(left_ > 0);
    --room_;
    --left_;
  }

 private:
  std::string& out_;
  std::string_view name_;
  std::string_view key_;
  size_t left_;
  size_t words_;
  size_t room_ = 0;
};

std::string id_text(store::StreamId id) { return fmt::format("{}-{}", id.ms, id.sequence); }

void put_pending_commands(std::string& out, std::string_view key, const store::ConsumerGroup& group) {
  for (const auto& [name, consumer] : group.consumers()) {
    const std::string_view reader(name);
    const auto& owned = consumer.pending;
    for (auto at = owned.begin(); at != owned.end(); owned.forward(at)) {
      const store::ConsumerGroup::Pending& pending = *group.pending().find(owned.at(at).id);
      codec::append_request(out, {"XCLAIM", key, group.name(), reader, "0", id_text(pending.id), "TIME",
                                  std::to_string(pending.delivered_ms), "RETRYCOUNT",
                                  std::to_string(pending.deliveries), "JUSTID", "FORCE"});
    }
    if (owned.size() == 0) codec::append_request(out, {"XGROUP", "CREATECONSUMER", key, group.name(), reader});
  }
}

}  // namespace

/// Shortest text that reads back as the same number, as the original writes scores (%.17g).
std::string score_text(double score) { return fmt::format("{:.17g}", score); }

void put_stream_entry_command(std::string& out, std::string_view key, const store::StreamEntry& entry) {
  codec::append_number_line(out, '*', static_cast<int64_t>(3 + 2 * entry.fields));
  append_bulk(out, "XADD");
  append_bulk(out, key);
  append_bulk(out, id_text(entry.id));
  entry.for_each([&](std::string_view field, std::string_view value) {
    append_bulk(out, field);
    append_bulk(out, value);
  });
}

void put_stream_rest_commands(std::string& out, std::string_view key, const store::Stream& stream) {
  if (stream.empty()) codec::append_request(out, {"XADD", key, "MAXLEN", "0", "0-1", "x", "y"});
  const store::Stream::Marks& marks = stream.marks();
  codec::append_request(out, {"XSETID", key, id_text(marks.last_id), "ENTRIESADDED",
                              std::to_string(marks.entries_added), "MAXDELETEDID", id_text(marks.max_deleted_id)});
  for (const auto& [name, group] : stream.groups()) {
    codec::append_request(out, {"XGROUP", "CREATE", key, std::string_view(name), id_text(group.last_id), "ENTRIESREAD",
                                std::to_string(group.entries_read)});
    put_pending_commands(out, key, group);
  }
}

void put_expiry_command(std::string& out, const Entry& entry) {
  if (!entry.has_expiry()) return;
  codec::append_request(out, {"PEXPIREAT", entry.key(), std::to_string(entry.expires_at_ms())});
}

namespace {

void put_stream_commands(std::string& out, std::string_view key, const store::Stream& stream) {
  stream.for_each(store::kStreamIdMin, store::kStreamIdMax, [&](const store::StreamEntry& entry) {
    put_stream_entry_command(out, key, entry);
    return true;
  });
  put_stream_rest_commands(out, key, stream);
}

void put_value_commands(std::string& out, const Entry& entry) {
  const std::string_view key = entry.key();
  switch (entry.type()) {
    case Type::kString: {
      store::NumberBuffer buffer;
      return codec::append_request(out, {"SET", key, entry.string(buffer)});
    }
    case Type::kList: {
      Batches batches(out, "RPUSH", key, entry.list().size(), 1);
      entry.list().for_each([&](std::string_view item) {
        batches.next_item();
        append_bulk(out, item);
        return true;
      });
      return;
    }
    case Type::kSet: {
      Batches batches(out, "SADD", key, entry.set().size(), 1);
      entry.set().for_each([&](std::string_view member) {
        batches.next_item();
        append_bulk(out, member);
        return true;
      });
      return;
    }
    case Type::kHash: {
      Batches batches(out, "HMSET", key, entry.hash().size(), 2);
      entry.hash().for_each([&](std::string_view field, std::string_view value) {
        batches.next_item();
        append_bulk(out, field);
        append_bulk(out, value);
        return true;
      });
      return;
    }
    case Type::kSortedSet: {
      Batches batches(out, "ZADD", key, entry.sorted_set().size(), 2);
      entry.sorted_set().for_each(0, SIZE_MAX, [&](std::string_view member, double score) {
        batches.next_item();
        append_bulk(out, score_text(score));
        append_bulk(out, member);
        return true;
      });
      return;
    }
    case Type::kStream:
      return put_stream_commands(out, key, entry.stream());
  }
  HF_UNREACHABLE();
}

}  // namespace

void put_select_command(std::string& out, size_t index) {
  codec::append_request(out, {"SELECT", std::to_string(index)});
}

void put_function_command(std::string& out, std::string_view library) {
  codec::append_request(out, {"FUNCTION", "LOAD", library});
}

void put_entry_commands(std::string& out, const Entry& entry) {
  put_value_commands(out, entry);
  put_expiry_command(out, entry);
}

}  // namespace holdfast::persist
