// OutQueue: bytes on their way out of a machine, appended at the back and consumed from the front.
//
// Invariants: size() is the sum of all unread bytes; no block is empty; no memory is held while size() == 0.
// Bytes are copied in once. A queue has no bound of its own: its owner checks size() against its limits.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace holdfast {

class OutQueue {
 public:
  OutQueue() = default;
  OutQueue(OutQueue&& other) noexcept;
  OutQueue& operator=(OutQueue&& other) noexcept;
  OutQueue(const OutQueue&) = delete;
  OutQueue& operator=(const OutQueue&) = delete;
  ~OutQueue() = default;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    if (bytes.size() <= room()) [[likely]] {
      std::memcpy(tail_, bytes.data(), bytes.size());
      tail_ += bytes.size();
      size_ += bytes.size();
      return;
    }
    append_slow(bytes);
  }
  /// A place for at least `bytes` contiguous bytes; follow with commit(). For encoders that print in place.
  char* reserve(size_t bytes) {
    if (bytes > room()) grow(bytes);
    return tail_;
  }
  void commit(size_t bytes) {
    tail_ += bytes;
    size_ += bytes;
  }

  /// The unread bytes of the first blocks, at most views.size() of them. Returns how many were filled.
  /// The views stay valid until consume(), clear() or a move; append() leaves them valid.
  size_t peek(std::span<std::string_view> views) const;
  /// Drops the first `bytes` bytes. Refuses (asserts) more than size().
  void consume(size_t bytes);
  void clear();
  /// All unread bytes as one string; for tests and small messages.
  std::string to_string() const;
  /// Bytes of memory held by blocks.
  size_t memory() const;

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    size_t capacity = 0;
    size_t end = 0;  // written bytes; meaningless for the last block (tail_ rules there)
  };
  size_t room() const { return static_cast<size_t>(limit_ - tail_); }
  void append_slow(std::string_view bytes);
  void grow(size_t bytes);
  size_t block_end(size_t i) const;

  std::vector<Block> blocks_;
  size_t first_ = 0;  // index of the first block with unread bytes
  size_t head_ = 0;   // read position in it
  char* tail_ = nullptr;
  char* limit_ = nullptr;
  size_t size_ = 0;
};

}  // namespace holdfast
