#include "store/type/stream.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/body.h"
#include "store/testing.h"

namespace holdfast::store {
namespace {

using Words = std::vector<std::string>;
using Model = std::map<StreamId, Words>;

class StreamTest : public testing::Test {
 protected:
  StreamTest() : context(test_seed()), stream(make_body<Stream>(context)) {}
  ~StreamTest() override {
    destroy_body(context, stream);
    EXPECT_EQ(context.heap.used(), 0U);
  }

  void add(StreamId id, const Words& words) {
    stream->append(id, std::vector<std::string_view>(words.begin(), words.end()));
  }

  Context context;
  Stream* stream;
};

Words words_of(const StreamEntry& entry) {
  Words out;
  entry.for_each([&](std::string_view field, std::string_view value) {
    out.emplace_back(field);
    out.emplace_back(value);
  });
  return out;
}

Model content(const Stream& stream, StreamId from = kStreamIdMin, StreamId to = kStreamIdMax) {
  Model out;
  stream.for_each(from, to, [&](const StreamEntry& entry) {
    EXPECT_TRUE(out.emplace(entry.id, words_of(entry)).second);
    return true;
  });
  return out;
}

Words random_words(Prng& prng) {
  Words words;
  // Mostly the same names, so that entries share the master's.
  const uint64_t fields = prng.below(4) == 0 ? 1 + prng.below(5) : 2;
  for (uint64_t i = 0; i < fields; ++i) {
    words.push_back(prng.below(5) == 0 ? random_text(prng, 20) : "field" + std::to_string(i));
    words.push_back(random_text(prng, 500));
  }
  return words;
}

StreamId random_near(Prng& prng, const Model& model) {
  const uint64_t last = model.empty() ? 0 : model.rbegin()->first.ms;
  return {prng.below(last + 3), prng.below(3)};
}

void model_trim(Model& model, const Stream::Trim& how) {
  while (!model.empty() &&
         (how.by == Stream::Trim::By::kLength ? model.size() > how.length : model.begin()->first < how.min_id)) {
    model.erase(model.begin());
  }
}

TEST_F(StreamTest, DoesWhatAMapDoes) {
  Prng prng(11);
  Model model;
  StreamId last;
  context.limits.stream_node_max_entries = 10;
  for (int i = 0; i < 20'000; ++i) {
    switch (prng.below(12)) {
      case 0: {
        const StreamId id = random_near(prng, model);
        ASSERT_EQ(stream->erase({&id, 1}), model.erase(id));
        break;
      }
      case 1: {
        const auto at = model.lower_bound(random_near(prng, model));
        if (at == model.end()) break;
        const StreamId ids[] = {at->first, at->first};
        ASSERT_EQ(stream->erase(ids), 1U);
        model.erase(at);
        break;
      }
      case 2: {
        if (prng.below(10) != 0) break;
        Stream::Trim how;
        how.by = prng.below(2) == 0 ? Stream::Trim::By::kLength : Stream::Trim::By::kId;
        how.length = prng.below(model.size() + 1);
        how.min_id = random_near(prng, model);
        const size_t before = model.size();
        model_trim(model, how);
        ASSERT_EQ(stream->trim(how), before - model.size());
        break;
      }
      default: {
        const StreamId id = prng.below(3) == 0 ? *last.next() : StreamId{last.ms + 1 + prng.below(3), prng.below(4)};
        const Words words = random_words(prng);
        add(id, words);
        model.emplace(id, words);
        last = id;
      }
    }
    ASSERT_EQ(stream->size(), model.size());
    ASSERT_EQ(stream->marks().first_id, model.empty() ? StreamId{} : model.begin()->first);
    ASSERT_EQ(stream->marks().last_id, last);
    if (i % 500 == 0) {
      stream->check_invariants();
      ASSERT_EQ(content(*stream), model);
    }
  }
  Stream* const copy = stream->clone();
  EXPECT_EQ(content(*copy), model);
  copy->check_invariants();
  destroy_body(context, copy);
}

TEST_F(StreamTest, RangesBothWaysAndCounts) {
  Prng prng(12);
  context.limits.stream_node_max_entries = 7;
  Model model;
  for (uint64_t i = 1; i <= 200; ++i) {
    const StreamId id{i / 3, i};
    add(id, {"f", std::to_string(i)});
    model.emplace(id, Words{"f", std::to_string(i)});
  }
  for (const uint64_t gone : {1, 2, 50, 51, 52, 53, 54, 55, 56, 57, 58, 120, 200}) {
    const StreamId id{gone / 3, gone};
    ASSERT_EQ(stream->erase({&id, 1}), 1U);
    model.erase(id);
  }
  for (int i = 0; i < 2000; ++i) {
    const StreamId from{prng.below(70), prng.below(210)};
    const StreamId to{prng.below(70), prng.below(210)};
    Model want;
    for (const auto& [id, words] : model) {
      if (id >= from && id <= to) want.emplace(id, words);
    }
    if (from > to) continue;
    ASSERT_EQ(content(*stream, from, to), want);
    std::vector<StreamId> backwards;
    stream->for_each_reversed(from, to, [&](const StreamEntry& entry) { return backwards.push_back(entry.id), true; });
    ASSERT_TRUE(std::equal(backwards.rbegin(), backwards.rend(), want.begin(), want.end(),
                           [](StreamId id, const auto& pair) { return id == pair.first; }));
    const size_t limit = 1 + prng.below(40);
    ASSERT_EQ(stream->count(from, to, limit), std::min(limit, want.size()));
    ASSERT_EQ(stream->contains(from), model.contains(from));
  }
}

TEST_F(StreamTest, ApproximateTrimTakesWholeNodes) {
  context.limits.stream_node_max_entries = 10;
  for (uint64_t i = 1; i <= 95; ++i) add({i, 0}, {"a", "b"});
  EXPECT_EQ(stream->nodes(), 10U);
  Stream::Trim how;
  how.by = Stream::Trim::By::kLength;
  how.whole_nodes = true;
  how.length = 60;
  EXPECT_EQ(stream->trim(how), 30U);
  EXPECT_EQ(stream->marks().first_id, (StreamId{31, 0}));
  how.length = 0;
  how.limit = 29;
  EXPECT_EQ(stream->trim(how), 20U);
  how.by = Stream::Trim::By::kId;
  how.limit = 0;
  how.min_id = {65, 0};
  EXPECT_EQ(stream->trim(how), 10U);
  EXPECT_EQ(stream->size(), 35U);
  how.whole_nodes = false;
  EXPECT_EQ(stream->trim(how), 4U);
  EXPECT_EQ(stream->lowest_held_id(), (StreamId{61, 0}));
  EXPECT_EQ(stream->marks().first_id, (StreamId{65, 0}));
  EXPECT_EQ(stream->marks().max_deleted_id, StreamId{});
}

TEST_F(StreamTest, NodesAreBoundedByBytesToo) {
  for (uint64_t i = 1; i <= 1000; ++i) add({i, 0}, {"field", std::string(100, 'x')});
  stream->for_each_node([](const StreamNode& node) { EXPECT_LE(node.listpack().size(), 4096U + 128); });
  EXPECT_GT(stream->nodes(), 20U);
  context.limits.stream_node_max_bytes = 0;
  context.limits.stream_node_max_entries = 0;
  const size_t before = stream->nodes();
  for (uint64_t i = 2000; i < 4000; ++i) add({i, 0}, {"field", "x"});
  EXPECT_EQ(stream->nodes(), before);
}

TEST_F(StreamTest, IdsAtTheEndsOfTheirRange) {
  add({0, 1}, {"a", "1"});
  add({0, UINT64_MAX}, {"a", "2"});
  add({UINT64_MAX, 0}, {"a", "3"});
  add(kStreamIdMax, {"a", "4"});
  EXPECT_EQ(content(*stream).size(), 4U);
  EXPECT_EQ(content(*stream, {0, UINT64_MAX}, {UINT64_MAX, 0}).size(), 2U);
  EXPECT_EQ(stream->top_id(), kStreamIdMax);
  stream->check_invariants();
  EXPECT_FALSE(kStreamIdMax.next().has_value());
  EXPECT_FALSE(kStreamIdMin.previous().has_value());
  EXPECT_EQ((StreamId{4, UINT64_MAX}.next()), (StreamId{5, 0}));
  EXPECT_EQ((StreamId{5, 0}.previous()), (StreamId{4, UINT64_MAX}));
}

TEST_F(StreamTest, CountsWhatGroupsHaveRead) {
  ConsumerGroup& group = *stream->create_group("g", {}, 0);
  EXPECT_EQ(stream->lag(group), 0);
  for (uint64_t i = 1; i <= 5; ++i) add({i, 0}, {"a", "b"});
  EXPECT_EQ(stream->lag(group), 5);
  stream->note_read(group, {1, 0});
  stream->note_read(group, {2, 0});
  EXPECT_EQ(group.entries_read, 2);
  EXPECT_EQ(stream->lag(group), 3);
  const StreamId gone{4, 0};
  stream->erase({&gone, 1});
  // A gap ahead: what is read next cannot be counted, until the end is reached.
  EXPECT_FALSE(stream->lag(group).has_value());
  stream->note_read(group, {3, 0});
  EXPECT_EQ(group.entries_read, ConsumerGroup::kUnknownRead);
  stream->note_read(group, {5, 0});
  EXPECT_EQ(group.entries_read, 5);
  EXPECT_EQ(stream->lag(group), 0);
  EXPECT_EQ(stream->create_group("g", {}, 0), nullptr);
  EXPECT_TRUE(stream->destroy_group("g"));
  EXPECT_FALSE(stream->destroy_group("g"));
}

TEST_F(StreamTest, PendingEntriesHaveOneOwner) {
  Prng prng(13);
  ConsumerGroup& group = *stream->create_group("group with a name that is not short", {}, -1);
  std::map<StreamId, int> model;
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) {
    names.push_back("consumer with a long name " + std::to_string(i));
    group.create_consumer(names.back(), 1);
  }
  for (int i = 0; i < 20'000; ++i) {
    const StreamId id{prng.below(1000), prng.below(2)};
    const int owner = static_cast<int>(prng.below(5));
    if (prng.below(3) == 0) {
      ASSERT_EQ(group.release(id), model.erase(id) == 1);
    } else if (prng.below(2000) == 0) {
      const size_t before = model.size();
      std::erase_if(model, [&](const auto& pair) { return pair.second == owner; });
      ASSERT_EQ(group.delete_consumer(names[static_cast<size_t>(owner)]), before - model.size());
      group.create_consumer(names[static_cast<size_t>(owner)], 1);
    } else {
      ASSERT_EQ(group.assign(id, *group.consumer(names[static_cast<size_t>(owner)])).id, id);
      model[id] = owner;
    }
    ASSERT_EQ(group.pending().size(), model.size());
  }
  group.check_invariants();
  for (const auto& [id, owner] : model) {
    ASSERT_NE(group.find(id), nullptr);
    EXPECT_EQ(group.find(id)->consumer->name, names[static_cast<size_t>(owner)]);
  }
  EXPECT_GT(stream->memory(), model.size() * sizeof(ConsumerGroup::Pending));
}

TEST_F(StreamTest, ForeignNodesAreCheckedNotTrusted) {
  for (uint64_t i = 1; i <= 20; ++i) add({i, i % 2}, {"name", std::to_string(i * 1000), "b", "text"});
  const StreamId gone{7, 1};
  stream->erase({&gone, 1});
  std::string bytes;
  stream->for_each_node([&](const StreamNode& node) { bytes = node.listpack(); });
  Stream* const copy = make_body<Stream>(context);
  ASSERT_TRUE(copy->load_node({1, 1}, bytes));
  EXPECT_EQ(content(*copy), content(*stream));
  EXPECT_FALSE(copy->load_node({1, 1}, bytes));
  destroy_body(context, copy);
  size_t refused = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string broken = bytes;
      broken[i] = static_cast<char>(broken[i] ^ 1 << bit);
      Stream* const other = make_body<Stream>(context);
      // Some flips leave another good node; whatever is taken must be whole.
      if (other->load_node({1, 1}, broken)) {
        Stream::Marks marks;
        marks.last_id = kStreamIdMax;
        other->set_marks(marks);
        other->check_invariants();
      } else {
        ++refused;
      }
      destroy_body(context, other);
    }
    ASSERT_FALSE(StreamNode::from(context.heap, {1, 1}, std::string_view(bytes).substr(0, i)).has_value());
  }
  EXPECT_GT(refused, bytes.size() * 4);
}

}  // namespace
}  // namespace holdfast::store
