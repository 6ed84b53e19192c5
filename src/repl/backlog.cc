#include "repl/backlog.h"

#include <algorithm>

#include "base/assert.h"

namespace holdfast::repl {

Backlog::Backlog(size_t capacity, int64_t next_offset) : capacity_(std::max<size_t>(capacity, 1)), end_(next_offset) {}

void Backlog::append(std::string_view bytes) {
  end_ += static_cast<int64_t>(bytes.size());
  if (bytes.size() >= capacity_) {
    ring_.assign(bytes.substr(bytes.size() - capacity_));
    write_ = 0;
    size_ = capacity_;
    return;
  }
  size_ = std::min(capacity_, size_ + bytes.size());
  while (!bytes.empty()) {
    if (write_ == capacity_) write_ = 0;
    const size_t now = std::min(bytes.size(), capacity_ - write_);
    if (write_ + now > ring_.size()) ring_.resize(write_ + now);
    bytes.copy(ring_.data() + write_, now);
    write_ += now;
    bytes.remove_prefix(now);
  }
}

Backlog::Pieces Backlog::from(int64_t offset) const {
  HF_ASSERT(covers(offset));
  const auto wanted = static_cast<size_t>(end_ - offset);
  if (wanted <= write_) return {std::string_view(ring_).substr(write_ - wanted, wanted), {}};
  const size_t tail = wanted - write_;  // bytes before the wrap
  return {std::string_view(ring_).substr(ring_.size() - tail, tail), std::string_view(ring_).substr(0, write_)};
}

void Backlog::resize(size_t capacity) {
  capacity = std::max<size_t>(capacity, 1);
  const size_t kept = std::min(size_, capacity);
  const Pieces pieces = from(end_ - static_cast<int64_t>(kept));
  std::string ring;
  ring.reserve(kept);
  ring.append(pieces.first);
  ring.append(pieces.second);
  ring_ = std::move(ring);
  capacity_ = capacity;
  write_ = size_ = kept;
}

void Backlog::check_invariants() const {
  HF_ASSERT(size_ <= capacity_ && ring_.size() <= capacity_ && write_ <= capacity_);
  HF_ASSERT(size_ <= ring_.size());
  HF_ASSERT(size_ == ring_.size() || write_ >= size_);
}

}  // namespace holdfast::repl
