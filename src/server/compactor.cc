#include "server/compactor.h"

#include "server/engine.h"

namespace holdfast::server {

namespace {
constexpr Duration kLookEvery = 1s;
constexpr size_t kFreeMin = size_t{16} << 20;
constexpr size_t kFreeShare = 8;
constexpr size_t kEffort = 2'000;  // blocks looked at per slice: some tenths of a millisecond
constexpr Duration kSliceEvery = 2ms;
constexpr Duration kRest = 100ms;  // while a snapshot reads
}  // namespace

void Compactor::consider(Now now) {
  if (next_ != kNever || engine_.state_.data->context().heap.page_memory() < kFreeMin) return;
  next_ = now.mono + kLookEvery;
}

void Compactor::look(Now now) {
  next_ = kNever;
  const store::Heap& heap = engine_.state_.data->context().heap;
  const size_t free = heap.free_bytes();
  if (free < kFreeMin || free < heap.page_memory() / kFreeShare) {
    in_vain_ = 0;
    return;
  }
  if (in_vain_ > 0 && free < in_vain_ + kFreeMin) return;
  walk_ = std::make_unique<store::Compaction>(*engine_.state_.data);
  next_ = now.mono;
}

void Compactor::work(Now now) {
  if (now.mono < next_) return;
  if (!running()) return look(now);
  store::Dataset& data = *engine_.state_.data;
  if (data.is_read()) {
    next_ = now.mono + kRest;
    return;
  }
  next_ = now.mono + kSliceEvery;
  if (!walk_->step(kEffort)) return;
  in_vain_ = data.context().heap.free_bytes();
  data_goes();
}

void Compactor::data_goes() {
  walk_.reset();
  next_ = kNever;
}

}  // namespace holdfast::server
