#include "store/type/sorted_set.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/assert.h"
#include "base/prng.h"
#include "store/body.h"
#include "store/varint.h"

namespace holdfast::store {

namespace {

using ScoreBytes = char[sizeof(double)];

double read_score(std::string_view bytes) {
  HF_ASSERT(bytes.size() == sizeof(double));
  double score = 0;
  std::memcpy(&score, bytes.data(), sizeof(score));
  return score;
}

std::string_view put_score(double score, ScoreBytes& bytes) {
  std::memcpy(bytes, &score, sizeof(score));
  return {bytes, sizeof(bytes)};
}

}  // namespace

struct SortedSet::Big {
  explicit Big(Context& shared) : context(shared), table(shared, 0), tree(shared.heap) {}
  ~Big() {
    table.drain(SIZE_MAX, [&](void* item) { free_item(item); });
  }
  static size_t bytes_of(std::string_view member) {
    return varint_size(member.size()) + member.size() + sizeof(double);
  }
  void free_item(void* item) {
    const size_t bytes = bytes_of(RankTree::member_of(item));
    item_bytes -= Heap::class_bytes(bytes);
    context.heap.release(item, bytes);
  }
  void add(std::string_view member, double score) {
    const size_t bytes = bytes_of(member);
    auto* const item = static_cast<char*>(context.heap.allocate(bytes));
    char* const at = put_varint(item, member.size());
    if (!member.empty()) std::memcpy(at, member.data(), member.size());
    std::memcpy(at + member.size(), &score, sizeof(score));
    item_bytes += Heap::class_bytes(bytes);
    table.insert(context.key(member), item);
    tree.insert(item);
  }
  void rescore(void* item, double score) {
    tree.erase(item);
    const std::string_view member = RankTree::member_of(item);
    std::memcpy(const_cast<char*>(member.data()) + member.size(), &score, sizeof(score));
    tree.insert(item);
  }
  bool erase(std::string_view member) {
    void* const item = table.erase(context.key(member));
    if (item == nullptr) return false;
    tree.erase(item);
    free_item(item);
    return true;
  }

  /// Items in their order, each leaf of the tree before its items.
  size_t compact(size_t from, size_t& effort) {
    for (size_t rank = from; rank < tree.size(); ++rank) {
      if (effort == 0) return rank;
      --effort;
      const RankTree::Cursor at = tree.seek(rank);
      void* const item = RankTree::item(at);
      if (at.index == 0) tree.compact_leaf(item);
      const std::string_view member = RankTree::member_of(item);
      if (!context.heap.should_move(item, bytes_of(member))) continue;
      void** const slot = table.slot(context.key(member));
      void* const fresh = context.heap.allocate(bytes_of(member));
      std::memcpy(fresh, item, bytes_of(member));
      tree.replace(item, fresh);
      *slot = fresh;
      context.heap.release(item, bytes_of(RankTree::member_of(fresh)));
    }
    return 0;
  }

