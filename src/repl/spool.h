// Spool: a stream of bytes addressed by absolute position, kept once for any number of readers at their own places.
//
// The newest bytes are in memory, as blocks; when more than `memory_max` is held, the oldest move to disk in chunks of
// whole blocks, written and read back by the owner (the spool does no I/O). A chunk leaves memory only when the owner
// says that it is written. Invariants: disk chunks and blocks are contiguous, begin() <= memory_begin() <= end().
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::repl {

class Spool {
 public:
  struct Limits {
    size_t keep = 0;               // of the newest bytes, whoever needs them
    size_t keep_on_disk = 0;       // so many more, while the disk takes them
    size_t memory_max = SIZE_MAX;  // from then on the oldest move to disk
    size_t chunk = 4 << 20;        // bytes of a chunk, about
  };
  /// A contiguous piece on disk.
  struct Chunk {
    uint64_t number = 0;  // the owner's name for it, not 0
    int64_t begin = 0;
    int64_t end = 0;
  };

  Spool(const Limits& limits, int64_t first) : limits_(limits), begin_(first), memory_begin_(first), end_(first) {}

  /// Goes on where these chunks end; they are contiguous and there is one.
  Spool(const Limits& limits, const std::vector<Chunk>& chunks)
      : limits_(limits),
        begin_(chunks.front().begin),
        memory_begin_(chunks.back().end),
        end_(chunks.back().end),
        chunks_(chunks.begin(), chunks.end()) {}

  void append(std::string_view bytes);
  void set_limits(const Limits& limits) { limits_ = limits; }

  int64_t begin() const { return begin_; }
  int64_t memory_begin() const { return memory_begin_; }
  int64_t end() const { return end_; }
  bool covers(int64_t position) const { return position >= begin_ && position <= end_; }
  size_t memory() const { return static_cast<size_t>(end_ - memory_begin_); }
  size_t on_disk() const { return static_cast<size_t>(memory_begin_ - begin_); }

  /// The bytes from `position` (in memory) on, up to the end of its block; empty at the end.
  std::string_view piece(int64_t position) const;

  /// What should move to disk now; asked again only after stored() or not_stored().
  struct Outgoing {
    Chunk chunk;
    std::string bytes;
  };
  std::optional<Outgoing> next_to_store(uint64_t number);
  void stored();
  /// The disk did not take it: it stays in memory, and nothing is tried before retry().
  void not_stored();
  void retry() { failed_ = false; }
  /// All in memory that is not on its way, as a last chunk; nothing if there is none.
  std::optional<Outgoing> rest(uint64_t number) const;
  /// A chunk cannot be read: it and all before it are lost. Returns chunks to remove.
  std::vector<Chunk> lose(uint64_t number);
  /// Number of the chunk that is on its way; 0 if none.
  uint64_t storing() const { return storing_ ? storing_->number : 0; }
  const std::optional<Chunk>& on_its_way() const { return storing_; }
  /// The chunk that holds `position`; position < memory_begin().
  const Chunk& chunk_at(int64_t position) const;

  /// Nobody needs what is before `position` any more, but for the bytes to keep. Returns chunks to remove. When the
  /// disk is too slow for what would be kept there, that is given up, and a chunk on its way with it.
  std::vector<Chunk> release(int64_t position);
  /// Everything on disk, to be removed; the spool is of no use then.
  std::vector<Chunk> chunks() const { return {chunks_.begin(), chunks_.end()}; }
  void check_invariants() const;

 private:
  struct Block {
    int64_t begin;
    std::string bytes;
  };
  void drop_blocks_before(int64_t position);
  size_t kept() const;
  bool is_overfull() const;

  Limits limits_;
  int64_t begin_;
  int64_t memory_begin_;
  int64_t end_;
  std::deque<Block> blocks_;
  std::deque<Chunk> chunks_;
  std::optional<Chunk> storing_;
  bool failed_ = false;
};

}  // namespace holdfast::repl
