// Commands on lists.
#include <fmt/format.h>

#include <limits>

#include "base/text.h"
#include "family/bindings.h"
#include "family/list.h"
#include "family/lookup.h"

namespace holdfast::family {

using store::Entry;
using store::Key;
using store::List;
using store::Type;

List* list_for_writing(Context& c, const Key& key, bool& wrong) {
  return lookup_write(c, key, Type::kList, wrong) == nullptr ? nullptr : &c.db().find_for_write(key)->list();
}

void pop_elements(Context& c, const Key& key, List& list, End end, size_t count) {
  count = std::min(count, list.size());
  const auto reply = [&](std::string_view element) {
    c.reply.bulk(element);
    return true;
  };
  if (count > 0 && end == End::kLeft) {
    list.for_each(0, count - 1, reply);
    list.drop_front(count);
  } else if (count > 0) {
    list.for_each_reversed(list.size() - count, list.size() - 1, reply);
    list.drop_back(count);
  }
  c.dirty += count;
  c.modified(key.bytes);
  c.notify(kNotifyList, end == End::kLeft ? "lpop" : "rpop", key.bytes);
  erase_if_empty(c, key);
}

std::optional<End> read_end(std::string_view word) {
  if (equal_ignoring_case(word, "left")) return End::kLeft;
  if (equal_ignoring_case(word, "right")) return End::kRight;
  return std::nullopt;
}

void move_element(Context& c, End from, End to) {
  const Key source = c.key(c.argv[1]);
  const Key target = c.key(c.argv[2]);
  bool wrong = false;
  List* list = list_for_writing(c, source, wrong);
  if (wrong) return;
  if (list == nullptr) return c.reply.null();
  lookup_write(c, target, Type::kList, wrong);
  if (wrong) return;
  const std::string element(*list->at(from == End::kLeft ? 0 : -1));
  from == End::kLeft ? list->drop_front(1) : list->drop_back(1);
  Entry* entry = find_or_create(c, target, Type::kList);
  to == End::kLeft ? entry->list().push_front(element) : entry->list().push_back(element);
  c.modified(target.bytes);
  c.notify(kNotifyList, to == End::kLeft ? "lpush" : "rpush", target.bytes);
  c.reply.bulk(element);
  c.modified(source.bytes);
  c.notify(kNotifyList, from == End::kLeft ? "lpop" : "rpop", source.bytes);
  erase_if_empty(c, source);
  ++c.dirty;
}

std::optional<ListPop> read_list_pop(Context& c, size_t at) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  command::Args args = c.args(at);
  const int64_t keys = args.integer(1, kMax, "ERR numkeys should be greater than 0");
  if (!args.failed() && static_cast<uint64_t>(keys) > c.argv.size() - at - 2) args.fail(command::kSyntaxError);
  ListPop pop;
  if (!args.failed()) {
    pop.keys = c.argv.subspan(at + 1, static_cast<size_t>(keys));
    args = c.args(at + 1 + static_cast<size_t>(keys));
    const auto end = read_end(args.next());
    end ? void(pop.end = *end) : args.fail(command::kSyntaxError);
  }
  bool counted = false;
  while (args.more()) {
    if (!counted && args.left() >= 2 && args.take("count")) {
      pop.count = static_cast<size_t>(args.integer(1, kMax, "ERR count should be greater than 0"));
      counted = true;
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (!args.failed()) return pop;
  c.reply.error(args.error());
  return std::nullopt;
}

bool pop_first_list(Context& c, const ListPop& pop) {
  for (const std::string_view name : pop.keys) {
    const Key key = c.key(name);
    bool wrong = false;
    List* list = list_for_writing(c, key, wrong);
    if (wrong) return false;
    if (list == nullptr) continue;
    const size_t wanted = std::min(pop.count, list->size());
    c.reply.array(2);
    c.reply.bulk(name);
    c.reply.array(wanted);
    pop_elements(c, key, *list, pop.end, wanted);
    c.replace_effect({pop.end == End::kLeft ? "LPOP" : "RPOP", name, std::to_string(wanted)});
    return true;
  }
  return false;
}

namespace {

constexpr std::string_view kMustBePositive = "ERR value is out of range, must be positive";

const List* list_for_reading(Context& c, const Key& key, bool& wrong) {
  const Entry* entry = lookup_read(c, key, Type::kList, wrong);
  return entry == nullptr ? nullptr : &entry->list();
}

void push_generic(Context& c, End end, bool only_existing) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  if (only_existing && lookup_write(c, key, Type::kList, wrong) == nullptr) {
    if (!wrong) c.reply.integer(0);
    return;
  }
  Entry* entry = find_or_create(c, key, Type::kList);
  if (entry == nullptr) return;
  List& list = entry->list();
  for (const std::string_view element : c.argv.subspan(2)) {
    end == End::kLeft ? list.push_front(element) : list.push_back(element);
    ++c.dirty;
  }
  c.reply.integer(static_cast<int64_t>(list.size()));
  c.modified(key.bytes);
  c.notify(kNotifyList, end == End::kLeft ? "lpush" : "rpush", key.bytes);
}
void lpush_command(Context& c) { push_generic(c, End::kLeft, false); }
void rpush_command(Context& c) { push_generic(c, End::kRight, false); }
void lpushx_command(Context& c) { push_generic(c, End::kLeft, true); }
void rpushx_command(Context& c) { push_generic(c, End::kRight, true); }

void pop_generic(Context& c, End end) {
  if (c.argv.size() > 3) {
    return c.reply.error(fmt::format("ERR wrong number of arguments for '{}' command", c.spec.name));
  }
  const bool has_count = c.argv.size() == 3;
  int64_t count = 1;
  if (has_count) {
    const auto value = parse_int64(c.argv[2]);
    if (!value || *value < 0) return c.reply.error(kMustBePositive);
    count = *value;
  }
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  List* list = list_for_writing(c, key, wrong);
  if (list == nullptr) {
    if (!wrong) has_count ? c.reply.null_array() : c.reply.null();
    return;
  }
  if (has_count) c.reply.array(std::min(static_cast<size_t>(count), list->size()));
  if (count > 0) pop_elements(c, key, *list, end, static_cast<size_t>(count));
}
void lpop_command(Context& c) { pop_generic(c, End::kLeft); }
void rpop_command(Context& c) { pop_generic(c, End::kRight); }

void lmpop_command(Context& c) {
  const auto pop = read_list_pop(c, 1);
  if (!pop) return;
  const uint64_t errors = c.reply.errors();
  if (!pop_first_list(c, *pop) && c.reply.errors() == errors) c.reply.null_array();
}

void llen_command(Context& c) {
  bool wrong = false;
  const List* list = list_for_reading(c, c.key(c.argv[1]), wrong);
  if (!wrong) c.reply.integer(list == nullptr ? 0 : static_cast<int64_t>(list->size()));
}

/// Clamps [first, last] with negative positions to a list of `size`; false if nothing is left.
bool clamp_range(int64_t& first, int64_t& last, size_t size) {
  const auto count = static_cast<int64_t>(size);
  if (first < 0) first = std::max<int64_t>(first + count, 0);
  if (last < 0) last += count;
  last = std::min(last, count - 1);
  return first <= last && first < count;
}

void lrange_command(Context& c) {
  auto first = parse_int64(c.argv[2]);
  auto last = parse_int64(c.argv[3]);
  if (!first || !last) return c.reply.error(command::kNotAnInteger);
  bool wrong = false;
  const List* list = list_for_reading(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  if (list == nullptr || !clamp_range(*first, *last, list->size())) return c.reply.array(0);
  c.reply.array(static_cast<size_t>(*last - *first + 1));
  list->for_each(static_cast<size_t>(*first), static_cast<size_t>(*last), [&](std::string_view element) {
    c.reply.bulk(element);
    return true;
  });
}

void lindex_command(Context& c) {
  bool wrong = false;
  const List* list = list_for_reading(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  if (list == nullptr) return c.reply.null();
  const auto index = parse_int64(c.argv[2]);
  if (!index) return c.reply.error(command::kNotAnInteger);
  const auto element = list->at(*index);
  element ? c.reply.bulk(*element) : c.reply.null();
}

void lset_command(Context& c) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  List* list = list_for_writing(c, key, wrong);
  if (wrong) return;
  if (list == nullptr) return c.reply.error("ERR no such key");
  const auto index = parse_int64(c.argv[2]);
  if (!index) return c.reply.error(command::kNotAnInteger);
  if (!list->set(*index, c.argv[3])) return c.reply.error("ERR index out of range");
  c.reply.ok();
  c.modified(key.bytes);
  c.notify(kNotifyList, "lset", key.bytes);
  ++c.dirty;
}

void linsert_command(Context& c) {
  const bool after = equal_ignoring_case(c.argv[2], "after");
  if (!after && !equal_ignoring_case(c.argv[2], "before")) return c.reply.error(command::kSyntaxError);
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  List* list = list_for_writing(c, key, wrong);
  if (wrong) return;
  if (list == nullptr) return c.reply.integer(0);
  if (!list->insert(c.argv[3], c.argv[4], after)) return c.reply.integer(-1);
  c.modified(key.bytes);
  c.notify(kNotifyList, "linsert", key.bytes);
  ++c.dirty;
  c.reply.integer(static_cast<int64_t>(list->size()));
}

void lrem_command(Context& c) {
  const auto count = parse_int64(c.argv[2]);
  if (!count) return c.reply.error(command::kNotAnInteger);
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  List* list = list_for_writing(c, key, wrong);
  if (wrong) return;
  const size_t removed = list == nullptr ? 0 : list->remove(c.argv[3], *count);
  if (removed > 0) {
    c.modified(key.bytes);
    c.notify(kNotifyList, "lrem", key.bytes);
    erase_if_empty(c, key);
    c.dirty += removed;
  }
  c.reply.integer(static_cast<int64_t>(removed));
}

void ltrim_command(Context& c) {
  auto first = parse_int64(c.argv[2]);
  auto last = parse_int64(c.argv[3]);
  if (!first || !last) return c.reply.error(command::kNotAnInteger);
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  List* list = list_for_writing(c, key, wrong);
  if (wrong) return;
  if (list == nullptr) return c.reply.ok();
  const size_t before = list->size();
  if (clamp_range(*first, *last, before)) {
    list->trim(static_cast<size_t>(*first), static_cast<size_t>(*last));
  } else {
    list->drop_front(before);
  }
  c.dirty += before - list->size();
  c.modified(key.bytes);
  c.notify(kNotifyList, "ltrim", key.bytes);
  erase_if_empty(c, key);
  c.reply.ok();
}

void lpos_command(Context& c) {
  int64_t rank = 1;
  int64_t count = -1;
  int64_t max_length = 0;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  command::Args args = c.args(3);
  while (args.more()) {
    if (args.left() >= 2 && args.take("rank")) {
      rank = args.integer(std::numeric_limits<int64_t>::min(), kMax);
      if (rank < -kMax) {
        args.fail("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
      }
      if (!args.failed() && rank == 0) {
        args.fail(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to "
            "start from the end of the list");
      }
    } else if (args.left() >= 2 && args.take("count")) {
      count = args.integer(0, kMax, "ERR COUNT can't be negative");
    } else if (args.left() >= 2 && args.take("maxlen")) {
      max_length = args.integer(0, kMax, "ERR MAXLEN can't be negative");
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (args.failed()) return c.reply.error(args.error());
  bool wrong = false;
  const List* list = list_for_reading(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  std::vector<size_t> found;
  if (list != nullptr) {
    list->positions(c.argv[2], rank, static_cast<size_t>(count == -1 ? 1 : count), static_cast<size_t>(max_length),
                    found);
  }
  if (count == -1) {
    found.empty() ? c.reply.null() : c.reply.integer(static_cast<int64_t>(found[0]));
    return;
  }
  c.reply.array(found.size());
  for (const size_t position : found) c.reply.integer(static_cast<int64_t>(position));
}

void lmove_command(Context& c) {
  const auto from = read_end(c.argv[3]);
  const auto to = read_end(c.argv[4]);
  if (!from || !to) return c.reply.error(command::kSyntaxError);
  move_element(c, *from, *to);
}

void rpoplpush_command(Context& c) { move_element(c, End::kRight, End::kLeft); }

constexpr Binding kBindings[] = {
    {"lindex", lindex_command}, {"linsert", linsert_command}, {"llen", llen_command},
    {"lmove", lmove_command},   {"lmpop", lmpop_command},     {"lpop", lpop_command},
    {"lpos", lpos_command},     {"lpush", lpush_command},     {"lpushx", lpushx_command},
    {"lrange", lrange_command}, {"lrem", lrem_command},       {"lset", lset_command},
    {"ltrim", ltrim_command},   {"rpop", rpop_command},       {"rpoplpush", rpoplpush_command},
    {"rpush", rpush_command},   {"rpushx", rpushx_command},
};

}  // namespace

std::span<const Binding> list_bindings() { return kBindings; }

}  // namespace holdfast::family
