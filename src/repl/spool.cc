#include "repl/spool.h"

#include <algorithm>
#include <cstdint>

#include "base/assert.h"

namespace holdfast::repl {
namespace {

constexpr size_t kBlockSize = 64 * 1024;

}  // namespace

void Spool::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (blocks_.empty() || blocks_.back().bytes.size() >= kBlockSize) {
      blocks_.push_back({end_, {}});
    }
    std::string& last = blocks_.back().bytes;
    const size_t now = std::min(bytes.size(), kBlockSize - last.size());
    last.append(bytes.substr(0, now));
    end_ += static_cast<int64_t>(now);
    bytes.remove_prefix(now);
  }
}

std::string_view Spool::piece(int64_t position) const {
  HF_ASSERT(position >= memory_begin_ && position <= end_);
  if (position == end_) return {};
  auto at = std::upper_bound(blocks_.begin(), blocks_.end(), position,
                             [](int64_t wanted, const Block& block) { return wanted < block.begin; });
  HF_ASSERT(at != blocks_.begin());
  --at;
  return std::string_view(at->bytes).substr(static_cast<size_t>(position - at->begin));
}

std::optional<Spool::Outgoing> Spool::next_to_store(uint64_t number) {
  if (storing_ || failed_ || memory() <= limits_.memory_max) return std::nullopt;
  Outgoing out;
  out.chunk = {number, memory_begin_, memory_begin_};
  for (const Block& block : blocks_) {
    // The last block is still being written to.
    if (&block == &blocks_.back() || out.bytes.size() >= limits_.chunk) break;
    const auto skipped = static_cast<size_t>(std::max<int64_t>(memory_begin_ - block.begin, 0));
    out.bytes.append(block.bytes, skipped);
  }
  if (out.bytes.empty()) return std::nullopt;
  out.chunk.end += static_cast<int64_t>(out.bytes.size());
  storing_ = out.chunk;
  return out;
}

void Spool::stored() {
  HF_ASSERT(storing_);
  chunks_.push_back(*storing_);
  drop_blocks_before(storing_->end);
  memory_begin_ = storing_->end;
  storing_.reset();
}

void Spool::not_stored() {
  HF_ASSERT(storing_);
  storing_.reset();
  failed_ = true;
}

const Spool::Chunk& Spool::chunk_at(int64_t position) const {
  HF_ASSERT(position >= begin_ && position < memory_begin_);
  const auto at = std::upper_bound(chunks_.begin(), chunks_.end(), position,
                                   [](int64_t wanted, const Chunk& chunk) { return wanted < chunk.end; });
  HF_ASSERT(at != chunks_.end());
  return *at;
}

void Spool::drop_blocks_before(int64_t position) {
  while (!blocks_.empty() && blocks_.front().begin + static_cast<int64_t>(blocks_.front().bytes.size()) <= position) {
    blocks_.pop_front();
  }
}

std::optional<Spool::Outgoing> Spool::rest(uint64_t number) const {
  const int64_t from = storing_ ? storing_->end : memory_begin_;
  if (from == end_) return std::nullopt;
  Outgoing out{.chunk = {number, from, end_}};
  for (const Block& block : blocks_) {
    const auto size = static_cast<int64_t>(block.bytes.size());
    const int64_t skipped = std::clamp<int64_t>(from - block.begin, 0, size);
    out.bytes.append(block.bytes, static_cast<size_t>(skipped));
  }
  return out;
}

std::vector<Spool::Chunk> Spool::lose(uint64_t number) {
  std::vector<Chunk> gone;
  const bool known =
      std::any_of(chunks_.begin(), chunks_.end(), [&](const Chunk& chunk) { return chunk.number == number; });
  while (known && (gone.empty() || gone.back().number != number)) {
    gone.push_back(chunks_.front());
    begin_ = chunks_.front().end;
    chunks_.pop_front();
  }
  return gone;
}

/// A disk that takes nothing must not make memory the place of all that is to be kept.
size_t Spool::kept() const {
  const size_t kept = limits_.keep + (is_overfull() ? 0 : limits_.keep_on_disk);
  return std::min(kept, static_cast<size_t>(INT64_MAX));
}

/// A burst may be ahead of the disk by so much.
bool Spool::is_overfull() const {
  constexpr size_t kChunksAhead = 16;
  return memory() > limits_.memory_max + kChunksAhead * limits_.chunk;
}

std::vector<Spool::Chunk> Spool::release(int64_t position) {
  position = std::min(position, end_ - std::min<int64_t>(static_cast<int64_t>(kept()), end_ - begin_));
  std::vector<Chunk> gone;
  while (!chunks_.empty() && chunks_.front().end <= position) {
    gone.push_back(chunks_.front());
    begin_ = chunks_.front().end;
    chunks_.pop_front();
  }
  if (storing_ && chunks_.empty() && position >= storing_->end && is_overfull()) storing_.reset();
  // What is being stored stays whole until the disk has answered.
  if (!chunks_.empty() || storing_ || position <= memory_begin_) return gone;
  begin_ = memory_begin_ = position;
  drop_blocks_before(position);
  return gone;
}

void Spool::check_invariants() const {
  HF_ASSERT(begin_ <= memory_begin_ && memory_begin_ <= end_);
  int64_t at = begin_;
  for (const Chunk& chunk : chunks_) {
    HF_ASSERT(chunk.begin <= at && chunk.end > at);
    at = chunk.end;
  }
  HF_ASSERT(at == memory_begin_);
  if (blocks_.empty()) {
    HF_ASSERT(memory_begin_ == end_);
    return;
  }
  HF_ASSERT(blocks_.front().begin <= memory_begin_);
  int64_t next = blocks_.front().begin;
  for (const Block& block : blocks_) {
    HF_ASSERT(block.begin == next && !block.bytes.empty());
    next += static_cast<int64_t>(block.bytes.size());
  }
  HF_ASSERT(next == end_);
}

}  // namespace holdfast::repl
