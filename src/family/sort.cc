// SORT and SORT_RO: elements of a list, set or sorted set, ordered by themselves or by other keys.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <vector>

#include "family/bindings.h"
#include "family/lookup.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::Key;
using store::NumberBuffer;
using store::Type;

struct SortRequest {
  bool descending = false;
  bool alphabetic = false;
  int64_t offset = 0;
  int64_t count = -1;
  std::optional<std::string_view> by;
  std::vector<std::string_view> get;
  std::optional<std::string_view> store;
  /// BY a pattern without `*`: nothing depends on the element, so the order is left alone.
  bool unsorted() const { return by && by->find('*') == std::string_view::npos; }
};

struct SortItem {
  std::string element;
  double score = 0;
  std::optional<std::string> weight;  // ALPHA with BY
};

std::string read_sort_options(Context& c, bool may_store, SortRequest& request) {
  command::Args args = c.args(2);
  const acl::User& user = c.state.users.at(c.session.user);
  const auto may_read_all = [&] {
    const auto spec = command::find_command(c.spec.name);
    return user.unrestricted() || c.session.role == Role::kPrimary ||
           user.allows_with_all_keys(spec, c.argv, command::kKeyAccess);
  };
  while (args.more()) {
    if (args.take("asc")) {
      request.descending = false;
    } else if (args.take("desc")) {
      request.descending = true;
    } else if (args.take("alpha")) {
      request.alphabetic = true;
    } else if (args.left() >= 3 && args.take("limit")) {
      request.offset = args.integer();
      request.count = args.integer();
    } else if (may_store && args.left() >= 2 && args.take("store")) {
      request.store = args.next();
    } else if (args.left() >= 2 && args.take("by")) {
      request.by = args.next();
      if (!request.unsorted() && !may_read_all()) {
        args.fail("ERR BY option of SORT denied due to insufficient ACL permissions.");
      }
    } else if (args.left() >= 2 && args.take("get")) {
      request.get.push_back(args.next());
      if (!may_read_all()) args.fail("ERR GET option of SORT denied due to insufficient ACL permissions.");
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  return args.error();
}

/// What `pattern` names for `element`: the element itself (#), a string key, or a field of a hash (key*->field).
std::optional<std::string> value_by_pattern(Context& c, std::string_view pattern, std::string_view element) {
  if (pattern == "#") return std::string(element);
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return std::nullopt;
  std::string_view behind = pattern.substr(star + 1);
  std::optional<std::string_view> field;
  const size_t arrow = behind.find("->");
  if (arrow != std::string_view::npos && arrow + 2 < behind.size()) {
    field = behind.substr(arrow + 2);
    behind = behind.substr(0, arrow);
  }
  const std::string name = std::string(pattern.substr(0, star)).append(element).append(behind);
  const Entry* entry = lookup_read(c, c.key(name));
  if (entry == nullptr || entry->type() != (field ? Type::kHash : Type::kString)) return std::nullopt;
  if (field) {
    const auto value = entry->hash().get(*field);
    return value ? std::optional<std::string>(*value) : std::nullopt;
  }
  NumberBuffer buffer;
  return std::string(entry->string(buffer));
}

std::vector<SortItem> elements_of(const Entry* entry) {
  std::vector<SortItem> items;
  const auto add = [&](std::string_view element) {
    items.push_back({std::string(element), 0, std::nullopt});
    return true;
  };
  if (entry == nullptr) return items;
  if (entry->type() == Type::kList) {
    entry->list().for_each(add);
  } else if (entry->type() == Type::kSet) {
    entry->set().for_each(add);
  } else {
    entry->sorted_set().for_each([&](std::string_view member, double) { return add(member); });
  }
  return items;
}

/// COMPAT: whatever strtod takes counts as a number, an empty text as 0.
bool read_score(const std::string& text, double& score) {
  char* end = nullptr;
  errno = 0;
  score = std::strtod(text.c_str(), &end);
  return *end == '\0' && errno != ERANGE && !std::isnan(score);
}

/// Looks up what is compared; false: something was to be a number and is none.
bool weigh(Context& c, const SortRequest& request, std::vector<SortItem>& items) {
  bool numbers = true;
  for (SortItem& item : items) {
    std::optional<std::string> weight = request.by ? value_by_pattern(c, *request.by, item.element) : item.element;
    if (request.alphabetic) {
      item.weight = std::move(weight);
    } else if (weight) {
      numbers &= read_score(*weight, item.score);
    }
  }
  return numbers;
}

/// Below zero: `a` first, in ascending order. Missing weights come first; equal numbers compare by element.
int compare(const SortRequest& request, const SortItem& a, const SortItem& b) {
  if (!request.alphabetic) {
    if (a.score != b.score) return a.score < b.score ? -1 : 1;
    return a.element.compare(b.element);
  }
  if (!a.weight || !b.weight) return static_cast<int>(a.weight.has_value()) - static_cast<int>(b.weight.has_value());
  return a.weight->compare(*b.weight);
}

bool order(Context& c, const Entry* entry, SortRequest& request, std::vector<SortItem>& items) {
  const bool is_set = entry != nullptr && entry->type() == Type::kSet;
  if (request.unsorted() && is_set && (request.store || c.session.in_script)) {
    // COMPAT: what is stored must not depend on a set's inner order.
    request.by.reset();
    request.alphabetic = true;
  }
  if (request.unsorted()) {
    if (request.descending && !is_set) std::reverse(items.begin(), items.end());
    return true;
  }
  if (!weigh(c, request, items)) return false;
  std::stable_sort(items.begin(), items.end(), [&](const SortItem& a, const SortItem& b) {
    const int order = compare(request, a, b);
    return request.descending ? order > 0 : order < 0;
  });
  return true;
}

void cut_to_limit(const SortRequest& request, std::vector<SortItem>& items) {
  const auto size = static_cast<int64_t>(items.size());
  const int64_t first = std::min(std::max<int64_t>(request.offset, 0), size);
  const int64_t count = request.count < 0 ? size - first : std::min(request.count, size - first);
  items.erase(items.begin() + first + count, items.end());
  items.erase(items.begin(), items.begin() + first);
}

void store_sorted(Context& c, const SortRequest& request, const std::vector<SortItem>& items) {
  std::vector<std::string> elements;
  for (const SortItem& item : items) {
    if (request.get.empty()) elements.push_back(item.element);
    for (const std::string_view pattern : request.get) {
      elements.push_back(value_by_pattern(c, pattern, item.element).value_or(""));
    }
  }
  const Key key = c.key(*request.store);
  c.reply.integer(static_cast<int64_t>(elements.size()));
  if (elements.empty()) {
    if (delete_key(c, key)) ++c.dirty;
    return;
  }
  if (lookup_write(c, key) != nullptr) c.db().erase(key);
  store::List& list = c.db().create(key, Type::kList).list();
  for (const std::string& element : elements) list.push_back(element);
  c.modified(key.bytes);
  c.notify(kNotifyList, "sortstore", key.bytes);
  c.dirty += elements.size();
}

void sort_generic(Context& c, bool may_store) {
  SortRequest request;
  const std::string error = read_sort_options(c, may_store, request);
  if (!error.empty()) return c.reply.error(error);
  const Entry* entry = lookup_read(c, c.key(c.argv[1]));
  const auto sortable = [](Type type) { return type == Type::kList || type == Type::kSet || type == Type::kSortedSet; };
  if (entry != nullptr && !sortable(entry->type())) {
    return c.reply.error(command::kWrongType);
  }
  std::vector<SortItem> items = elements_of(entry);
  if (!order(c, entry, request, items)) {
    return c.reply.error("ERR One or more scores can't be converted into double");
  }
  cut_to_limit(request, items);
  if (request.store) return store_sorted(c, request, items);
  c.reply.array(request.get.empty() ? items.size() : items.size() * request.get.size());
  for (const SortItem& item : items) {
    if (request.get.empty()) c.reply.bulk(item.element);
    for (const std::string_view pattern : request.get) {
      const auto value = value_by_pattern(c, pattern, item.element);
      value ? c.reply.bulk(*value) : c.reply.null();
    }
  }
}
void sort_command(Context& c) { sort_generic(c, true); }
void sort_ro_command(Context& c) { sort_generic(c, false); }

constexpr Binding kBindings[] = {{"sort", sort_command}, {"sort_ro", sort_ro_command}};

}  // namespace

std::span<const Binding> sort_bindings() { return kBindings; }

}  // namespace holdfast::family
