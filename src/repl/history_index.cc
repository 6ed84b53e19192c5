#include "repl/history_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "base/text.h"

namespace holdfast::repl {
namespace {

constexpr std::string_view kFirstLine = "holdfast-history 1";
constexpr size_t kIdSize = 40;

std::string_view take_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool take_number(std::string_view& line, int64_t& out) {
  const auto number = parse_int64(take_word(line));
  if (!number || *number < 0) return false;
  out = *number;
  return true;
}

bool take_chunk(std::string_view line, HistoryIndex& index) {
  int64_t number = 0;
  Spool::Chunk chunk;
  if (!take_number(line, number) || !take_number(line, chunk.begin) || !take_number(line, chunk.end)) return false;
  if (number == 0 || chunk.end <= chunk.begin || !line.empty()) return false;
  if (!index.chunks.empty() && index.chunks.back().end != chunk.begin) return false;
  chunk.number = static_cast<uint64_t>(number);
  index.chunks.push_back(chunk);
  return true;
}

bool take_line(std::string_view line, HistoryIndex& index) {
  const std::string_view name = take_word(line);
  int64_t number = 0;
  if (name == "id") {
    index.id = line;
    return line.size() == kIdSize;
  }
  if (name == "chunk") return take_chunk(line, index);
  if (name == "db") {
    if (!take_number(line, number) || number > INT_MAX) return false;
    index.stream_db = static_cast<int>(number);
    return line.empty();
  }
  if (name == "time") return take_number(line, index.unix_s) && line.empty();
  if (name == "end") return take_number(line, index.end) && line.empty();
  if (name == "log") {
    if (!take_number(line, number) || line.empty()) return false;
    index.log = {std::string(line), static_cast<uint64_t>(number)};
    return true;
  }
  return false;
}

}  // namespace

std::string HistoryIndex::print() const {
  std::string out = fmt::format("{}\nid {}\ndb {}\ntime {}\nend {}\n", kFirstLine, id, stream_db, unix_s, end);
  if (log) out += fmt::format("log {} {}\n", log->bytes, log->name);
  for (const Spool::Chunk& chunk : chunks) {
    out += fmt::format("chunk {} {} {}\n", chunk.number, chunk.begin, chunk.end);
  }
  return out;
}

std::optional<HistoryIndex> HistoryIndex::parse(std::string_view text) {
  HistoryIndex index;
  bool first = true;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;  // torn
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (first ? line != kFirstLine : !take_line(line, index)) return std::nullopt;
    first = false;
  }
  if (index.id.empty()) return std::nullopt;
  if (!index.chunks.empty() && index.chunks.back().end != index.end) return std::nullopt;
  return index;
}

std::vector<Spool::Chunk> usable_chunks(const std::vector<Spool::Chunk>& chunks, int64_t next) {
  std::vector<Spool::Chunk> usable;
  for (const Spool::Chunk& chunk : chunks) {
    if (chunk.begin >= next) break;
    if (!usable.empty() && usable.back().end != chunk.begin) usable.clear();
    usable.push_back(chunk);
  }
  if (usable.empty() || usable.back().end < next) return {};
  usable.back().end = next;
  return usable;
}

}  // namespace holdfast::repl
