#include "persist/rdb_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/text.h"

namespace holdfast::persist {

namespace rdb = codec::rdb;

namespace {

constexpr size_t kReplicationIdSize = 40;
constexpr uint64_t kEmptyKeysLogged = 10;
constexpr uint32_t kAccessMask = 0xffffff;
constexpr uint32_t kFrequencyMinutesMask = 0xffff;

}  // namespace

RdbLoader::RdbLoader(std::unique_ptr<store::Dataset> into, const LoadOptions& options)
    : options_(options), data_(std::move(into)), reader_(rdb::Reader::Source::kFile, options.limits) {
  HF_ASSERT(data_ != nullptr);
}

RdbLoader::Status RdbLoader::fail(std::string text) {
  error_ = std::move(text);
  return status_ = Status::kError;
}

RdbLoader::Status RdbLoader::feed(std::string_view bytes) {
  if (status_ != Status::kNeedMore) return status_;
  reader_.feed(bytes);
  rdb::Event event;
  while (true) {
    switch (reader_.next(event)) {
      case rdb::Reader::Status::kNeedMore:
        return status_;
      case rdb::Reader::Status::kError:
        return fail(reader_.error());
      case rdb::Reader::Status::kEnd:
        note_end();
        return status_ = Status::kDone;
      case rdb::Reader::Status::kEvent:
        if (!apply(event)) return status_ = Status::kError;
    }
  }
}

RdbLoader::Status RdbLoader::finish() {
  if (status_ == Status::kNeedMore) fail(std::string(rdb::Reader::short_read()));
  if (status_ == Status::kDone && reader_.version() < rdb::kChecksumSince && !reader_.rest().empty()) {
    // Without a checksum this is the only trace of a newer file whose version digits were damaged.
    fail(fmt::format("Unexpected data after the end of an RDB file of version {}", reader_.version()));
  }
  return status_;
}

bool RdbLoader::apply(const rdb::Event& event) {
  switch (event.kind) {
    case rdb::Event::Kind::kAux:
      note_aux(event.first, event.second);
      return true;
    case rdb::Event::Kind::kSelectDb:
      if (event.number >= data_->databases()) {
        error_ = fmt::format(
            "FATAL: Data file was created with a Redis server configured to handle more than {} databases. Exiting",
            data_->databases());
        return false;
      }
      db_ = event.number;
      return true;
    case rdb::Event::Kind::kResizeDb:
      return true;  // a hint; the table grows in small steps anyway
    case rdb::Event::Kind::kFunction:
      functions_.emplace_back(event.first);
      return true;
    case rdb::Event::Kind::kKey:
      return begin_key(event);
    case rdb::Event::Kind::kString:
    case rdb::Event::Kind::kElement:
    case rdb::Event::Kind::kPair:
    case rdb::Event::Kind::kScored:
    case rdb::Event::Kind::kStreamNode:
    case rdb::Event::Kind::kStreamMarks:
    case rdb::Event::Kind::kStreamGroup:
    case rdb::Event::Kind::kStreamPending:
    case rdb::Event::Kind::kStreamConsumer:
    case rdb::Event::Kind::kStreamOwned:
      if (skipping_) return true;
      if (const auto wrong = builder_.add(event)) {
        error_ = *wrong;
        return false;
      }
      return true;
    case rdb::Event::Kind::kKeyEnd:
      if (skipping_) {
        ++expired_;
      } else if (const auto wrong = builder_.check_end()) {
        error_ = *wrong;
        return false;
      } else {
        end_key();
      }
      return true;
    case rdb::Event::Kind::kEnd:
      break;
  }
  HF_UNREACHABLE();
}

bool RdbLoader::begin_key(const rdb::Event& event) {
  expires_at_ms_ = store::kNoExpiry;
  if (event.expires_at_ms && *event.expires_at_ms != -1) {
    // A time before 1970 is as over as 1970 itself; the store has no negative ones.
    expires_at_ms_ = std::max<int64_t>(*event.expires_at_ms, 0);
  }
  idle_ = event.idle_seconds;
  frequency_ = event.frequency;
  key_ = event.first;
  skipping_ = options_.skip_expired && expires_at_ms_ != store::kNoExpiry && expires_at_ms_ < options_.now_ms;
  if (skipping_) return true;
  store::Keyspace& db = data_->db(db_);
  const store::Key key = db.key(key_);
  if (db.contains(key)) {
    if (!options_.allow_duplicates) {
      error_ = fmt::format("RDB has duplicated key '{}' in DB {}", key_, db_);
      return false;
    }
    db.erase(key);
  }
  builder_.begin(db, key_, event.container);
  return true;
}

void RdbLoader::end_key() {
  const store::Entry* const entry = builder_.finish(expires_at_ms_);
  if (entry == nullptr) {
    // COMPAT: an old bug of the original wrote empty collections; they are dropped, not refused.
    if (empty_++ < kEmptyKeysLogged) log_.push_back("rdbLoadObject skipping empty key: " + key_);
    return;
  }
  ++loaded_;
  if (options_.lfu) {
    const uint32_t minutes = options_.access_now & kFrequencyMinutesMask;
    if (frequency_) entry->set_access(minutes << 8 | *frequency_);
  } else if (idle_) {
    entry->set_access((options_.access_now - static_cast<uint32_t>(std::min<uint64_t>(*idle_, kAccessMask))) &
                      kAccessMask);
  }
}

void RdbLoader::note_aux(std::string_view name, std::string_view value) {
  const auto integer = parse_int64(value);
  const auto is = [&](std::string_view other) { return equal_ignoring_case(name, other); };
  if (name.starts_with('%')) {
    log_.push_back(fmt::format("RDB '{}': {}", name, value));
  } else if (is("redis-ver")) {
    info_.redis_version = value;
    log_.push_back(fmt::format("Loading RDB produced by version {}", value));
  } else if (is("ctime")) {
    info_.ctime_seconds = integer.value_or(0);
    log_.push_back(
        fmt::format("RDB age {} seconds", std::max<int64_t>(options_.now_ms / 1000 - integer.value_or(0), 0)));
  } else if (is("used-mem")) {
    info_.used_memory = static_cast<uint64_t>(std::max<int64_t>(integer.value_or(0), 0));
    const double megabytes = static_cast<double>(integer.value_or(0)) / (1024 * 1024);
    log_.push_back(fmt::format("RDB memory usage when created {:.2f} Mb", megabytes));
  } else if (is("repl-stream-db")) {
    if (integer && *integer >= -1 && *integer < static_cast<int64_t>(data_->databases())) {
      info_.repl_stream_db = static_cast<int>(*integer);
    }
  } else if (is("repl-id")) {
    if (value.size() == kReplicationIdSize) info_.repl_id = value;
  } else if (is("repl-offset")) {
    if (integer) info_.repl_offset = *integer;
  } else if (is("aof-preamble")) {
    info_.aof_preamble = integer.value_or(0) != 0;
    if (info_.aof_preamble) log_.emplace_back("RDB has an AOF tail");
  } else if (is("aof-base")) {
    info_.aof_base = integer.value_or(0) != 0;
    if (info_.aof_base) log_.emplace_back("RDB is base AOF");
  }
}

void RdbLoader::note_end() {
  if (reader_.checksum_absent() && options_.limits.verify_checksum) {
    log_.emplace_back("RDB file was saved with checksum disabled: no check performed.");
  }
  std::string line = fmt::format("Done loading RDB, keys loaded: {}, keys expired: {}", loaded_, expired_);
  if (empty_ > 0) line += fmt::format(", empty keys skipped: {}", empty_);
  log_.push_back(line + ".");
}

std::vector<std::string> RdbLoader::take_log() { return std::exchange(log_, {}); }

std::unique_ptr<store::Dataset> RdbLoader::take() {
  HF_ASSERT(status_ == Status::kDone && data_ != nullptr);
  return std::move(data_);
}

}  // namespace holdfast::persist
