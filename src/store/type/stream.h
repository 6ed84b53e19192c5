// Stream: entries of field-value pairs under ascending ids, and the consumer groups that read them.
//
// Form: packed nodes (StreamNode) bounded by stream-node-max-bytes and -entries, in an ordered index. Unlike other
// collections a stream may be empty. Views handed out are borrowed until the next write to the stream; visitors must
// not write to it (consumer groups may be changed).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "store/context.h"
#include "store/element_sink.h"
#include "store/id_index.h"
#include "store/type/consumer_group.h"
#include "store/type/stream_node.h"
#include "store/value.h"

namespace holdfast::store {

class Stream {
 public:
  using Visitor = FunctionRef<bool(const StreamEntry&)>;
  using Groups = ByNameMap<ConsumerGroup>;

  struct Trim {
    enum class By : uint8_t { kNothing, kLength, kId };
    By by = By::kNothing;
    bool whole_nodes = false;  // `~`: stop at the first node that cannot go as a whole
    uint64_t limit = 0;        // no more entries than this in whole nodes; 0: no limit
    uint64_t length = 0;       // kLength: keep so many
    StreamId min_id;           // kId: keep entries from here on
  };
  /// What a stream remembers beyond its entries.
  struct Marks {
    StreamId last_id;         // the highest ever given
    StreamId first_id;        // of the first entry there is; zero if there is none
    StreamId max_deleted_id;  // the highest ever taken out by XDEL
    uint64_t entries_added = 0;
  };

  explicit Stream(Context& context);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();
  Stream* clone() const;
  /// Moves blocks that the heap wants elsewhere, from node `from` on while `effort` (nodes looked at) lasts. Where to
  /// go on; 0: through. Not the body, nor groups.
  size_t compact(size_t from, size_t& effort);
  /// Frees about `elements` of them; true when nothing but an empty body is left. For values nobody sees any more.
  bool dismantle(size_t elements);

  size_t size() const { return length_; }
  bool empty() const { return length_ == 0; }
  const Marks& marks() const { return marks_; }
  void set_marks(const Marks& marks) { marks_ = marks; }

  /// `id` must be behind last_id; `words` are field, value, field, value.
  void append(StreamId id, std::span<const std::string_view> words);
  bool contains(StreamId id) const;
  /// How many of `ids` were there.
  size_t erase(std::span<const StreamId> ids);
  /// From the lowest ids up. How many entries went.
  size_t trim(const Trim& how);

  /// Entries with ids in [from, to], ascending, until `visit` answers false.
  void for_each(StreamId from, StreamId to, Visitor visit) const;
  void for_each_reversed(StreamId from, StreamId to, Visitor visit) const;
  /// How many entries have ids in [from, to]; stops at `limit`.
  size_t count(StreamId from, StreamId to, size_t limit) const;
  /// Of the last entry there is.
  std::optional<StreamId> top_id() const;
  /// The highest and the lowest id still held, of deleted entries maybe.
  std::optional<StreamId> highest_held_id() const;
  std::optional<StreamId> lowest_held_id() const;

  /// Whether an entry after `id` may have been taken out of the middle.
  bool has_gap_from(StreamId id) const;
  /// How many entries were ever added up to and with `id`, if that can be told (ConsumerGroup::kUnknownRead if not).
  int64_t added_until(StreamId id) const;
  /// Entries `group` has not read yet; nullopt: cannot be told.
  std::optional<int64_t> lag(const ConsumerGroup& group) const;
  /// `group` read the entry `id`, which is behind its last_id: moves last_id and the count of entries read.
  void note_read(ConsumerGroup& group, StreamId id) const;

  const Groups& groups() const { return groups_; }
  ConsumerGroup* group(std::string_view name);
  /// Null if the name is taken.
  ConsumerGroup* create_group(std::string_view name, StreamId last_id, int64_t entries_read);
  bool destroy_group(std::string_view name);

  // For files.
  void for_each_node(FunctionRef<void(const StreamNode&)> visit) const;
  /// A node behind all others; false: it is not a node, or not behind them.
  bool load_node(StreamId id, std::string_view listpack);
  size_t nodes() const { return nodes_.size(); }

  /// store/walk.h; of its nodes alone.
  void begin_walk(ElementSink& sink);
  bool walk();
  void end_walk();
  bool is_walked() const { return walk_ != nullptr; }

  size_t memory() const;
  void check_invariants() const;

 private:
  using Place = IdIndex<StreamNode>::Place;
  /// The node that holds `id` if it is there, else the first one.
  Place node_for(StreamId id) const;
  bool erase_one(StreamId id);
  void drop_node(Place place);
  struct NodeWalk;
  /// Whether a walk still needs the node as it is.
  bool must_keep(const StreamNode& node) const;
  void keep(const StreamNode& node);
  void before_change(const StreamNode& node) {
    if (walk_ != nullptr && must_keep(node)) [[unlikely]]
      keep(node.clone(context_->heap));
  }
  uint64_t trim_inside(StreamNode& node, const Trim& how);
  void refresh_first_id();

  Context* context_;
  IdIndex<StreamNode> nodes_;
  size_t length_ = 0;
  Marks marks_;
  Groups groups_;
  std::unique_ptr<NodeWalk> walk_;
};

}  // namespace holdfast::store
