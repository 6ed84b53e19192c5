// List: a sequence of byte strings, cheap at both ends.
//
// Forms: kListpack = one packed block; kQuicklist = a deque of packed nodes, each bounded by list-max-listpack-size.
// Positions: 0 is the head; negative ones count from the tail, -1 being the last.
// Views handed out are borrowed until the next write to the list. Visitors must not write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "store/context.h"
#include "store/element_sink.h"
#include "store/function_ref.h"
#include "store/packed.h"
#include "store/ring.h"
#include "store/value.h"

namespace holdfast::store {

class List {
 public:
  explicit List(Context& context);
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  /// Leaves nothing behind; for moving a body nobody walks.
  List(List&& other) noexcept;
  ~List();
  /// Deep copy, made with the same context.
  List* clone() const;
  /// Moves blocks that the heap wants elsewhere, from node `from` on while `effort` (blocks looked at) lasts. Where to
  /// go on; 0: through.
  size_t compact(size_t from, size_t& effort);
  /// Frees about `elements` of them; true when nothing but an empty body is left. For values nobody sees any more.
  bool dismantle(size_t elements);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void push_front(std::string_view element);
  void push_back(std::string_view element);
  /// Drops at most `count` elements from one end.
  void drop_front(size_t count);
  void drop_back(size_t count);

  std::optional<std::string_view> at(int64_t index) const;
  /// False if there is no such position.
  bool set(int64_t index, std::string_view element);
  /// Next to the first element equal to `pivot`; false if there is none.
  bool insert(std::string_view pivot, std::string_view element, bool after);
  /// Removes elements equal to `element`: the first `count`, the last `-count`, or all for 0. Returns how many.
  size_t remove(std::string_view element, int64_t count);
  /// Keeps [first, last] (0-based, clamped) and drops the rest; first > last empties the list.
  void trim(size_t first, size_t last);
  /// LPOS: positions of elements equal to `element`. `rank` != 0: skip rank-1 matches, from the tail if negative.
  /// At most `count` positions (0 = all), looking at no more than `max_length` elements (0 = all).
  void positions(std::string_view element, int64_t rank, size_t count, size_t max_length,
                 std::vector<size_t>& found) const;

  /// Visits [first, last] (0-based, clamped) head to tail until `visit` answers false.
  void for_each(size_t first, size_t last, FunctionRef<bool(std::string_view)> visit) const;
  void for_each(FunctionRef<bool(std::string_view)> visit) const { for_each(0, SIZE_MAX, visit); }
  /// The same elements, tail to head.
  void for_each_reversed(size_t first, size_t last, FunctionRef<bool(std::string_view)> visit) const;

  /// store/walk.h.
  void begin_walk(ElementSink& sink);
  bool walk();
  void end_walk();
  bool is_walked() const { return walk_ != nullptr; }

  size_t nodes() const { return nodes_.size(); }
  Encoding encoding() const;
  size_t memory() const;
  void check_invariants() const;

 private:
  struct Node {
    Packed packed;
    uint32_t count = 0;
    uint32_t place = 0;  // in the order of the walk's beginning, from 1; 0: it was not there, or is kept aside
  };
  struct NodeWalk;
  struct Position {
    size_t node = 0;
    size_t index = 0;  // element inside the node
  };
  void insert_node(size_t index, Node node);
  /// The node's block is freed, or kept for a walk.
  void erase_node(size_t index);
  /// A walk keeps what it has not shown yet.
  void before_change(Node& node) {
    if (walk_ != nullptr) [[unlikely]]
      keep(node, false);
  }
  void keep(Node& node, bool leaves);
  bool fits(const Node& node, size_t element_size) const;
  Position locate(size_t index) const;
  void insert_at(size_t index, std::string_view element);
  void erase_at(Position position);
  size_t remove_in(size_t node, std::string_view element, size_t limit, bool from_tail);

  Context* context_;
  Ring<Node> nodes_;
  size_t size_ = 0;
  std::unique_ptr<NodeWalk> walk_;
};

}  // namespace holdfast::store
