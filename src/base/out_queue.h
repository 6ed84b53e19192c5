// OutQueue: bytes on their way out of a machine, appended at the back and consumed from the front.
//
// Invariants: size() is the sum of all unread bytes; no memory is held while size() == 0, but for what reserve() asked
// for. Bytes are copied in once. A queue has no bound of its own: its owner checks size() against its limits.
// A list of blocks, each one allocation: a short message costs one, and an idle queue three words.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace holdfast {

class OutQueue {
 public:
  OutQueue() = default;
  OutQueue(OutQueue&& other) noexcept;
  OutQueue& operator=(OutQueue&& other) noexcept;
  OutQueue(const OutQueue&) = delete;
  OutQueue& operator=(const OutQueue&) = delete;
  ~OutQueue() { clear(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    if (bytes.size() <= room()) [[likely]] {
      std::memcpy(last_->end, bytes.data(), bytes.size());
      commit(bytes.size());
      return;
    }
    append_slow(bytes);
  }
  /// A place for at least `bytes` contiguous bytes; follow with commit(). For encoders that print in place.
  char* reserve(size_t bytes) {
    if (last_ == nullptr || bytes > room()) grow(bytes);
    return last_->end;
  }
  void commit(size_t bytes) {
    last_->end += bytes;
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
  /// The head of an allocation; its bytes follow.
  struct Block {
    Block* next;
    char* head;   // the first unread byte
    char* end;    // behind the last written byte
    char* limit;  // behind the allocation
    char* data() { return reinterpret_cast<char*>(this + 1); }
    size_t unread() const { return static_cast<size_t>(end - head); }
  };
  size_t room() const { return last_ == nullptr ? 0 : static_cast<size_t>(last_->limit - last_->end); }
  void append_slow(std::string_view bytes);
  void grow(size_t bytes);
  void drop_unused_last();
  static void release(Block* block);

  Block* first_ = nullptr;
  Block* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace holdfast
