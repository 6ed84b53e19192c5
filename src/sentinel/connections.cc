#include "sentinel/connections.h"

#include <algorithm>

namespace holdfast::sentinel {

ConnId Connections::open(Use use, LinkId link, bool established) {
  const ConnId id = ids_.allocate();
  if (slots_.size() <= id.index) slots_.resize(id.index + 1);
  slots_[id.index] = std::make_unique<Connection>(Connection{id, use, link, established, {}});
  return id;
}

Connection* Connections::find(ConnId id) {
  if (!id || id.index >= slots_.size() || slots_[id.index] == nullptr) return nullptr;
  return slots_[id.index]->id == id ? slots_[id.index].get() : nullptr;
}

void Connections::established(ConnId id) {
  Connection* connection = find(id);
  HF_ASSERT(connection != nullptr);
  connection->established = true;
  if (!connection->out.empty()) actions_.emplace_back(action::Flush{id});
}

void Connections::send(ConnId id, std::string_view bytes) {
  Connection* connection = find(id);
  HF_ASSERT(connection != nullptr);
  if (bytes.empty()) return;
  if (connection->established && connection->out.empty()) actions_.emplace_back(action::Flush{id});
  connection->out.append(bytes);
}

void Connections::close(ConnId id, action::CloseMode mode) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->use == Use::kFree) return;
  actions_.emplace_back(action::Close{id, mode});
  connection->use = Use::kFree;
  closing_.push_back(id);
}

void Connections::forget(ConnId id) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->use == Use::kFree) return;
  slots_[id.index].reset();
  ids_.release(id);
}

void Connections::reap() {
  for (const ConnId id : closing_) {
    slots_[id.index].reset();
    ids_.release(id);
  }
  closing_.clear();
}

OutQueue& Connections::output(ConnId id) {
  Connection* connection = find(id);
  HF_ASSERT(connection != nullptr);
  return connection->out;
}

size_t Connections::count(Use use) const {
  return static_cast<size_t>(
      std::count_if(slots_.begin(), slots_.end(), [&](const auto& c) { return c != nullptr && c->use == use; }));
}

}  // namespace holdfast::sentinel
