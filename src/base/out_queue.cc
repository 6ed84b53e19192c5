#include "base/out_queue.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/assert.h"

namespace holdfast {
namespace {
constexpr size_t kFirstBlock = 1024;
constexpr size_t kLargestBlock = 64 * 1024;
}  // namespace

OutQueue::OutQueue(OutQueue&& other) noexcept { *this = std::move(other); }

OutQueue& OutQueue::operator=(OutQueue&& other) noexcept {
  blocks_ = std::move(other.blocks_);
  first_ = std::exchange(other.first_, 0);
  head_ = std::exchange(other.head_, 0);
  tail_ = std::exchange(other.tail_, nullptr);
  limit_ = std::exchange(other.limit_, nullptr);
  size_ = std::exchange(other.size_, 0);
  other.blocks_.clear();
  return *this;
}

size_t OutQueue::block_end(size_t i) const {
  return i + 1 == blocks_.size() ? static_cast<size_t>(tail_ - blocks_[i].data.get()) : blocks_[i].end;
}

void OutQueue::append_slow(std::string_view bytes) {
  const size_t now = std::min(bytes.size(), room());
  if (now > 0) {
    std::memcpy(tail_, bytes.data(), now);
    commit(now);
    bytes.remove_prefix(now);
  }
  grow(bytes.size());
  std::memcpy(tail_, bytes.data(), bytes.size());
  commit(bytes.size());
}

void OutQueue::grow(size_t bytes) {
  if (!blocks_.empty()) {
    const size_t end = block_end(blocks_.size() - 1);
    const bool unused = end == (blocks_.size() - 1 == first_ ? head_ : 0);
    if (unused) {
      blocks_.pop_back();  // too small and nothing unread in it
      if (first_ == blocks_.size()) head_ = 0;
    } else {
      blocks_.back().end = end;
    }
  }
  const size_t wanted = size_ == 0 ? kFirstBlock : std::min(kLargestBlock, std::max(kFirstBlock, size_ * 2));
  const size_t capacity = std::max(bytes, wanted);
  blocks_.push_back(Block{std::make_unique_for_overwrite<char[]>(capacity), capacity, 0});
  tail_ = blocks_.back().data.get();
  limit_ = tail_ + capacity;
}

size_t OutQueue::peek(std::span<std::string_view> views) const {
  size_t filled = 0;
  for (size_t i = first_; i < blocks_.size() && filled < views.size(); ++i) {
    const size_t begin = i == first_ ? head_ : 0;
    const size_t end = block_end(i);
    if (end > begin) views[filled++] = {blocks_[i].data.get() + begin, end - begin};
  }
  return filled;
}

void OutQueue::consume(size_t bytes) {
  HF_ASSERT(bytes <= size_);
  size_ -= bytes;
  if (size_ == 0) {
    clear();
    return;
  }
  while (bytes > 0) {
    const size_t here = block_end(first_) - head_;
    if (bytes < here) {
      head_ += bytes;
      break;
    }
    bytes -= here;
    blocks_[first_].data.reset();
    ++first_;
    head_ = 0;
  }
  if (first_ > 32 && first_ * 2 > blocks_.size()) {
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutQueue::clear() {
  std::vector<Block>().swap(blocks_);
  first_ = head_ = size_ = 0;
  tail_ = limit_ = nullptr;
}

std::string OutQueue::to_string() const {
  std::string out;
  out.reserve(size_);
  for (size_t i = first_; i < blocks_.size(); ++i) {
    const size_t begin = i == first_ ? head_ : 0;
    out.append(blocks_[i].data.get() + begin, block_end(i) - begin);
  }
  return out;
}

size_t OutQueue::memory() const {
  size_t sum = 0;
  for (size_t i = first_; i < blocks_.size(); ++i) sum += blocks_[i].capacity;
  return sum;
}

}  // namespace holdfast
