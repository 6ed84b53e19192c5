#include "store/rank_tree.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/assert.h"
#include "store/varint.h"

namespace holdfast::store {

namespace {
constexpr uint32_t kLeafMax = 60;   // a leaf is 504 bytes
constexpr uint32_t kInnerMax = 32;  // an inner node 776
}  // namespace

struct RankTree::Node {
  uint16_t height;    // 0 = leaf
  uint16_t walk = 0;  // of a leaf: the newest walk it was shown in, or not there yet
  uint32_t size = 0;
};

struct RankTree::Leaf : Node {
  Leaf* previous = nullptr;
  Leaf* next = nullptr;
  void* items[kLeafMax];
};

struct RankTree::Inner : Node {
  Node* children[kInnerMax];
  size_t counts[kInnerMax];  // items below each child
  void* firsts[kInnerMax];   // first item below each child
};

std::string_view RankTree::member_of(const void* item) {
  uint64_t size = 0;
  const char* const at = get_varint(static_cast<const char*>(item), size);
  return {at, size};
}

double RankTree::score_of(const void* item) {
  const std::string_view member = member_of(item);
  double score = 0;
  std::memcpy(&score, member.data() + member.size(), sizeof(score));
  return score;
}

namespace {

bool is_before(const void* a, double score, std::string_view member) {
  const double own = RankTree::score_of(a);
  return own != score ? own < score : RankTree::member_of(a) < member;
}

bool is_before(const void* a, const void* b) { return is_before(a, RankTree::score_of(b), RankTree::member_of(b)); }

}  // namespace

RankTree::~RankTree() {
  HF_ASSERT(walk_ == nullptr);
  if (root_ != nullptr) free_all(root_);
  HF_ASSERT(memory_ == 0);
}

RankTree::Leaf* RankTree::new_leaf() {
  memory_ += Heap::class_bytes(sizeof(Leaf));
  auto* const leaf = new (heap_->allocate(sizeof(Leaf))) Leaf;
  leaf->height = 0;
  leaf->walk = walk_number_;
  return leaf;
}

RankTree::Inner* RankTree::new_inner(uint16_t height) {
  memory_ += Heap::class_bytes(sizeof(Inner));
  auto* const inner = new (heap_->allocate(sizeof(Inner))) Inner;
  inner->height = height;
  return inner;
}

void RankTree::free_node(Node* node) {
  const size_t bytes = node->height == 0 ? sizeof(Leaf) : sizeof(Inner);
  memory_ -= Heap::class_bytes(bytes);
  heap_->release(node, bytes);
}

void RankTree::free_all(Node* node) {
  if (node->height > 0) {
    for (uint32_t i = 0; i < node->size; ++i) free_all(static_cast<Inner*>(node)->children[i]);
  }
  free_node(node);
}

void* RankTree::first_of(const Node& node) {
  return node.height == 0 ? static_cast<const Leaf&>(node).items[0] : static_cast<const Inner&>(node).firsts[0];
}

size_t RankTree::count_of(const Node& node) {
  if (node.height == 0) return node.size;
  const auto& inner = static_cast<const Inner&>(node);
  size_t count = 0;
  for (uint32_t i = 0; i < inner.size; ++i) count += inner.counts[i];
  return count;
}

uint32_t RankTree::child_for(const Inner& inner, const void* item) {
  uint32_t low = 1;
  uint32_t high = inner.size;
  while (low < high) {  // the last child whose first item is not behind `item`
    const uint32_t middle = (low + high) / 2;
    if (is_before(item, inner.firsts[middle])) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low - 1;
}

void RankTree::refresh(Inner& inner, uint32_t child) {
  inner.counts[child] = count_of(*inner.children[child]);
  inner.firsts[child] = first_of(*inner.children[child]);
}

void RankTree::insert(void* item) {
  if (root_ == nullptr) root_ = new_leaf();
  if (Node* const right = insert_into(root_, item); right != nullptr) {
    Inner* const top = new_inner(static_cast<uint16_t>(root_->height + 1));
    top->size = 2;
    top->children[0] = root_;
    top->children[1] = right;
    refresh(*top, 0);
    refresh(*top, 1);
    root_ = top;
  }
  ++size_;
}

void RankTree::replace(const void* old, void* fresh) {
  Node* node = root_;
  while (node->height > 0) {
    auto& inner = static_cast<Inner&>(*node);
    const uint32_t child = child_for(inner, fresh);
    if (inner.firsts[child] == old) inner.firsts[child] = fresh;
    node = inner.children[child];
  }
  auto& leaf = static_cast<Leaf&>(*node);
  void** const place = std::find(leaf.items, leaf.items + leaf.size, old);
  HF_ASSERT(place != leaf.items + leaf.size);
  *place = fresh;
}

void RankTree::compact_leaf(const void* item) {
  Node** link = &root_;
  while ((*link)->height > 0) {
    auto& inner = static_cast<Inner&>(**link);
    link = &inner.children[child_for(inner, item)];
  }
  auto* const old = static_cast<Leaf*>(*link);
  if (!heap_->should_move(old, sizeof(Leaf))) return;
  auto* const leaf = new (heap_->allocate(sizeof(Leaf))) Leaf(*old);
  heap_->release(old, sizeof(Leaf));
  if (leaf->previous != nullptr) leaf->previous->next = leaf;
  if (leaf->next != nullptr) leaf->next->previous = leaf;
  *link = leaf;
}

RankTree::Node* RankTree::insert_into(Node* node, void* item) {
  return node->height == 0 ? insert_into_leaf(static_cast<Leaf*>(node), item)
                           : insert_into_inner(static_cast<Inner*>(node), item);
}

RankTree::Node* RankTree::insert_into_leaf(Leaf* leaf, void* item) {
  before_change(*leaf);
  Leaf* right = nullptr;
  const auto before = [](const void* a, const void* b) { return is_before(a, b); };
  auto place =
      static_cast<uint32_t>(std::lower_bound(leaf->items, leaf->items + leaf->size, item, before) - leaf->items);
  Leaf* target = leaf;
  if (leaf->size == kLeafMax) {
    right = new_leaf();
    // An append at the very end (ascending loads) keeps the left leaf full.
    const uint32_t kept = place == kLeafMax && leaf->next == nullptr ? kLeafMax * 3 / 4 : kLeafMax / 2;
    right->size = kLeafMax - kept;
    std::copy_n(leaf->items + kept, right->size, right->items);
    leaf->size = kept;
    right->next = leaf->next;
    right->previous = leaf;
    if (leaf->next != nullptr) leaf->next->previous = right;
    leaf->next = right;
    if (place > kept) {
      target = right;
      place -= kept;
    }
  }
  HF_ASSERT(place == target->size || is_before(item, target->items[place]));
  std::copy_backward(target->items + place, target->items + target->size, target->items + target->size + 1);
  target->items[place] = item;
  ++target->size;
  return right;
}

RankTree::Node* RankTree::insert_into_inner(Inner* inner, void* item) {
  const uint32_t child = child_for(*inner, item);
  Node* const split = insert_into(inner->children[child], item);
  refresh(*inner, child);
  if (split == nullptr) return nullptr;
  Inner* right = nullptr;
  Inner* target = inner;
  uint32_t place = child + 1;
  if (inner->size == kInnerMax) {
    right = new_inner(inner->height);
    constexpr uint32_t kKept = kInnerMax / 2;
    right->size = kInnerMax - kKept;
    std::copy_n(inner->children + kKept, right->size, right->children);
    std::copy_n(inner->counts + kKept, right->size, right->counts);
    std::copy_n(inner->firsts + kKept, right->size, right->firsts);
    inner->size = kKept;
    if (place > kKept) {
      target = right;
      place -= kKept;
    }
  }
  const auto open = [&](auto* array) {
    std::copy_backward(array + place, array + target->size, array + target->size + 1);
  };
  open(target->children);
  open(target->counts);
  open(target->firsts);
  target->children[place] = split;
  ++target->size;
  refresh(*target, place);
  return right;
}

void RankTree::erase(void* item) {
  HF_ASSERT(root_ != nullptr);
  erase_from(root_, item);
  --size_;
  if (root_->height > 0 && root_->size == 1) {
    Node* const old = root_;
    root_ = static_cast<Inner*>(old)->children[0];
    free_node(old);
  } else if (root_->size == 0) {
    if (walk_ != nullptr) walk_->next = nullptr;
    free_node(root_);
    root_ = nullptr;
  }
}

void RankTree::erase_from(Node* node, const void* item) {
  if (node->height == 0) {
    auto* const leaf = static_cast<Leaf*>(node);
    before_change(*leaf);
    const auto before = [](const void* a, const void* b) { return is_before(a, b); };
    void** const at = std::lower_bound(leaf->items, leaf->items + leaf->size, item, before);
    HF_ASSERT(at != leaf->items + leaf->size && *at == item);
    std::copy(at + 1, leaf->items + leaf->size, at);
    --leaf->size;
    return;
  }
  auto* const inner = static_cast<Inner*>(node);
  const uint32_t child = child_for(*inner, item);
  erase_from(inner->children[child], item);
  const uint32_t minimum = (node->height == 1 ? kLeafMax : kInnerMax) / 4;
  if (inner->children[child]->size < minimum) {
    rebalance(inner, child == 0 ? 0 : child - 1);
  } else {
    refresh(*inner, child);
  }
}

void RankTree::rebalance(Inner* parent, uint32_t left) {
  HF_ASSERT(left + 1 < parent->size);
  if (parent->height == 1) {
    rebalance_leaves(parent, left);
  } else {
    rebalance_inners(parent, left);
  }
}

void RankTree::remove_child(Inner& inner, uint32_t child) {
  const auto close = [&](auto* array) { std::copy(array + child + 1, array + inner.size, array + child); };
  close(inner.children);
  close(inner.counts);
  close(inner.firsts);
  --inner.size;
}

namespace {

/// Of two neighbouring arrays: everything into the left one, or both to the same size.
template <typename T>
void share(T* left, uint32_t left_size, T* right, uint32_t right_size, uint32_t left_wanted) {
  if (left_wanted >= left_size) {
    const uint32_t moved = left_wanted - left_size;
    std::copy_n(right, moved, left + left_size);
    std::copy(right + moved, right + right_size, right);
  } else {
    const uint32_t moved = left_size - left_wanted;
    std::copy_backward(right, right + right_size, right + right_size + moved);
    std::copy_n(left + left_wanted, moved, right);
  }
}

}  // namespace

void RankTree::rebalance_leaves(Inner* parent, uint32_t left) {
  auto* const a = static_cast<Leaf*>(parent->children[left]);
  auto* const b = static_cast<Leaf*>(parent->children[left + 1]);
  if (is_shown(*a) != is_shown(*b)) {
    before_change(*a);
    before_change(*b);
  }
  const uint32_t total = a->size + b->size;
  const uint32_t wanted = total <= kLeafMax ? total : total / 2;
  share(a->items, a->size, b->items, b->size, wanted);
  a->size = wanted;
  b->size = total - wanted;
  refresh(*parent, left);
  if (b->size > 0) {
    refresh(*parent, left + 1);
    return;
  }
  if (walk_ != nullptr && walk_->next == b) walk_->next = a;
  a->next = b->next;
  if (b->next != nullptr) b->next->previous = a;
  remove_child(*parent, left + 1);
  free_node(b);
}

void RankTree::rebalance_inners(Inner* parent, uint32_t left) {
  auto* const a = static_cast<Inner*>(parent->children[left]);
  auto* const b = static_cast<Inner*>(parent->children[left + 1]);
  const uint32_t total = a->size + b->size;
  const uint32_t wanted = total <= kInnerMax ? total : total / 2;
  share(a->children, a->size, b->children, b->size, wanted);
  share(a->counts, a->size, b->counts, b->size, wanted);
  share(a->firsts, a->size, b->firsts, b->size, wanted);
  a->size = wanted;
  b->size = total - wanted;
  refresh(*parent, left);
  if (b->size > 0) {
    refresh(*parent, left + 1);
    return;
  }
  remove_child(*parent, left + 1);
  free_node(b);
}

template <typename Before>
size_t RankTree::count_while(Before before) const {
  if (root_ == nullptr) return 0;
  size_t count = 0;
  const Node* node = root_;
  while (node->height > 0) {
    const auto& inner = static_cast<const Inner&>(*node);
    auto child =
        static_cast<uint32_t>(std::partition_point(inner.firsts, inner.firsts + inner.size, before) - inner.firsts);
    if (child == 0) return count;
    --child;
    for (uint32_t i = 0; i < child; ++i) count += inner.counts[i];
    node = inner.children[child];
  }
  const auto& leaf = static_cast<const Leaf&>(*node);
  return count + static_cast<size_t>(std::partition_point(leaf.items, leaf.items + leaf.size, before) - leaf.items);
}

size_t RankTree::rank(double score, std::string_view member) const {
  return count_while([&](const void* item) { return is_before(item, score, member); });
}

size_t RankTree::count_below(double score, bool or_equal) const {
  return count_while([&](const void* item) {
    const double own = score_of(item);
    return or_equal ? own <= score : own < score;
  });
}

size_t RankTree::count_below_lex(std::string_view member, bool or_equal) const {
  return count_while([&](const void* item) {
    const int order = member_of(item).compare(member);
    return or_equal ? order <= 0 : order < 0;
  });
}

RankTree::Cursor RankTree::seek(size_t rank) const {
  HF_ASSERT(rank < size_);
  Node* node = root_;
  while (node->height > 0) {
    const auto& inner = static_cast<const Inner&>(*node);
    uint32_t child = 0;
    while (rank >= inner.counts[child]) rank -= inner.counts[child++];
    node = inner.children[child];
  }
  return {static_cast<Leaf*>(node), static_cast<uint32_t>(rank)};
}

void* RankTree::item(Cursor at) { return at.leaf->items[at.index]; }

bool RankTree::forward(Cursor& at) {
  if (++at.index < at.leaf->size) return true;
  at = {at.leaf->next, 0};
  return at.leaf != nullptr;
}

bool RankTree::backward(Cursor& at) {
  if (at.index > 0) {
    --at.index;
    return true;
  }
  at.leaf = at.leaf->previous;
  if (at.leaf == nullptr) return false;
  at.index = at.leaf->size - 1;
  return true;
}

// Walks.

bool RankTree::is_shown(const Leaf& leaf) const { return leaf.walk == walk_number_; }

void RankTree::begin_walk(ElementSink& sink) {
  HF_ASSERT(walk_ == nullptr);
  Leaf* const last = size_ == 0 ? nullptr : seek(size_ - 1).leaf;
  if (++walk_number_ == 0) {  // after all numbers have been used: nobody may seem to have been shown
    for (Leaf* leaf = last; leaf != nullptr; leaf = leaf->previous) leaf->walk = 0;
    walk_number_ = 1;
  }
  walk_ = std::make_unique<LeafWalk>(LeafWalk{.sink = &sink, .next = last});
}

void RankTree::show(Leaf& leaf) {
  leaf.walk = walk_number_;
  for (uint32_t i = leaf.size; i-- > 0;) walk_->sink->scored(member_of(leaf.items[i]), score_of(leaf.items[i]));
}

bool RankTree::walk() {
  Leaf*& next = walk_->next;
  while (next != nullptr && is_shown(*next)) next = next->previous;
  if (next == nullptr) return false;
  Leaf& leaf = *next;
  next = leaf.previous;
  show(leaf);
  return true;
}

size_t RankTree::check_node(const Node& node, bool is_root) const {
  if (node.height == 0) {
    const auto& leaf = static_cast<const Leaf&>(node);
    HF_ASSERT(is_root || leaf.size >= kLeafMax / 4);
    HF_ASSERT(leaf.size <= kLeafMax && (leaf.next == nullptr || leaf.next->previous == &leaf));
    return leaf.size;
  }
  const auto& inner = static_cast<const Inner&>(node);
  HF_ASSERT(inner.size >= (is_root ? 2 : kInnerMax / 4) && inner.size <= kInnerMax);
  size_t count = 0;
  for (uint32_t i = 0; i < inner.size; ++i) {
    HF_ASSERT(inner.children[i]->height + 1 == inner.height);
    HF_ASSERT(inner.firsts[i] == first_of(*inner.children[i]));
    HF_ASSERT(inner.counts[i] == check_node(*inner.children[i], false));
    count += inner.counts[i];
  }
  return count;
}

void RankTree::check_invariants() const {
  if (root_ == nullptr) {
    HF_ASSERT(size_ == 0);
    return;
  }
  HF_ASSERT(check_node(*root_, true) == size_);
  Cursor at = seek(0);
  size_t visited = 1;
  for (const void* previous = item(at); forward(at); previous = item(at), ++visited) {
    HF_ASSERT(is_before(previous, item(at)));
  }
  HF_ASSERT(visited == size_);
}

}  // namespace holdfast::store
