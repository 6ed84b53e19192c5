#include "store/type/stream.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/assert.h"
#include "store/body.h"

namespace holdfast::store {

namespace {

constexpr size_t kMapNodeOverhead = 32;

}  // namespace

struct Stream::NodeWalk {
  ElementSink* sink;
  StreamId last;                         // of the last node at the beginning
  StreamId shown{};                      // up to here
  std::map<StreamId, StreamNode> aside;  // as they were
};

Stream::Stream(Context& context) : context_(&context), nodes_(context.heap), groups_(context.heap) {}

Stream::~Stream() {
  HF_ASSERT(walk_ == nullptr);
  for (Place at = nodes_.begin(); at != nodes_.end(); nodes_.forward(at)) nodes_.at(at).clear(context_->heap);
}

size_t Stream::compact(size_t from, size_t& effort) {
  constexpr size_t kNodesMax = 100'000;  // beyond, coming back to the place would cost too much
  size_t index = 0;
  for (Place at = nodes_.begin(); at != nodes_.end(); nodes_.forward(at), ++index) {
    if (index < from) continue;
    if (index >= kNodesMax) break;
    if (effort == 0) return index;
    --effort;
    StreamNode& node = nodes_.at(at);
    node.block = static_cast<char*>(context_->heap.compact(node.block, node.capacity));
  }
  return 0;
}

bool Stream::dismantle(size_t elements) {
  HF_ASSERT(walk_ == nullptr);
  for (size_t freed = 0; !nodes_.empty() && freed < elements;) {
    const Place last = nodes_.last();
    freed += nodes_.at(last).live() + 1;
    drop_node(last);
  }
  length_ = 0;
  return nodes_.empty();
}

Stream* Stream::clone() const {
  Stream* const copy = make_body<Stream>(*context_);
  for (Place at = nodes_.begin(); at != nodes_.end(); nodes_.forward(at)) {
    copy->nodes_.insert(nodes_.at(at).clone(context_->heap));
  }
  copy->length_ = length_;
  copy->marks_ = marks_;
  for (const auto& [name, group] : groups_) {
    copy->create_group(name, group.last_id, group.entries_read)->copy_from(group);
  }
  return copy;
}

void Stream::append(StreamId id, std::span<const std::string_view> words) {
  HF_ASSERT(id > marks_.last_id && words.size() % 2 == 0);
  size_t payload = 0;
  for (const std::string_view word : words) payload += word.size();
  StreamNode* const tail = nodes_.empty() ? nullptr : &nodes_.at(nodes_.last());
  if (tail != nullptr && tail->has_room(context_->limits, payload)) {
    before_change(*tail);
    tail->append(context_->heap, id, words);
  } else {
    if (tail != nullptr) tail->shrink(context_->heap);
    nodes_.insert(StreamNode::make(context_->heap, id, words));
  }
  ++length_;
  ++marks_.entries_added;
  marks_.last_id = id;
  if (length_ == 1) marks_.first_id = id;
}

Stream::Place Stream::node_for(StreamId id) const {
  Place at = nodes_.lower_bound(id);
  if (at != nodes_.end() && nodes_.at(at).id == id) return at;
  if (!nodes_.empty()) nodes_.backward(at);
  return at;
}

void Stream::for_each(StreamId from, StreamId to, Visitor visit) const {
  for (Place at = node_for(from); at != nodes_.end(); nodes_.forward(at)) {
    const StreamNode& node = nodes_.at(at);
    if (node.id > to) return;
    StreamEntry entry;
    while (node.next(entry)) {
      if (entry.deleted || entry.id < from) continue;
      if (entry.id > to || !visit(entry)) return;
    }
  }
}

void Stream::for_each_reversed(StreamId from, StreamId to, Visitor visit) const {
  if (nodes_.empty()) return;
  Place at = node_for(to);
  do {
    const StreamNode& node = nodes_.at(at);
    StreamEntry entry;
    while (node.previous(entry)) {
      if (entry.deleted || entry.id > to) continue;
      if (entry.id < from || !visit(entry)) return;
    }
  } while (nodes_.backward(at));
}

size_t Stream::count(StreamId from, StreamId to, size_t limit) const {
  size_t found = 0;
  for (Place at = node_for(from); at != nodes_.end() && found < limit;) {
    const StreamNode& node = nodes_.at(at);
    if (node.id > to) break;
    Place after = at;
    nodes_.forward(after);
    const bool inside = node.id >= from && (after != nodes_.end() ? nodes_.at(after).id <= to : node.last_id() <= to);
    if (inside) {
      found += node.live();
    } else {
      StreamEntry entry;
      while (found < limit && node.next(entry) && entry.id <= to) found += !entry.deleted && entry.id >= from ? 1 : 0;
    }
    at = after;
  }
  return std::min(found, limit);
}

bool Stream::contains(StreamId id) const { return count(id, id, 1) == 1; }

std::optional<StreamId> Stream::top_id() const {
  std::optional<StreamId> top;
  for_each_reversed(kStreamIdMin, kStreamIdMax, [&](const StreamEntry& entry) {
    top = entry.id;
    return false;
  });
  return top;
}

std::optional<StreamId> Stream::highest_held_id() const {
  if (nodes_.empty()) return std::nullopt;
  return nodes_.at(nodes_.last()).last_id();
}

std::optional<StreamId> Stream::lowest_held_id() const {
  StreamEntry entry;
  if (nodes_.empty() || !nodes_.at(nodes_.begin()).next(entry)) return std::nullopt;
  return entry.id;
}

// Taking entries out.

void Stream::drop_node(Place place) {
  StreamNode& node = nodes_.at(place);
  if (walk_ != nullptr && must_keep(node)) {
    keep(node);
  } else {
    node.clear(context_->heap);
  }
  nodes_.erase(place);
}

bool Stream::erase_one(StreamId id) {
  const Place place = node_for(id);
  if (place == nodes_.end()) return false;
  StreamNode& node = nodes_.at(place);
  StreamEntry entry;
  bool found = false;
  while (!found && node.next(entry) && entry.id <= id) found = entry.id == id && !entry.deleted;
  if (!found) return false;
  if (node.live() == 1) {
    drop_node(place);
  } else {
    before_change(node);
    StreamNode::mark_deleted(entry);
    node.account_deleted(context_->heap, 1);
  }
  --length_;
  return true;
}

size_t Stream::erase(std::span<const StreamId> ids) {
  size_t erased = 0;
  bool first_went = false;
  for (const StreamId id : ids) {
    if (!erase_one(id)) continue;
    ++erased;
    first_went |= id == marks_.first_id;
    marks_.max_deleted_id = std::max(marks_.max_deleted_id, id);
  }
  if (first_went || length_ == 0) refresh_first_id();
  return erased;
}

void Stream::refresh_first_id() {
  marks_.first_id = {};
  if (length_ == 0) return;
  for_each(kStreamIdMin, kStreamIdMax, [&](const StreamEntry& entry) {
    marks_.first_id = entry.id;
    return false;
  });
}

/// Flags entries from the front of a node that stays.
uint64_t Stream::trim_inside(StreamNode& node, const Trim& how) {
  uint64_t gone = 0;
  StreamEntry entry;
  while (node.next(entry)) {
    const bool enough = how.by == Trim::By::kLength ? length_ - gone <= how.length : entry.id >= how.min_id;
    if (enough) break;
    if (entry.deleted) continue;
    before_change(node);
    StreamNode::mark_deleted(entry);
    ++gone;
  }
  if (gone > 0) node.account_deleted(context_->heap, gone);
  return gone;
}

size_t Stream::trim(const Trim& how) {
  if (how.by == Trim::By::kNothing) return 0;
  uint64_t gone = 0;
  while (!nodes_.empty()) {
    if (how.by == Trim::By::kLength && length_ <= how.length) break;
    StreamNode& node = nodes_.at(nodes_.begin());
    const uint64_t entries = node.live();
    if (how.limit > 0 && gone + entries > how.limit) break;
    const bool whole = how.by == Trim::By::kLength ? length_ - entries >= how.length : node.last_id() < how.min_id;
    if (whole) {
      drop_node(nodes_.begin());
      length_ -= entries;
      gone += entries;
      continue;
    }
    if (!how.whole_nodes) {
      const uint64_t inside = trim_inside(node, how);
      length_ -= inside;
      gone += inside;
    }
    break;
  }
  if (gone > 0 || length_ == 0) refresh_first_id();
  return gone;
}

// Walks.

void Stream::begin_walk(ElementSink& sink) {
  HF_ASSERT(walk_ == nullptr && !nodes_.empty());
  walk_ = std::make_unique<NodeWalk>(NodeWalk{.sink = &sink, .last = nodes_.at(nodes_.last()).id});
}

bool Stream::must_keep(const StreamNode& node) const {
  return node.id > walk_->shown && node.id <= walk_->last && !walk_->aside.contains(node.id);
}

void Stream::keep(const StreamNode& node) { walk_->aside.emplace(node.id, node); }

bool Stream::walk() {
  NodeWalk& walk = *walk_;
  if (walk.shown >= walk.last) return false;
  const Place live = nodes_.lower_bound(*walk.shown.next());
  const auto kept = walk.aside.begin();
  const StreamId live_id = live == nodes_.end() ? kStreamIdMax : nodes_.at(live).id;
  if (kept != walk.aside.end() && kept->first <= live_id) {
    walk.shown = kept->first;
    walk.sink->node(kept->second);
    kept->second.clear(context_->heap);
    walk.aside.erase(kept);
    return true;
  }
  if (live_id > walk.last) {
    walk.shown = walk.last;
    return false;
  }
  walk.shown = live_id;
  walk.sink->node(nodes_.at(live));
  return true;
}

void Stream::end_walk() {
  for (auto& [id, node] : walk_->aside) node.clear(context_->heap);
  walk_.reset();
}

// What groups have read.

bool Stream::has_gap_from(StreamId id) const {
  if (length_ == 0 || marks_.max_deleted_id.is_zero()) return false;
  // The highest entry ever taken out was in front of all that are there.
  if (marks_.first_id > marks_.max_deleted_id) return false;
  return id <= marks_.max_deleted_id;
}

int64_t Stream::added_until(StreamId id) const {
  const auto added = static_cast<int64_t>(marks_.entries_added);
  if (added == 0) return 0;
  if (length_ == 0 && id <= marks_.last_id) return added;
  if (id == marks_.last_id) return added;
  if (id > marks_.last_id) return ConsumerGroup::kUnknownRead;
  if (marks_.max_deleted_id.is_zero() || marks_.max_deleted_id < marks_.first_id) {
    const int64_t before_first = added - static_cast<int64_t>(length_);
    if (id < marks_.first_id) return before_first;
    if (id == marks_.first_id) return before_first + 1;
  }
  return ConsumerGroup::kUnknownRead;
}

std::optional<int64_t> Stream::lag(const ConsumerGroup& group) const {
  const auto added = static_cast<int64_t>(marks_.entries_added);
  if (added == 0) return 0;
  if (group.entries_read != ConsumerGroup::kUnknownRead && !has_gap_from(group.last_id)) {
    return added - group.entries_read;
  }
  const int64_t read = added_until(group.last_id);
  if (read == ConsumerGroup::kUnknownRead) return std::nullopt;
  return added - read;
}

void Stream::note_read(ConsumerGroup& group, StreamId id) const {
  if (group.entries_read != ConsumerGroup::kUnknownRead && !has_gap_from(id)) {
    ++group.entries_read;
  } else if (marks_.entries_added > 0) {
    group.entries_read = added_until(id);
  }
  group.last_id = id;
}

ConsumerGroup* Stream::group(std::string_view name) {
  const auto at = groups_.find(name);
  return at == groups_.end() ? nullptr : &at->second;
}

ConsumerGroup* Stream::create_group(std::string_view name, StreamId last_id, int64_t entries_read) {
  if (groups_.contains(name)) return nullptr;
  Heap& heap = context_->heap;
  ConsumerGroup& group = groups_
                             .emplace(std::piecewise_construct, std::forward_as_tuple(name, HeapAllocator<char>(heap)),
                                      std::forward_as_tuple(heap, name))
                             .first->second;
  group.last_id = last_id;
  group.entries_read = entries_read;
  return &group;
}

bool Stream::destroy_group(std::string_view name) {
  const auto at = groups_.find(name);
  if (at == groups_.end()) return false;
  groups_.erase(at);
  return true;
}

// Files and figures.

void Stream::for_each_node(FunctionRef<void(const StreamNode&)> visit) const {
  for (Place at = nodes_.begin(); at != nodes_.end(); nodes_.forward(at)) visit(nodes_.at(at));
}

bool Stream::load_node(StreamId id, std::string_view listpack) {
  if (!nodes_.empty() && nodes_.at(nodes_.last()).last_id() >= id) return false;
  const auto node = StreamNode::from(context_->heap, id, listpack);
  if (!node) return false;
  nodes_.insert(*node);
  length_ += node->live();
  return true;
}

size_t Stream::memory() const {
  size_t bytes = Heap::class_bytes(sizeof(Stream)) + nodes_.memory();
  for_each_node([&](const StreamNode& node) { bytes += node.memory(); });
  for (const auto& [name, group] : groups_) {
    bytes += kMapNodeOverhead + sizeof(Groups::value_type) + group.memory();
  }
  return bytes;
}

void Stream::check_invariants() const {
  nodes_.check_invariants();
  uint64_t live = 0;
  std::optional<StreamId> before;
  for_each_node([&](const StreamNode& node) {
    node.check_invariants();
    HF_ASSERT(!before || *before < node.id);
    before = node.last_id();
    live += node.live();
  });
  HF_ASSERT(live == length_);
  HF_ASSERT(!before || *before <= marks_.last_id);
  for (const auto& [name, group] : groups_) group.check_invariants();
}

}  // namespace holdfast::store
