#include "family/held_output.h"

#include <algorithm>

#include "base/assert.h"

namespace holdfast::family {
namespace {

void move_bytes(OutQueue& from, size_t count, OutQueue& to) {
  if (to.empty() && count == from.size()) {
    to = std::move(from);
    return;
  }
  while (count > 0) {
    std::string_view piece[1];
    const size_t filled = from.peek(piece);
    HF_ASSERT(filled == 1);
    const std::string_view taken = piece[0].substr(0, std::min(count, piece[0].size()));
    to.append(taken);
    count -= taken.size();
    from.consume(taken.size());
  }
}

}  // namespace

void HeldOutput::mark(uint64_t position) {
  const size_t fresh = bytes.size() - marked_;
  if (fresh == 0) return;
  HF_ASSERT(marks_.empty() || marks_.back().position <= position);
  if (!marks_.empty() && marks_.back().position == position) {
    marks_.back().bytes += fresh;
  } else {
    marks_.push_back({position, fresh});
  }
  marked_ += fresh;
}

void HeldOutput::release(uint64_t safe, OutQueue& out) {
  size_t done = 0;
  size_t count = 0;
  while (done < marks_.size() && marks_[done].position <= safe) count += marks_[done++].bytes;
  if (done == 0) return;
  marks_.erase(marks_.begin(), marks_.begin() + static_cast<std::ptrdiff_t>(done));
  marked_ -= count;
  move_bytes(bytes, count, out);
}

}  // namespace holdfast::family
