// Replication, the history on disk: what of the stream is kept beyond memory survives a restart (docs/decisions/0050).
//
// The chunks of the backlog's spool lie in files; an index beside them says whose history they are. What the index does
// not list is left over from a crash and removed. A history serves only a dataset that says itself where it stands: an
// RDB file, or an append-only log the index was written behind.
#include <fmt/format.h>

#include <algorithm>

#include "base/error_text.h"
#include "base/text.h"
#include "repl/history_index.h"
#include "server/aof.h"
#include "server/engine.h"
#include "server/replication.h"

namespace holdfast::server {
namespace {

using repl::HistoryIndex;
using repl::Spool;

constexpr size_t kIndexMax = 16 << 20;
constexpr int64_t kChunkNumberMax = int64_t{1} << 53;
constexpr size_t kChunkBytes = 2 << 20;
constexpr size_t kStreamMemory = 32 << 20;  // beyond the backlog, for replicas that have not taken it yet

}  // namespace

Spool::Limits Replication::backlog_limits() const {
  const family::Settings& settings = engine_.state_.settings;
  const auto keep = static_cast<size_t>(settings.repl_backlog_size);
  const auto on_disk = static_cast<size_t>(settings.repl_backlog_disk_size);
  return {.keep = keep,
          .keep_on_disk = on_disk,
          .memory_max = keep + (on_disk > 0 ? kChunkBytes : kStreamMemory),
          .chunk = kChunkBytes};
}

size_t Replication::stream_memory_max() const {
  return static_cast<size_t>(engine_.state_.settings.repl_backlog_size) + kStreamMemory;
}

std::string Replication::index_path() const {
  const family::Settings& settings = engine_.state_.settings;
  return fmt::format("{}/repl-history-{}.index", settings.dir, settings.port);
}

void Replication::read_history() {
  for (const auto& file : engine_.options_.spool_files) {  // their names are not used again
    last_chunk_ = std::max(last_chunk_, number_of_chunk(file.name).value_or(0));
  }
  if (engine_.state_.settings.repl_backlog_disk_size == 0) return;
  index_job_ = engine_.next_job();
  engine_.act(action::ReadFile{*index_job_, index_path()});
}

bool Replication::index_data(JobId job, std::string_view bytes) {
  if (!index_job_ || *index_job_ != job) return false;
  if (index_text_.size() + bytes.size() <= kIndexMax) index_text_ += bytes;
  return true;
}

bool Replication::index_done(JobId job, int status) {
  if (writing_index_ && *writing_index_ == job) {
    writing_index_.reset();
    // After a failure, with the next change.
    if (status != 0) {
      engine_.log(LogLevel::kWarning, fmt::format("Cannot write {}: {}", index_path(), error_text(status)));
    }
    return true;
  }
  if (!index_job_ || *index_job_ != job) return false;
  index_job_.reset();
  const std::string text = std::exchange(index_text_, {});
  if (status != 0) return true;
  index_there_ = true;
  auto index = HistoryIndex::parse(text);
  if (!index) {
    engine_.log(LogLevel::kWarning, fmt::format("{} is damaged: the history it tells of is not used", index_path()));
    return true;
  }
  // A chunk is good if all of it is there; what lies behind its end is not ours any more.
  std::erase_if(index->chunks, [&](const Spool::Chunk& chunk) {
    const std::string name = chunk_name(chunk.number);
    const auto& files = engine_.options_.spool_files;
    const auto file = std::find_if(files.begin(), files.end(), [&](const auto& one) { return one.name == name; });
    return file == files.end() || file->bytes < static_cast<uint64_t>(chunk.end - chunk.begin);
  });
  history_ = std::make_unique<HistoryIndex>(std::move(*index));
  return true;
}

/// A log without a place in a history was loaded: the index may know it.
void Replication::log_loaded(std::string_view name, uint64_t bytes, Now now) {
  if (!history_ || history_->log != HistoryIndex::Log{std::string(name), bytes}) return;
  const int64_t age = std::clamp<int64_t>(unix_seconds(now.wall) - history_->unix_s, -1, int64_t{1} << 33);
  adopt_identity(history_->id, history_->end - 1, history_->stream_db, std::chrono::seconds(age));
}

/// A dataset stands at our offset in the history called `id`: the backlog reaches back as far as files do.
void Replication::continue_history(const std::string& id) {
  if (!history_ || history_->id != id || backlog_) return;
  const auto chunks = repl::usable_chunks(history_->chunks, offset_ + 1);
  if (chunks.empty()) return;
  backlog_.emplace(backlog_limits(), chunks);
  engine_.log(LogLevel::kNotice, fmt::format("Replication backlog continues on disk: {} bytes from offset {}",
                                             backlog_->on_disk(), backlog_->begin()));
}

/// Once, when the dataset is there and the addresses are ours: what else lies around is nobody's.
void Replication::remove_leftovers() {
  history_.reset();
  size_t removed = 0;
  for (const auto& file : engine_.options_.spool_files) {
    const auto in_use = [&] {
      if (!backlog_) return false;
      const auto chunks = backlog_->chunks();
      return std::any_of(chunks.begin(), chunks.end(),
                         [&](const Spool::Chunk& chunk) { return chunk_name(chunk.number) == file.name; });
    };
    const auto number = number_of_chunk(file.name);
    if (!number || in_use()) continue;
    engine_.act(action::RemoveFile{chunk_path(*number)});
    ++removed;
  }
  if (removed > 0) {
    engine_.log(LogLevel::kNotice, fmt::format("Removed {} replication spool files of an earlier process", removed));
  }
  index_dirty_ = true;
}

bool Replication::index_is_due() const {
  return index_dirty_ && !writing_index_ && !index_job_ && !engine_.state_.loading;
}

void Replication::write_index(Now now) {
  if (!index_is_due()) return;
  index_dirty_ = false;
  const bool kept = engine_.state_.settings.repl_backlog_disk_size > 0 && backlog_ && backlog_->on_disk() > 0;
  if (!kept) {
    if (std::exchange(index_there_, false)) engine_.act(action::RemoveFile{index_path()});
    return;
  }
  index_there_ = true;
  writing_index_ = engine_.next_job();
  engine_.act(action::WriteFile{*writing_index_, index_path(), describe(backlog_->chunks(), now).print(), 0644});
}

HistoryIndex Replication::describe(const std::vector<Spool::Chunk>& chunks, Now now) const {
  HistoryIndex index;
  index.id = id_;
  index.stream_db = stream_db();
  index.unix_s = unix_seconds(now.wall);
  index.end = chunks.empty() ? offset_ + 1 : chunks.back().end;
  index.chunks = chunks;
  return index;
}

/// The server ends in order: all of the backlog goes to disk, and where the append-only log ends is noted.
void Replication::keep_history(Now now) {
  if (engine_.state_.settings.repl_backlog_disk_size == 0 || !backlog_) return;
  std::vector<Spool::Chunk> chunks = backlog_->chunks();
  if (backlog_->on_its_way()) chunks.push_back(*backlog_->on_its_way());
  if (auto rest = backlog_->rest(++last_chunk_)) {
    chunks.push_back(rest->chunk);
    engine_.act(action::WriteFile{engine_.next_job(), chunk_path(rest->chunk.number), std::move(rest->bytes), 0600});
  }
  HistoryIndex index = describe(chunks, now);
  index.log = engine_.aof_->where_it_ends();
  engine_.act(action::WriteFile{engine_.next_job(), index_path(), index.print(), 0644});
}

std::string Replication::chunk_name(uint64_t number) const {
  return fmt::format("temp-repl-{}-{}.spool", engine_.state_.settings.port, number);
}

std::optional<uint64_t> Replication::number_of_chunk(std::string_view name) const {
  const std::string prefix = fmt::format("temp-repl-{}-", engine_.state_.settings.port);
  constexpr std::string_view kSuffix = ".spool";
  if (!name.starts_with(prefix) || !name.ends_with(kSuffix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  if (name.size() <= kSuffix.size()) return std::nullopt;
  const auto number = parse_int64(name.substr(0, name.size() - kSuffix.size()));
  if (!number || *number < 1 || *number > kChunkNumberMax) return std::nullopt;
  return static_cast<uint64_t>(*number);
}

}  // namespace holdfast::server
