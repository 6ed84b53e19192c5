#include "store/type/list.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/assert.h"
#include "store/body.h"

namespace holdfast::store {

struct List::NodeWalk {
  ElementSink* sink;
  uint32_t next = 1;  // the place to be shown next
  uint32_t last = 0;
  size_t at = 0;                     // no node before it has a place to be shown
  std::map<uint32_t, Packed> aside;  // as they were, by place
};

List::List(Context& context) : context_(&context), nodes_(context.heap) {}

List::List(List&& other) noexcept
    : context_(other.context_), nodes_(std::move(other.nodes_)), size_(std::exchange(other.size_, 0)) {
  HF_ASSERT(other.walk_ == nullptr);
}
List::~List() {
  HF_ASSERT(walk_ == nullptr);
  for (size_t i = 0; i < nodes_.size(); ++i) nodes_[i].packed.clear(context_->heap);
}

size_t List::compact(size_t from, size_t& effort) {
  for (size_t i = from; i < nodes_.size(); ++i) {
    if (effort == 0) return i;
    --effort;
    nodes_[i].packed.compact(context_->heap);
  }
  nodes_.compact();
  return 0;
}

bool List::dismantle(size_t elements) {
  HF_ASSERT(walk_ == nullptr);
  for (size_t freed = 0; !nodes_.empty() && freed < elements;) {
    Node& node = nodes_.back();
    freed += node.count;
    size_ -= node.count;
    node.packed.clear(context_->heap);
    nodes_.pop_back();
  }
  return nodes_.empty();
}

List* List::clone() const {
  List* const copy = make_body<List>(*context_);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    copy->nodes_.push_back(Node{nodes_[i].packed.clone(context_->heap), nodes_[i].count});
  }
  copy->size_ = size_;
  return copy;
}

// Nodes and the walk over them.

void List::insert_node(size_t index, Node node) {
  nodes_.insert(index, std::move(node));
  if (walk_ != nullptr && index < walk_->at) ++walk_->at;
}

void List::erase_node(size_t index) {
  Node& node = nodes_[index];
  if (walk_ != nullptr) {
    keep(node, true);
    if (index < walk_->at) --walk_->at;
  }
  node.packed.clear(context_->heap);
  nodes_.erase(index);
}

void List::keep(Node& node, bool leaves) {
  const uint32_t place = std::exchange(node.place, 0);
  if (place < walk_->next) return;
  walk_->aside.emplace(place, leaves ? std::move(node.packed) : node.packed.clone(context_->heap));
}

void List::begin_walk(ElementSink& sink) {
  HF_ASSERT(walk_ == nullptr && nodes_.size() < UINT32_MAX);
  for (size_t i = 0; i < nodes_.size(); ++i) nodes_[i].place = static_cast<uint32_t>(i + 1);
  walk_ = std::make_unique<NodeWalk>(NodeWalk{.sink = &sink, .last = static_cast<uint32_t>(nodes_.size())});
}

bool List::walk() {
  NodeWalk& walk = *walk_;
  if (walk.next > walk.last) return false;
  const auto show = [&](const Packed& packed) {
    for (auto at = packed.begin(); at != packed.end(); at = packed.next(at)) walk.sink->element(packed.get(at));
  };
  const uint32_t place = walk.next++;
  if (const auto kept = walk.aside.find(place); kept != walk.aside.end()) {
    show(kept->second);
    kept->second.clear(context_->heap);
    walk.aside.erase(kept);
    return true;
  }
  while (nodes_[walk.at].place < place) ++walk.at;
  HF_ASSERT(nodes_[walk.at].place == place);
  show(nodes_[walk.at++].packed);
  return true;
}

void List::end_walk() {
  for (auto& [place, packed] : walk_->aside) packed.clear(context_->heap);
  walk_.reset();
}

bool List::fits(const Node& node, size_t element_size) const {
  if (node.count == 0) return true;
  const size_t bytes = node.packed.bytes() + Packed::element_bytes(element_size);
  const int32_t limit = context_->limits.list_max_listpack_size;
  if (limit >= 0) {
    // An element count bounds small elements only; large ones still split at 8 KiB, as in the original.
    return node.count < static_cast<uint32_t>(std::max(limit, 1)) && bytes <= 8192;
  }
  return bytes <= size_t{4096} << (std::min(-limit, 5) - 1);
}

