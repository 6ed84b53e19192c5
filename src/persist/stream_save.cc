#include "persist/stream_save.h"

#include "codec/rdb/write.h"

namespace holdfast::persist {

namespace rdb = codec::rdb;
using store::ConsumerGroup;
using store::StreamId;

namespace {

void put_big_endian(std::string& out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

/// As in nodes' keys and pending entries.
void put_raw_id(std::string& out, StreamId id) {
  put_big_endian(out, id.ms);
  put_big_endian(out, id.sequence);
}

void put_id(std::string& out, StreamId id) {
  rdb::put_length(out, id.ms);
  rdb::put_length(out, id.sequence);
}

void put_group(std::string& out, const ConsumerGroup& group, bool compress, bool active_times) {
  rdb::put_string(out, group.name(), compress);
  put_id(out, group.last_id);
  rdb::put_length(out, static_cast<uint64_t>(group.entries_read));
  const auto& pending = group.pending();
  rdb::put_length(out, pending.size());
  for (auto at = pending.begin(); at != pending.end(); pending.forward(at)) {
    const ConsumerGroup::Pending& one = pending.at(at);
    put_raw_id(out, one.id);
    rdb::put_uint64(out, static_cast<uint64_t>(one.delivered_ms));
    rdb::put_length(out, one.deliveries);
  }
  rdb::put_length(out, group.consumers().size());
  for (const auto& [name, consumer] : group.consumers()) {
    rdb::put_string(out, name, compress);
    rdb::put_uint64(out, static_cast<uint64_t>(consumer.seen_ms));
    if (active_times) rdb::put_uint64(out, static_cast<uint64_t>(consumer.active_ms));
    const auto& owned = consumer.pending;
    rdb::put_length(out, owned.size());
    for (auto at = owned.begin(); at != owned.end(); owned.forward(at)) put_raw_id(out, owned.at(at).id);
  }
}

}  // namespace

void put_stream(std::string& out, const store::Stream& stream, bool compress, bool active_times) {
  rdb::put_length(out, stream.nodes());
  stream.for_each_node([&](const store::StreamNode& node) { put_stream_node(out, node, compress); });
  put_stream_rest(out, stream, compress, active_times);
}

void put_stream_node(std::string& out, const store::StreamNode& node, bool compress) {
  rdb::put_length(out, 16);
  put_raw_id(out, node.id);
  rdb::put_string(out, node.listpack(), compress);
}

void put_stream_rest(std::string& out, const store::Stream& stream, bool compress, bool active_times) {
  const store::Stream::Marks& marks = stream.marks();
  rdb::put_length(out, stream.size());
  put_id(out, marks.last_id);
  put_id(out, marks.first_id);
  put_id(out, marks.max_deleted_id);
  rdb::put_length(out, marks.entries_added);
  rdb::put_length(out, stream.groups().size());
  for (const auto& [name, group] : stream.groups()) put_group(out, group, compress, active_times);
}

}  // namespace holdfast::persist
