#include "command/key_finder.h"

#include "base/text.h"

namespace holdfast::command {
namespace {

/// The argument a spec begins at; 0: the request has none of these keys.
size_t begin_of(const KeySpec& key, std::span<const std::string_view> words) {
  switch (key.begin) {
    case KeySpec::Begin::kUnknown:
      return 0;
    case KeySpec::Begin::kIndex:
      return static_cast<size_t>(key.position);
    case KeySpec::Begin::kKeyword: {
      const auto count = static_cast<int64_t>(words.size());
      const int64_t start = key.position > 0 ? key.position : count + key.position;
      const int64_t step = key.position > 0 ? 1 : -1;
      for (int64_t i = start; i > 0 && i < count - 1; i += step) {
        if (equal_ignoring_case(words[static_cast<size_t>(i)], key.keyword)) return static_cast<size_t>(i + 1);
      }
      return 0;
    }
  }
  return 0;
}

bool add_range(const KeySpec& key, size_t first, size_t words, std::vector<KeyAt>& keys) {
  const auto from = static_cast<int64_t>(first);
  const auto count = static_cast<int64_t>(words);
  int64_t last = key.last >= 0 ? from + key.last : count + key.last;
  if (key.last == -1 && key.limit > 1) last = from + (count - from) / key.limit + key.last;
  const int step = key.step > 0 ? key.step : 1;
  if (last >= count) return false;
  for (int64_t i = from; i <= last; i += step) keys.push_back({static_cast<size_t>(i), key.flags});
  return true;
}

bool add_counted(const KeySpec& key, size_t first, std::span<const std::string_view> words, std::vector<KeyAt>& keys) {
  const size_t count_at = first + static_cast<size_t>(key.last);
  if (count_at >= words.size()) return false;
  const auto count = parse_int64(words[count_at]);
  const size_t begin = first + static_cast<size_t>(key.limit);
  const size_t step = key.step > 0 ? static_cast<size_t>(key.step) : 1;
  if (!count || *count < 0 || begin > words.size()) return false;
  if (static_cast<uint64_t>(*count) > (words.size() - begin + step - 1) / step) return false;
  for (size_t i = 0; i < static_cast<size_t>(*count); ++i) keys.push_back({begin + i * step, key.flags});
  return true;
}

/// The catalogue cannot say where SORT's target is: behind the last STORE that is not another option's argument.
void add_sort_target(const KeySpec& key, std::span<const std::string_view> words, std::vector<KeyAt>& keys) {
  size_t found = 0;
  for (size_t i = 2; i + 1 < words.size(); ++i) {
    if (equal_ignoring_case(words[i], "limit")) {
      i += 2;
    } else if (equal_ignoring_case(words[i], "get") || equal_ignoring_case(words[i], "by")) {
      ++i;
    } else if (equal_ignoring_case(words[i], "store")) {
      found = ++i;
    }
  }
  if (found > 0) keys.push_back({found, key.flags});
}

/// The two commands whose key flags depend on their options.
uint16_t flags_of(const Spec& spec, const KeySpec& key, std::span<const std::string_view> words) {
  if ((key.flags & kKeyVariable) == 0) return key.flags;
  const auto is = [&](size_t i, std::string_view option) { return equal_ignoring_case(words[i], option); };
  if (spec.name == "set") {
    for (size_t i = 3; i < words.size(); ++i) {
      if (is(i, "get")) return kKeyRw | kKeyAccess | kKeyUpdate;
      if (is(i, "ex") || is(i, "px") || is(i, "exat") || is(i, "pxat")) ++i;
    }
    return kKeyOw | kKeyUpdate;
  }
  if (spec.name == "bitfield") {
    size_t i = 2;
    while (i < words.size()) {
      const size_t left = words.size() - i - 1;
      if (is(i, "get") && left >= 2) {
        i += 3;
      } else if (is(i, "overflow") && left >= 1) {
        i += 2;
      } else {
        return kKeyRw | kKeyAccess | kKeyUpdate;
      }
    }
    return kKeyRo | kKeyAccess;
  }
  return key.flags;
}

}  // namespace

std::optional<std::vector<KeyAt>> find_keys(const Spec& spec, std::span<const std::string_view> words) {
  std::vector<KeyAt> keys;
  for (const KeySpec& key : spec.keys) {
    if ((key.flags & kKeyNotKey) != 0) continue;
    const size_t before = keys.size();
    if ((key.flags & kKeyOw) != 0 && key.begin == KeySpec::Begin::kUnknown && spec.name == "sort") {
      add_sort_target(key, words, keys);
      continue;
    }
    const size_t first = begin_of(key, words);
    if (first == 0 || first >= words.size()) continue;
    switch (key.find) {
      case KeySpec::Find::kUnknown:
        break;
      case KeySpec::Find::kRange:
        if (!add_range(key, first, words.size(), keys)) return std::nullopt;
        break;
      case KeySpec::Find::kKeyNum:
        if (!add_counted(key, first, words, keys)) return std::nullopt;
        break;
    }
    const uint16_t flags = flags_of(spec, key, words);
    for (size_t i = before; i < keys.size(); ++i) keys[i].flags = flags;
  }
  return keys;
}

}  // namespace holdfast::command