void List::push_front(std::string_view element) {
  if (nodes_.empty() || !fits(nodes_.front(), element.size())) insert_node(0, {});
  Node& node = nodes_.front();
  before_change(node);
  node.packed.insert(context_->heap, node.packed.begin(), element);
  ++node.count;
  ++size_;
}

void List::push_back(std::string_view element) {
  if (nodes_.empty() || !fits(nodes_.back(), element.size())) insert_node(nodes_.size(), {});
  Node& node = nodes_.back();
  before_change(node);
  node.packed.push_back(context_->heap, element);
  ++node.count;
  ++size_;
}

void List::drop_front(size_t count) {
  count = std::min(count, size_);
  size_ -= count;
  while (count > 0) {
    Node& node = nodes_.front();
    if (node.count > count) {
      before_change(node);
      node.packed.erase(context_->heap, node.packed.begin(), static_cast<uint32_t>(count));
      node.count -= static_cast<uint32_t>(count);
      return;
    }
    count -= node.count;
    erase_node(0);
  }
}

void List::drop_back(size_t count) {
  count = std::min(count, size_);
  size_ -= count;
  while (count > 0) {
    Node& node = nodes_.back();
    if (node.count > count) {
      before_change(node);
      const auto dropped = static_cast<uint32_t>(count);
      node.packed.erase(context_->heap, node.packed.seek(node.count - dropped), dropped);
      node.count -= dropped;
      return;
    }
    count -= node.count;
    erase_node(nodes_.size() - 1);
  }
}

List::Position List::locate(size_t index) const {
  HF_ASSERT(index < size_);
  if (index < size_ / 2) {
    size_t node = 0;
    while (index >= nodes_[node].count) index -= nodes_[node++].count;
    return {node, index};
  }
  size_t node = nodes_.size() - 1;
  size_t behind = size_ - 1 - index;
  while (behind >= nodes_[node].count) behind -= nodes_[node--].count;
  return {node, nodes_[node].count - 1 - behind};
}

std::optional<std::string_view> List::at(int64_t index) const {
  if (index < 0) index += static_cast<int64_t>(size_);
  if (index < 0 || static_cast<size_t>(index) >= size_) return std::nullopt;
  const Position position = locate(static_cast<size_t>(index));
  const Packed& packed = nodes_[position.node].packed;
  return packed.get(packed.seek(static_cast<uint32_t>(position.index)));
}

bool List::set(int64_t index, std::string_view element) {
  if (index < 0) index += static_cast<int64_t>(size_);
  if (index < 0 || static_cast<size_t>(index) >= size_) return false;
  const Position position = locate(static_cast<size_t>(index));
  Node& node = nodes_[position.node];
  const auto at = node.packed.seek(static_cast<uint32_t>(position.index));
  before_change(node);
  if (element.size() <= node.packed.get(at).size() || node.count == 1 || fits(node, element.size())) {
    node.packed.replace(context_->heap, at, element);
    return true;
  }
  erase_at(position);
  insert_at(static_cast<size_t>(index), element);
  return true;
}

void List::erase_at(Position position) {
  Node& node = nodes_[position.node];
  before_change(node);
  node.packed.erase(context_->heap, node.packed.seek(static_cast<uint32_t>(position.index)));
  --size_;
  if (--node.count == 0) erase_node(position.node);
}

void List::insert_at(size_t index, std::string_view element) {
  if (index == size_) {
    push_back(element);
    return;
  }
  if (index == 0) {
    push_front(element);
    return;
  }
  const Position position = locate(index);
  Node& here = nodes_[position.node];
  ++size_;
  if (fits(here, element.size())) {
    before_change(here);
    here.packed.insert(context_->heap, here.packed.seek(static_cast<uint32_t>(position.index)), element);
    ++here.count;
    return;
  }
  Node fresh;
  fresh.packed.push_back(context_->heap, element);
  fresh.count = 1;
  if (position.index == 0) {
    insert_node(position.node, std::move(fresh));
    return;
  }
  before_change(here);
  const auto kept = static_cast<uint32_t>(position.index);
  Node rest;
  rest.packed = here.packed.split(context_->heap, here.packed.seek(kept));
  rest.count = here.count - kept;
  here.count = kept;
  insert_node(position.node + 1, std::move(rest));
  insert_node(position.node + 1, std::move(fresh));
}

bool List::insert(std::string_view pivot, std::string_view element, bool after) {
  size_t index = 0;
  bool found = false;
  for_each([&](std::string_view each) {
    found = each == pivot;
    if (!found) ++index;
    return !found;
  });
  if (!found) return false;
  insert_at(index + (after ? 1 : 0), element);
  return true;
}

