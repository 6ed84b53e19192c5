// RankTree: items in (score, member) order with their ranks; a B+ tree whose inner nodes count what is below them.
//
// An item is one block [member length varint][member][score 8 bytes] owned by someone else; the tree holds pointers.
// Scores are compared as doubles (-0 equals 0), members as unsigned bytes. Changing an item's score while it is in the
// tree is a bug: take it out first.
// Invariants (check_invariants): strictly ascending; every node but the root at least a quarter full; counts add up;
// each separator is the first item of its child.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "store/element_sink.h"
#include "store/heap.h"

namespace holdfast::store {

class RankTree {
 public:
  struct Leaf;

  explicit RankTree(Heap& heap) : heap_(&heap) {}
  RankTree(const RankTree&) = delete;
  RankTree& operator=(const RankTree&) = delete;
  ~RankTree();

  static std::string_view member_of(const void* item);
  static double score_of(const void* item);

  size_t size() const { return size_; }
  /// No equal item may be present.
  void insert(void* item);
  /// The item must be present.
  void erase(void* item);
  /// Puts `fresh`, which has the content of `old`, in its place.
  void replace(const void* old, void* fresh);
  /// Moves the leaf that holds `item` if the heap wants it elsewhere.
  void compact_leaf(const void* item);
  /// How many items are before (score, member).
  size_t rank(double score, std::string_view member) const;
  size_t count_below(double score, bool or_equal) const;
  size_t count_below_lex(std::string_view member, bool or_equal) const;

  /// A place in the order; dies at the next write.
  struct Cursor {
    Leaf* leaf = nullptr;
    uint32_t index = 0;
  };
  /// rank < size().
  Cursor seek(size_t rank) const;
  static void* item(Cursor at);
  /// False at the end (the start) of the tree.
  static bool forward(Cursor& at);
  static bool backward(Cursor& at);

  /// store/walk.h; from the highest item down.
  void begin_walk(ElementSink& sink);
  bool walk();
  void end_walk() { walk_.reset(); }
  bool is_walked() const { return walk_ != nullptr; }

  size_t memory() const { return memory_; }
  void check_invariants() const;

 private:
  struct Inner;
  struct Node;
  struct LeafWalk {
    ElementSink* sink;
    Leaf* next;  // it, or one before it, is the next to be shown; null at the end
  };
  template <typename Before>
  size_t count_while(Before before) const;
  /// Returns the new right neighbour of `node` if it had to be split, else null.
  Node* insert_into(Node* node, void* item);
  Node* insert_into_leaf(Leaf* leaf, void* item);
  Node* insert_into_inner(Inner* inner, void* item);
  void erase_from(Node* node, const void* item);
  /// Merges children `left` and `left` + 1, or shares their content evenly.
  void rebalance(Inner* parent, uint32_t left);
  void rebalance_leaves(Inner* parent, uint32_t left);
  void rebalance_inners(Inner* parent, uint32_t left);
  static uint32_t child_for(const Inner& inner, const void* item);
  static void refresh(Inner& inner, uint32_t child);
  static void remove_child(Inner& inner, uint32_t child);
  static void* first_of(const Node& node);
  static size_t count_of(const Node& node);
  Leaf* new_leaf();
  Inner* new_inner(uint16_t height);
  void free_node(Node* node);
  void free_all(Node* node);
  bool is_shown(const Leaf& leaf) const;
  void show(Leaf& leaf);
  /// A walk sees the leaf before it changes.
  void before_change(Leaf& leaf) {
    if (walk_ != nullptr && !is_shown(leaf)) [[unlikely]]
      show(leaf);
  }
  size_t check_node(const Node& node, bool is_root) const;

  Heap* heap_;
  Node* root_ = nullptr;
  size_t size_ = 0;
  size_t memory_ = 0;
  uint16_t walk_number_ = 0;  // of the newest walk
  std::unique_ptr<LeafWalk> walk_;
};

}  // namespace holdfast::store
