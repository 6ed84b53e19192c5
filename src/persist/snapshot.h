// Snapshot: a point-in-time image of a dataset that goes on changing, without fork: an RDB file, or commands.
//
// Source: reference/server.md 3.4. The cut is the constructor. From then on the host calls step() between commands; a
// write to a home bucket that was not visited yet first has that bucket written out (WriteHook), so the image is the
// state at the cut whatever happens meanwhile. FLUSHALL detaches tables and the snapshot goes on reading them; SWAPDB
// moves tables under other numbers and the snapshot keeps those of the cut. Buckets of several databases interleave:
// select records repeat, which every reader accepts.
// The Dataset must outlive the Snapshot (destroy it first when a full load replaces the data). One snapshot at a time.
// A large collection is written in pieces (LargeRecord); while its record is open, what the hook writes out waits
// aside, since a record must not be interrupted. A step reads about as many bytes as it is told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "persist/large_record.h"
#include "persist/rdb_save.h"
#include "store/keyspace.h"
#include "store/write_hook.h"

namespace holdfast::persist {

class Snapshot final : public store::WriteHook {
 public:
  Snapshot(store::Dataset& data, const SaveInfo& info, const SaveOptions& options = SaveOptions());
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  /// May come at any time: abandons the rest.
  ~Snapshot();

  /// Goes on until about `bytes` were read and written or nothing is left. True when the image is complete.
  bool step(size_t bytes);
  bool complete() const { return complete_; }
  /// Bytes waiting in the output. The host steps only while this is below its own bound; the hook may pass it.
  size_t pending() const;
  /// One slice: about `bytes`, or with a delay for each key (tests) the next few keys, when it is their time. True when
  /// the image is complete.
  bool slice(size_t bytes, Duration per_key, Now now);
  /// When slice() has something to do.
  Mono next_slice() const { return rest_until_; }
  /// Takes all waiting bytes. The image is over when complete() and this is empty.
  std::string take();
  uint64_t keys_written() const { return keys_; }
  uint64_t keys_total() const { return keys_total_; }
  uint64_t bytes_written() const { return bytes_; }

  void before_write(store::Table& table, store::Segment& segment, uint32_t bucket) override;

 private:
  struct Source {
    store::KeyTable* keys;
    size_t db;
  };
  void begin(const SaveInfo& info);
  void select(std::string& out, size_t& selected, size_t db);
  void emit(const Source& source, store::Segment& segment, uint32_t bucket);
  void put(const store::Entry& entry, size_t db);
  /// False: the segment is not at its end.
  bool visit(const Source& source, store::Segment& segment, uint64_t until);
  void write_large(size_t bytes);
  void join(store::Segment& segment) const;
  void leave(const Source& source);
  void finish();
  void seal();

  SaveOptions options_;
  uint64_t epoch_;
  std::vector<Source> sources_;  // non-empty databases at the cut, hook tag = index
  size_t current_ = 0;           // source being walked
  uint64_t position_ = 0;        // segment position in it
  store::Context& context_;
  std::string out_;
  size_t selected_db_ = SIZE_MAX;
  std::deque<std::unique_ptr<LargeRecord>> large_;  // begun; the first is the open record of out_
  std::string aside_;                               // whole records that follow it
  size_t aside_db_ = SIZE_MAX;
  size_t sealed_ = 0;  // bytes of out_ already in crc_
  uint64_t crc_ = 0;
  uint64_t keys_ = 0;
  uint64_t keys_total_ = 0;
  uint64_t bytes_ = 0;
  uint64_t unwritten_ = 0;  // bytes read, but not written because they were compressed, or are not written yet
  bool complete_ = false;
  Mono rest_until_ = Mono::min();
};

}  // namespace holdfast::persist
