#include "base/out_queue.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "base/assert.h"

namespace holdfast {
namespace {
constexpr size_t kFirstBlock = 1024;  // whole allocations, heads included
constexpr size_t kLargestBlock = 64 * 1024;
}  // namespace

OutQueue::OutQueue(OutQueue&& other) noexcept
    : first_(std::exchange(other.first_, nullptr)),
      last_(std::exchange(other.last_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

OutQueue& OutQueue::operator=(OutQueue&& other) noexcept {
  if (this == &other) return *this;
  clear();
  first_ = std::exchange(other.first_, nullptr);
  last_ = std::exchange(other.last_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

void OutQueue::append_slow(std::string_view bytes) {
  const size_t now = std::min(bytes.size(), room());
  if (now > 0) {
    std::memcpy(last_->end, bytes.data(), now);
    commit(now);
    bytes.remove_prefix(now);
  }
  grow(bytes.size());
  std::memcpy(last_->end, bytes.data(), bytes.size());
  commit(bytes.size());
}

void OutQueue::release(Block* block) {
  ::operator delete(block, static_cast<size_t>(block->limit - reinterpret_cast<char*>(block)));
}

/// A reservation too small for what came instead.
void OutQueue::drop_unused_last() {
  Block* before = nullptr;
  for (Block* block = first_; block != last_; block = block->next) before = block;
  release(last_);
  last_ = before;
  (before == nullptr ? first_ : before->next) = nullptr;
}

void OutQueue::grow(size_t bytes) {
  if (last_ != nullptr && last_->unread() == 0) drop_unused_last();
  const size_t wanted = size_ == 0 ? kFirstBlock : std::clamp(size_ * 2, kFirstBlock, kLargestBlock);
  const size_t whole = std::max(bytes + sizeof(Block), wanted);
  HF_ASSERT(whole > bytes);
  auto* block = new (::operator new(whole)) Block{};
  block->head = block->end = block->data();
  block->limit = reinterpret_cast<char*>(block) + whole;
  (last_ == nullptr ? first_ : last_->next) = block;
  last_ = block;
}

size_t OutQueue::peek(std::span<std::string_view> views) const {
  size_t filled = 0;
  for (const Block* block = first_; block != nullptr && filled < views.size(); block = block->next) {
    if (block->unread() > 0) views[filled++] = {block->head, block->unread()};
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
  while (bytes >= first_->unread()) {
    bytes -= first_->unread();
    release(std::exchange(first_, first_->next));
  }
  first_->head += bytes;
}

void OutQueue::clear() {
  while (first_ != nullptr) release(std::exchange(first_, first_->next));
  last_ = nullptr;
  size_ = 0;
}

std::string OutQueue::to_string() const {
  std::string out;
  out.reserve(size_);
  for (const Block* block = first_; block != nullptr; block = block->next) out.append(block->head, block->unread());
  return out;
}

size_t OutQueue::memory() const {
  size_t sum = 0;
  for (const Block* block = first_; block != nullptr; block = block->next) {
    sum += static_cast<size_t>(block->limit - reinterpret_cast<const char*>(block));
  }
  return sum;
}

}  // namespace holdfast
