#include "store/type/consumer_group.h"

#include <tuple>

#include "base/assert.h"

namespace holdfast::store {

namespace {

/// What a map's node takes beside its value.
constexpr size_t kNodeOverhead = 32;

size_t name_bytes(std::string_view name) {
  constexpr size_t kInsideTheObject = 15;
  return name.size() <= kInsideTheObject ? 0 : Heap::class_bytes(name.size() + 1);
}

}  // namespace

ConsumerGroup::ConsumerGroup(Heap& heap, std::string_view name)
    : heap_(&heap), name_(name, heap), consumers_(heap), pending_(heap) {}

void ConsumerGroup::copy_from(const ConsumerGroup& other) {
  HF_ASSERT(consumers_.empty() && pending_.empty());
  last_id = other.last_id;
  entries_read = other.entries_read;
  for (const auto& [consumer_name, consumer] : other.consumers_) {
    StreamConsumer& copy = create_consumer(consumer_name, consumer.seen_ms);
    copy.active_ms = consumer.active_ms;
  }
  for (auto at = other.pending_.begin(); at != other.pending_.end(); other.pending_.forward(at)) {
    const Pending& from = other.pending_.at(at);
    Pending& copy = assign(from.id, *consumer(from.consumer->name));
    copy.delivered_ms = from.delivered_ms;
    copy.deliveries = from.deliveries;
  }
}

StreamConsumer* ConsumerGroup::consumer(std::string_view name) {
  const auto at = consumers_.find(name);
  return at == consumers_.end() ? nullptr : &at->second;
}

StreamConsumer& ConsumerGroup::create_consumer(std::string_view name, int64_t now_ms) {
  const auto [at, fresh] =
      consumers_.emplace(std::piecewise_construct, std::forward_as_tuple(name, HeapAllocator<char>(*heap_)),
                         std::forward_as_tuple(*heap_, std::string_view()));
  HF_ASSERT(fresh);
  at->second.name = at->first;
  at->second.seen_ms = now_ms;
  return at->second;
}

size_t ConsumerGroup::delete_consumer(std::string_view name) {
  const auto at = consumers_.find(name);
  HF_ASSERT(at != consumers_.end());
  const auto& owned = at->second.pending;
  const size_t count = owned.size();
  for (auto place = owned.begin(); place != owned.end(); owned.forward(place)) pending_.erase(owned.at(place).id);
  consumers_.erase(at);
  return count;
}

ConsumerGroup::Pending& ConsumerGroup::assign(StreamId id, StreamConsumer& consumer) {
  Pending* held = pending_.find(id);
  if (held == nullptr) {
    pending_.insert(Pending{id, 0, 0, &consumer});
    held = pending_.find(id);
  } else if (held->consumer == &consumer) {
    return *held;
  } else {
    held->consumer->pending.erase(id);
    held->consumer = &consumer;
  }
  const bool fresh = consumer.pending.insert({id});
  HF_ASSERT(fresh);
  return *held;
}

bool ConsumerGroup::release(StreamId id) {
  const Pending* const held = pending_.find(id);
  if (held == nullptr) return false;
  held->consumer->pending.erase(id);
  pending_.erase(id);
  return true;
}

bool ConsumerGroup::load_owned(StreamConsumer& consumer, StreamId id) {
  Pending* const held = pending_.find(id);
  if (held == nullptr || held->consumer != nullptr) return false;
  held->consumer = &consumer;
  return consumer.pending.insert({id});
}

bool ConsumerGroup::is_whole() const {
  for (auto at = pending_.begin(); at != pending_.end(); pending_.forward(at)) {
    if (pending_.at(at).consumer == nullptr) return false;
  }
  return true;
}

size_t ConsumerGroup::memory() const {
  size_t bytes = name_bytes(name_) + pending_.memory();
  for (const auto& [consumer_name, consumer] : consumers_) {
    bytes += kNodeOverhead + sizeof(Consumers::value_type) + name_bytes(consumer_name) + consumer.pending.memory();
  }
  return bytes;
}

void ConsumerGroup::check_invariants() const {
  pending_.check_invariants();
  size_t owned = 0;
  for (const auto& [consumer_name, consumer] : consumers_) {
    consumer.pending.check_invariants();
    HF_ASSERT(consumer.name == std::string_view(consumer_name));
    owned += consumer.pending.size();
    for (auto at = consumer.pending.begin(); at != consumer.pending.end(); consumer.pending.forward(at)) {
      const Pending* const held = pending_.find(consumer.pending.at(at).id);
      HF_ASSERT(held != nullptr && held->consumer == &consumer);
    }
  }
  HF_ASSERT(owned == pending_.size());
}

}  // namespace holdfast::store
