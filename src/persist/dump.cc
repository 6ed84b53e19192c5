#include "persist/dump.h"

#include "base/assert.h"
#include "codec/crc64.h"
#include "codec/rdb/read.h"
#include "codec/rdb/write.h"
#include "persist/rdb_save.h"
#include "persist/value_builder.h"

namespace holdfast::persist {

namespace rdb = codec::rdb;

namespace {

constexpr size_t kFooterBytes = 10;
constexpr size_t kChecksumBytes = 8;

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

void put_footer(std::string& out) {
  rdb::put_byte(out, rdb::kVersionWritten);
  rdb::put_byte(out, 0);
  rdb::put_uint64(out, codec::crc64(0, out));
}

}  // namespace

std::string dump(const store::Entry& entry) {
  std::string out;
  put_value(out, entry, true);
  put_footer(out);
  return out;
}

std::string dump_functions(std::span<const std::string> sources) {
  std::string out;
  for (const std::string& source : sources) {
    rdb::put_opcode(out, rdb::Opcode::kFunction2);
    rdb::put_string(out, source, true);
  }
  put_footer(out);
  return out;
}

std::expected<std::vector<std::string>, std::string> restore_functions(std::string_view payload) {
  HF_ASSERT(is_valid_dump(payload));
  // As the middle of a file without keys and without a checksum.
  std::string file = "REDIS0011";
  file += payload.substr(0, payload.size() - kFooterBytes);
  rdb::put_opcode(file, rdb::Opcode::kEof);
  rdb::put_uint64(file, 0);
  rdb::Reader reader(rdb::Reader::Source::kFile);
  reader.feed(file);
  std::vector<std::string> sources;
  rdb::Event event;
  for (;;) {
    const rdb::Reader::Status status = reader.next(event);
    if (status == rdb::Reader::Status::kEnd) return sources;
    if (status != rdb::Reader::Status::kEvent) return std::unexpected("failed loading the given functions payload");
    if (event.kind != rdb::Event::Kind::kFunction) return std::unexpected("given type is not a function");
    sources.emplace_back(event.first);
  }
}

bool is_valid_dump(std::string_view payload) {
  if (payload.size() < kFooterBytes) return false;
  const size_t body = payload.size() - kFooterBytes;
  if (little_endian(payload.substr(body, 2)) > rdb::kVersionMax) return false;
  const uint64_t told = little_endian(payload.substr(payload.size() - kChecksumBytes));
  return told == codec::crc64(0, payload.substr(0, payload.size() - kChecksumBytes));
}

std::expected<void, RestoreError> restore(std::string_view payload, store::Keyspace& db, const store::Key& key,
                                          int64_t expires_at_ms) {
  HF_ASSERT(!db.contains(key));
  if (!is_valid_dump(payload)) return std::unexpected(RestoreError::kVersionOrChecksum);
  rdb::Reader reader(rdb::Reader::Source::kValue);
  reader.feed(payload.substr(0, payload.size() - kFooterBytes));
  ValueBuilder builder;
  rdb::Event event;
  bool good = true;
  while (good) {
    const rdb::Reader::Status status = reader.next(event);
    if (status == rdb::Reader::Status::kEnd) break;
    good = status == rdb::Reader::Status::kEvent;
    if (!good) break;
    if (event.kind == rdb::Event::Kind::kKey) {
      builder.begin(db, key.bytes, event.container);
    } else if (event.kind != rdb::Event::Kind::kKeyEnd) {
      good = !builder.add(event).has_value();
    }
  }
  if (good && reader.rest().empty() && !builder.check_end() && builder.finish(expires_at_ms) != nullptr) return {};
  builder.abandon();
  return std::unexpected(RestoreError::kBadData);
}

}  // namespace holdfast::persist