size_t List::remove_in(size_t index, std::string_view element, size_t limit, bool from_tail) {
  Node& node = nodes_[index];
  Packed& packed = node.packed;
  size_t removed = 0;
  auto at = from_tail ? packed.end() : packed.begin();
  for (uint32_t left = node.count; left > 0 && removed < limit; --left) {
    if (from_tail) at = packed.previous(at);
    if (packed.get(at) == element) {
      before_change(node);
      packed.erase(context_->heap, at);
      --node.count;
      ++removed;
    } else if (!from_tail) {
      at = packed.next(at);
    }
  }
  return removed;
}

size_t List::remove(std::string_view element, int64_t count) {
  const bool from_tail = count < 0;
  const uint64_t magnitude = from_tail ? -static_cast<uint64_t>(count) : static_cast<uint64_t>(count);
  const size_t limit = count == 0 ? SIZE_MAX : magnitude;
  size_t removed = 0;
  for (size_t i = 0; i < nodes_.size() && removed < limit; ++i) {
    removed += remove_in(from_tail ? nodes_.size() - 1 - i : i, element, limit - removed, from_tail);
  }
  for (size_t i = nodes_.size(); removed > 0 && i-- > 0;) {
    if (nodes_[i].count == 0) erase_node(i);
  }
  size_ -= removed;
  return removed;
}

void List::trim(size_t first, size_t last) {
  if (first > last || first >= size_) {
    drop_front(size_);
    return;
  }
  last = std::min(last, size_ - 1);
  drop_back(size_ - 1 - last);
  drop_front(first);
}

void List::positions(std::string_view element, int64_t rank, size_t count, size_t max_length,
                     std::vector<size_t>& found) const {
  HF_ASSERT(rank != 0);
  const bool from_tail = rank < 0;
  uint64_t skip = (from_tail ? -static_cast<uint64_t>(rank) : static_cast<uint64_t>(rank)) - 1;
  size_t looked = 0;
  size_t matches = 0;
  const auto visit = [&](std::string_view each) {
    if (max_length != 0 && looked == max_length) return false;
    const size_t index = from_tail ? size_ - 1 - looked : looked;
    ++looked;
    if (each != element) return true;
    if (skip > 0) {
      --skip;
      return true;
    }
    found.push_back(index);
    return ++matches != count;
  };
  if (from_tail) {
    for_each_reversed(0, SIZE_MAX, visit);
  } else {
    for_each(0, SIZE_MAX, visit);
  }
}

void List::for_each(size_t first, size_t last, FunctionRef<bool(std::string_view)> visit) const {
  if (first >= size_ || first > last) return;
  size_t left = std::min(last, size_ - 1) - first + 1;
  Position position = locate(first);
  for (; left > 0; ++position.node, position.index = 0) {
    const Packed& packed = nodes_[position.node].packed;
    for (auto at = packed.seek(static_cast<uint32_t>(position.index)); at != packed.end() && left > 0; --left) {
      if (!visit(packed.get(at))) return;
      at = packed.next(at);
    }
  }
}

void List::for_each_reversed(size_t first, size_t last, FunctionRef<bool(std::string_view)> visit) const {
  if (first >= size_ || first > last) return;
  last = std::min(last, size_ - 1);
  size_t left = last - first + 1;
  const Position position = locate(last);
  auto stop = static_cast<uint32_t>(position.index) + 1;
  for (size_t node = position.node; left > 0;) {
    const Packed& packed = nodes_[node].packed;
    for (auto at = packed.seek(stop); at != packed.begin() && left > 0; --left) {
      at = packed.previous(at);
      if (!visit(packed.get(at))) return;
    }
    if (left > 0) stop = nodes_[--node].count;
  }
}

Encoding List::encoding() const { return nodes_.size() <= 1 ? Encoding::kListpack : Encoding::kQuicklist; }

size_t List::memory() const {
  size_t bytes = Heap::class_bytes(sizeof(List)) + Heap::class_bytes(nodes_.capacity() * sizeof(Node));
  for (size_t i = 0; i < nodes_.size(); ++i) bytes += nodes_[i].packed.memory();
  return bytes;
}

void List::check_invariants() const {
  size_t elements = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    node.packed.check_invariants();
    HF_ASSERT(node.count > 0 && node.count == node.packed.count());
    elements += node.count;
  }
  HF_ASSERT(elements == size_);
}

}  // namespace holdfast::store