  Context& context;
  Table table;
  RankTree tree;
  size_t item_bytes = 0;
};

SortedSet::SortedSet(Context& context) : context_(&context) {}
SortedSet::SortedSet(SortedSet&& other) noexcept = default;

size_t SortedSet::compact(size_t from, size_t& effort) {
  packed_.compact(context_->heap);
  return big_ ? big_->compact(from, effort) : 0;
}

SortedSet::~SortedSet() { packed_.clear(context_->heap); }

/// The tree is freed with the body: its nodes are few beside the items.
bool SortedSet::dismantle(size_t elements) {
  return !big_ || big_->table.drain(elements, [&](void* item) { big_->free_item(item); });
}

SortedSet* SortedSet::clone() const {
  SortedSet* const copy = make_body<SortedSet>(*context_);
  copy->packed_ = packed_.clone(context_->heap);
  if (big_) {
    copy->big_ = std::make_unique<Big>(*context_);
    for_each([&](std::string_view member, double score) {
      copy->big_->add(member, score);
      return true;
    });
  }
  return copy;
}

size_t SortedSet::size() const { return big_ ? big_->tree.size() : packed_size(); }

void SortedSet::insert_packed(std::string_view member, double score) {
  if (score == 0) score = 0;  // COMPAT: a small sorted set forgets the sign of -0, a large one keeps it
  auto at = packed_.begin();
  while (at != packed_.end()) {
    const auto score_at = packed_.next(at);
    const double other = read_score(packed_.get(score_at));
    if (score < other || (score == other && member < packed_.get(at))) break;
    at = packed_.next(score_at);
  }
  ScoreBytes bytes;
  packed_.insert(context_->heap, at, put_score(score, bytes));
  packed_.insert(context_->heap, at, member);
}

SortedSet::Outcome SortedSet::add(std::string_view member, double score) {
  HF_ASSERT(!std::isnan(score));
  if (!big_) {
    const auto at = packed_.find(member, 2);
    if (at != packed_.end()) {
      if (read_score(packed_.get(packed_.next(at))) == score) return Outcome::kUnchanged;
      packed_.erase(context_->heap, at, 2);
      insert_packed(member, score);
      return Outcome::kUpdated;
    }
    const Limits& limits = context_->limits;
    if (packed_size() < limits.zset_max_listpack_entries && member.size() <= limits.zset_max_listpack_value &&
        packed_.has_room(member.size() + sizeof(double))) {
      insert_packed(member, score);
      return Outcome::kAdded;
    }
    convert();
  }
  void* const item = big_->table.find(context_->key(member));
  if (item == nullptr) {
    big_->add(member, score);
    return Outcome::kAdded;
  }
  if (RankTree::score_of(item) == score) return Outcome::kUnchanged;
  big_->rescore(item, score);
  return Outcome::kUpdated;
}

void SortedSet::convert() {
  auto big = std::make_unique<Big>(*context_);
  for_each([&](std::string_view member, double score) {
    big->add(member, score);
    return true;
  });
  packed_.clear(context_->heap);
  big_ = std::move(big);
}

std::optional<double> SortedSet::score(std::string_view member) const {
  if (big_) {
    const void* const item = big_->table.find(context_->key(member));
    if (item == nullptr) return std::nullopt;
    return RankTree::score_of(item);
  }
  const auto at = packed_.find(member, 2);
  if (at == packed_.end()) return std::nullopt;
  return read_score(packed_.get(packed_.next(at)));
}

bool SortedSet::erase(std::string_view member) {
  if (big_) return big_->erase(member);
  const auto at = packed_.find(member, 2);
  if (at == packed_.end()) return false;
  packed_.erase(context_->heap, at, 2);
  return true;
}

std::optional<size_t> SortedSet::rank(std::string_view member) const {
  if (big_) {
    const auto found = score(member);
    if (!found) return std::nullopt;
    return big_->tree.rank(*found, member);
  }
  size_t index = 0;
  for (auto at = packed_.begin(); at != packed_.end(); at = packed_.next(packed_.next(at)), ++index) {
    if (packed_.get(at) == member) return index;
  }
  return std::nullopt;
}

size_t SortedSet::count_below(double score, bool or_equal) const {
  if (big_) return big_->tree.count_below(score, or_equal);
  size_t count = 0;
  for_each([&](std::string_view, double own) {
    const bool below = or_equal ? own <= score : own < score;
    count += below ? 1 : 0;
    return below;
  });
  return count;
}

size_t SortedSet::count_below_lex(std::string_view member, bool or_equal) const {
  if (big_) return big_->tree.count_below_lex(member, or_equal);
  size_t count = 0;
  for_each([&](std::string_view own, double) {
    const bool below = or_equal ? own <= member : own < member;
    count += below ? 1 : 0;
    return below;
  });
  return count;
}

void SortedSet::for_each(size_t first, size_t last, Visitor visit) const {
  if (first >= size() || first > last) return;
  size_t left = std::min(last, size() - 1) - first + 1;
  if (big_) {
    RankTree::Cursor at = big_->tree.seek(first);
    do {
      const void* const item = RankTree::item(at);
      if (!visit(RankTree::member_of(item), RankTree::score_of(item))) return;
    } while (--left > 0 && RankTree::forward(at));
    return;
  }
  for (auto at = packed_.seek(static_cast<uint32_t>(first * 2)); left > 0; --left) {
    const auto score_at = packed_.next(at);
    if (!visit(packed_.get(at), read_score(packed_.get(score_at)))) return;
    at = packed_.next(score_at);
  }
}

void SortedSet::for_each_reversed(size_t first, size_t last, Visitor visit) const {
  if (first >= size() || first > last) return;
  last = std::min(last, size() - 1);
  size_t left = last - first + 1;
  if (big_) {
    RankTree::Cursor at = big_->tree.seek(last);
    do {
      const void* const item = RankTree::item(at);
      if (!visit(RankTree::member_of(item), RankTree::score_of(item))) return;
    } while (--left > 0 && RankTree::backward(at));
    return;
  }
  for (auto end = packed_.seek(static_cast<uint32_t>(last * 2 + 2)); left > 0; --left) {
    const auto score_at = packed_.previous(end);
    end = packed_.previous(score_at);
    if (!visit(packed_.get(end), read_score(packed_.get(score_at)))) return;
  }
}

size_t SortedSet::erase_range(size_t first, size_t last, FunctionRef<void(std::string_view, double)> gone) {
  if (first >= size() || first > last) return 0;
  const size_t count = std::min(last, size() - 1) - first + 1;
  if (!big_) {
    for_each(first, last, [&](std::string_view member, double score) {
      gone(member, score);
      return true;
    });
    packed_.erase(context_->heap, packed_.seek(static_cast<uint32_t>(first * 2)), static_cast<uint32_t>(count * 2));
    return count;
  }
  for (size_t i = 0; i < count; ++i) {
    void* const item = RankTree::item(big_->tree.seek(first));
    const std::string_view member = RankTree::member_of(item);
    gone(member, RankTree::score_of(item));
    big_->erase(member);
  }
  return count;
}

void SortedSet::random(Prng& prng, FunctionRef<void(std::string_view, double)> visit) const {
  const size_t index = prng.below(size());
  for_each(index, index, [&](std::string_view member, double score) {
    visit(member, score);
    return false;
  });
}

uint64_t SortedSet::scan(uint64_t cursor, FunctionRef<void(std::string_view, double)> visit) const {
  if (big_) {
    return big_->table.scan(cursor, [&](void* item) { visit(RankTree::member_of(item), RankTree::score_of(item)); });
  }
  for_each([&](std::string_view member, double score) {
    visit(member, score);
    return true;
  });
  return 0;
}

void SortedSet::begin_walk(ElementSink& sink) { big_->tree.begin_walk(sink); }

bool SortedSet::walk() { return big_->tree.walk(); }

void SortedSet::end_walk() { big_->tree.end_walk(); }

bool SortedSet::is_walked() const { return big_ != nullptr && big_->tree.is_walked(); }

size_t SortedSet::memory() const {
  const size_t own = Heap::class_bytes(sizeof(SortedSet)) + packed_.memory();
  return big_ ? own + sizeof(Big) + big_->table.memory() + big_->tree.memory() + big_->item_bytes : own;
}

void SortedSet::check_invariants() const {
  packed_.check_invariants();
  if (big_) {
    big_->table.check_invariants();
    big_->tree.check_invariants();
    HF_ASSERT(big_->table.size() == big_->tree.size() && packed_.count() == 0);
    return;
  }
  bool first = true;
  std::string_view last_member;
  double last_score = 0;
  for_each([&](std::string_view member, double score) {
    HF_ASSERT(first || last_score < score || (last_score == score && last_member < member));
    first = false;
    last_member = member;
    last_score = score;
    return true;
  });
}

}  // namespace holdfast::store
