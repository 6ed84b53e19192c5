#include "persist/rdb_save.h"

#include "base/assert.h"
#include "codec/crc64.h"
#include "codec/rdb/write.h"
#include "persist/stream_save.h"
#include "store/dataset.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"
#include "store/type/stream.h"

namespace holdfast::persist {

namespace rdb = codec::rdb;
using store::Entry;
using store::Type;

namespace {

rdb::ValueType value_type(Type type, bool newest) {
  switch (type) {
    case Type::kString:
      return rdb::ValueType::kString;
    case Type::kList:
      return rdb::ValueType::kList;
    case Type::kSet:
      return rdb::ValueType::kSet;
    case Type::kSortedSet:
      return rdb::ValueType::kZset2;
    case Type::kHash:
      return rdb::ValueType::kHash;
    case Type::kStream:
      return newest ? rdb::ValueType::kStreamListpacks3 : rdb::ValueType::kStreamListpacks2;
  }
  HF_UNREACHABLE();
}

void put_content(std::string& out, const Entry& entry, bool compress, bool newest) {
  const auto put = [&](std::string_view text) {
    rdb::put_string(out, text, compress);
    return true;
  };
  switch (entry.type()) {
    case Type::kString:
      if (const auto integer = entry.integer()) {
        rdb::put_integer(out, *integer);
      } else {
        store::NumberBuffer buffer;
        put(entry.string(buffer));
      }
      return;
    case Type::kList:
      rdb::put_length(out, entry.list().size());
      entry.list().for_each(put);
      return;
    case Type::kSet:
      rdb::put_length(out, entry.set().size());
      entry.set().for_each(put);
      return;
    case Type::kHash:
      rdb::put_length(out, entry.hash().size());
      entry.hash().for_each([&](std::string_view field, std::string_view value) { return put(field) && put(value); });
      return;
    case Type::kSortedSet:
      rdb::put_length(out, entry.sorted_set().size());
      // From the highest score down, as the original writes them: readers append each at the head of their order.
      entry.sorted_set().for_each_reversed(0, SIZE_MAX, [&](std::string_view member, double score) {
        put(member);
        rdb::put_double(out, score);
        return true;
      });
      return;
    case Type::kStream:
      put_stream(out, entry.stream(), compress, newest);
      return;
  }
  HF_UNREACHABLE();
}

}  // namespace

void put_header(std::string& out, const SaveInfo& info, const SaveOptions& options) {
  rdb::put_magic(out, options.newest ? rdb::kVersionMax : rdb::kVersionWritten);
  rdb::put_aux(out, "redis-ver", info.redis_version);
  rdb::put_aux(out, "redis-bits", "64");
  rdb::put_aux(out, "ctime", std::to_string(info.ctime_seconds));
  rdb::put_aux(out, "used-mem", std::to_string(info.used_memory));
  if (info.replication) {
    rdb::put_aux(out, "repl-stream-db", std::to_string(info.replication->stream_db));
    rdb::put_aux(out, "repl-id", info.replication->id);
    rdb::put_aux(out, "repl-offset", std::to_string(info.replication->offset));
  }
  rdb::put_aux(out, "aof-base", info.aof_base ? "1" : "0");
  for (const std::string& library : info.functions) {
    rdb::put_opcode(out, rdb::Opcode::kFunction2);
    rdb::put_string(out, library, false);
  }
}

void put_database(std::string& out, size_t index) {
  rdb::put_opcode(out, rdb::Opcode::kSelectDb);
  rdb::put_length(out, index);
}

void put_entry_head(std::string& out, const Entry& entry, const SaveOptions& options) {
  if (entry.has_expiry()) {
    rdb::put_opcode(out, rdb::Opcode::kExpireTimeMs);
    rdb::put_uint64(out, static_cast<uint64_t>(entry.expires_at_ms()));
  }
  switch (options.access) {
    case SaveOptions::Access::kNone:
      break;
    case SaveOptions::Access::kLru:
      rdb::put_opcode(out, rdb::Opcode::kIdle);
      rdb::put_length(out, (options.access_now - entry.access()) & 0xffffff);
      break;
    case SaveOptions::Access::kLfu:
      rdb::put_opcode(out, rdb::Opcode::kFreq);
      rdb::put_byte(out, static_cast<uint8_t>(entry.access()));
      break;
  }
  rdb::put_type(out, value_type(entry.type(), options.newest));
  rdb::put_string(out, entry.key(), options.compress);
}

void put_entry(std::string& out, const Entry& entry, const SaveOptions& options) {
  put_entry_head(out, entry, options);
  put_content(out, entry, options.compress, options.newest);
}

void put_value(std::string& out, const Entry& entry, bool compress) {
  rdb::put_type(out, value_type(entry.type(), false));
  put_content(out, entry, compress, false);
}

void put_trailer(std::string& out, uint64_t crc, bool checksum) {
  std::string end;
  rdb::put_opcode(end, rdb::Opcode::kEof);
  rdb::put_uint64(end, checksum ? codec::crc64(crc, end) : 0);
  out += end;
}

std::string save(const store::Dataset& data, const SaveInfo& info, const SaveOptions& options) {
  std::string out;
  put_header(out, info, options);
  for (size_t i = 0; i < data.databases(); ++i) {
    const store::Keyspace& db = data.db(i);
    if (db.size() == 0) continue;
    put_database(out, i);
    rdb::put_opcode(out, rdb::Opcode::kResizeDb);
    rdb::put_length(out, db.size());
    rdb::put_length(out, db.expiring());
    db.for_each([&](const Entry& entry) {
      put_entry(out, entry, options);
      return true;
    });
  }
  put_trailer(out, codec::crc64(0, out), options.checksum);
  return out;
}

}  // namespace holdfast::persist
