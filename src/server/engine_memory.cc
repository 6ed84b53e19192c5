// Engine, continued: memory of data on its way out.
#include "server/compactor.h"
#include "server/engine.h"
#include "server/key_listing.h"

namespace holdfast::server {

namespace {
constexpr size_t kReclaimPerTurn = 4000;  // keys or elements
}  // namespace

void Engine::replace_data(std::unique_ptr<store::Dataset> fresh) {
  listing_->data_goes();
  compactor_->data_goes();
  std::unique_ptr<store::Dataset> old = std::exchange(state_.data, std::move(fresh));
  old->clear_all();
  if (old->can_reclaim()) replaced_.push_back(std::move(old));
}

void Engine::reclaim() {
  compactor_->consider(now_);
  if (state_.data->can_reclaim()) {
    state_.data->reclaim(kReclaimPerTurn);
  } else if (replaced_.back()->reclaim(kReclaimPerTurn)) {
    replaced_.pop_back();
  }
}

size_t Engine::pending_frees() const {
  size_t objects = state_.data->pending();
  for (const auto& data : replaced_) objects += data->pending();
  return objects;
}

bool Engine::compacting() const { return compactor_->running(); }

size_t Engine::data_bytes() const {
  size_t bytes = state_.data->used_memory();
  for (const auto& data : replaced_) bytes += data->used_memory();
  return bytes;
}

}  // namespace holdfast::server
