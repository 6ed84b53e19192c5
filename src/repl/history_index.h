// HistoryIndex: the text beside the data that says which part of which replication history lies in which files.
//
// Lines: `holdfast-history 1`, `id <40 hexadecimal digits>`, `db <n>` (the stream's database at the end), `time <unix
// s>`, `end <offset>` (the first byte that is not held), `log <bytes> <name>` (the last file of an append-only log that
// ends at the same point: only where the server ended in order), and `chunk <number> <begin> <end>` for each file,
// ascending and without gaps up to the end. Chunks hold bytes [begin, end) of the stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "repl/spool.h"

namespace holdfast::repl {

struct HistoryIndex {
  struct Log {
    std::string name;
    uint64_t bytes = 0;
    bool operator==(const Log&) const = default;
  };
  std::string id;
  int stream_db = 0;
  int64_t unix_s = 0;
  int64_t end = 0;
  std::optional<Log> log;
  std::vector<Spool::Chunk> chunks;

  std::string print() const;
  /// nullopt: not such a text, or one that contradicts itself.
  static std::optional<HistoryIndex> parse(std::string_view text);
};

/// What of the chunks serves a dataset that stands at `next` (the first byte it does not have): those from behind the
/// last broken one on, cut at `next`. Empty: none, or they do not reach it.
std::vector<Spool::Chunk> usable_chunks(const std::vector<Spool::Chunk>& chunks, int64_t next);

}  // namespace holdfast::repl
