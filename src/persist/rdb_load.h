// RdbLoader: a fresh dataset out of the bytes of an RDB file, fed in any chunking.
//
// On success the caller takes the dataset and swaps it in; until then, and after an error, the server's own is
// untouched. Error texts and log lines are the original's where it has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/rdb/read.h"
#include "persist/value_builder.h"
#include "store/dataset.h"

namespace holdfast::persist {

struct LoadOptions {
  /// True where this server is the primary: keys already expired at `now_ms` are not loaded. A replica and an AOF base
  /// load everything; the deletes come by the stream.
  bool skip_expired = true;
  /// A later record of the same key replaces the earlier one (DEBUG RELOAD MERGE) instead of being an error.
  bool allow_duplicates = false;
  int64_t now_ms = 0;  // unix time
  codec::rdb::ReadLimits limits;
  /// How IDLE and FREQ fields become access bits: with LRU `access_now` is the 24-bit clock, with LFU its minutes.
  bool lfu = false;
  uint32_t access_now = 0;
};

/// The aux fields of the file; absent ones are empty.
struct LoadedInfo {
  std::string redis_version;
  std::optional<int64_t> ctime_seconds;
  std::optional<uint64_t> used_memory;
  std::optional<int> repl_stream_db;
  std::string repl_id;  // 40 characters or empty
  std::optional<int64_t> repl_offset;
  bool aof_base = false;
  bool aof_preamble = false;
};

class RdbLoader {
 public:
  enum class Status : uint8_t { kNeedMore, kDone, kError };

  RdbLoader(std::unique_ptr<store::Dataset> into, const LoadOptions& options);

  /// Cost is bounded by what `bytes` completes. After kDone and kError nothing more is taken.
  Status feed(std::string_view bytes);
  /// The input is over: kDone stays, anything else becomes a short read. Bytes behind the end are left to rest(), but
  /// refused for versions that carry no checksum.
  Status finish();

  const std::string& error() const { return error_; }
  const LoadedInfo& info() const { return info_; }
  const std::vector<std::string>& functions() const { return functions_; }
  uint64_t keys_loaded() const { return loaded_; }
  uint64_t keys_expired() const { return expired_; }
  uint64_t empty_keys_skipped() const { return empty_; }
  /// Bytes of the file read so far: loading_loaded_bytes.
  uint64_t consumed() const { return reader_.consumed(); }
  /// After kDone: fed bytes behind the file.
  std::string_view rest() const { return reader_.rest(); }
  /// Notice-level lines since the last call, in order.
  std::vector<std::string> take_log();
  /// After kDone.
  std::unique_ptr<store::Dataset> take();

 private:
  Status fail(std::string text);
  /// False: error_ says why.
  bool apply(const codec::rdb::Event& event);
  bool begin_key(const codec::rdb::Event& event);
  void end_key();
  void note_aux(std::string_view name, std::string_view value);
  void note_end();

  LoadOptions options_;
  std::unique_ptr<store::Dataset> data_;
  codec::rdb::Reader reader_;
  Status status_ = Status::kNeedMore;
  std::string error_;
  LoadedInfo info_;
  std::vector<std::string> functions_;
  std::vector<std::string> log_;
  size_t db_ = 0;
  ValueBuilder builder_;
  bool skipping_ = false;  // the key in hand is expired
  std::string key_;
  int64_t expires_at_ms_ = store::kNoExpiry;
  std::optional<uint64_t> idle_;
  std::optional<uint8_t> frequency_;
  uint64_t loaded_ = 0;
  uint64_t expired_ = 0;
  uint64_t empty_ = 0;
};

}  // namespace holdfast::persist
