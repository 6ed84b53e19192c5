// RDB saving: entries of a dataset as records of an RDB file.
//
// Written in version 10 (unless asked for more) with the plain value types, which every server since Redis 4 reads;
// readers choose their own compact forms. Source of the aux fields: reference/server.md 1.2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::store {
class Dataset;
class Entry;
}  // namespace holdfast::store

namespace holdfast::persist {

/// What the file says about the server that wrote it.
struct SaveInfo {
  struct Replication {
    int stream_db = 0;
    std::string id;  // 40 hexadecimal digits
    int64_t offset = 0;
  };
  std::string redis_version = "7.2.6";
  int64_t ctime_seconds = 0;  // unix time
  uint64_t used_memory = 0;
  std::optional<Replication> replication;
  bool aof_base = false;
  std::vector<std::string> functions;  // sources of function libraries
};

struct SaveOptions {
  bool compress = true;  // rdbcompression
  bool checksum = true;  // rdbchecksum
  /// With LRU: `access_now` is the 24-bit clock in seconds and idle times are written; with LFU the counters are.
  enum class Access : uint8_t { kNone, kLru, kLfu };
  Access access = Access::kNone;
  uint32_t access_now = 0;
  /// The newest version with all it can hold (active times of stream consumers), not the one that most servers read.
  bool newest = false;
  /// Commands instead of RDB records: the base of an append-only file without `aof-use-rdb-preamble`.
  bool as_commands = false;
};

/// Magic, aux fields, function libraries.
void put_header(std::string& out, const SaveInfo& info, const SaveOptions& options = SaveOptions());
/// Before the first key of a database; again whenever the database changes.
void put_database(std::string& out, size_t index);
/// Expiry, access, type, key, value.
void put_entry(std::string& out, const store::Entry& entry, const SaveOptions& options);
/// What precedes the content of put_entry.
void put_entry_head(std::string& out, const store::Entry& entry, const SaveOptions& options);
/// The value alone: a type byte and what follows the key in a file (DUMP).
void put_value(std::string& out, const store::Entry& entry, bool compress);
/// End mark and checksum, `crc` being that of everything before.
void put_trailer(std::string& out, uint64_t crc, bool checksum);

/// The whole dataset at once, for small ones and for tests; a server uses Snapshot.
std::string save(const store::Dataset& data, const SaveInfo& info, const SaveOptions& options = SaveOptions());

}  // namespace holdfast::persist
