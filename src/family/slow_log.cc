#include "family/slow_log.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::family {
namespace {

constexpr size_t kWordsMax = 32;
constexpr size_t kWordBytesMax = 128;

}  // namespace

void SlowLog::add(SlowEntry entry, std::span<const std::string_view> words, size_t length_max) {
  entry.id = next_id_++;
  const size_t shown = words.size() > kWordsMax ? kWordsMax - 1 : words.size();
  entry.words.reserve(shown + 1);
  for (const std::string_view word : words.first(shown)) {
    std::string& kept = entry.words.emplace_back(word.substr(0, kWordBytesMax));
    if (word.size() > kWordBytesMax) kept += fmt::format("... ({} more bytes)", word.size() - kWordBytesMax);
  }
  if (shown < words.size()) entry.words.push_back(fmt::format("... ({} more arguments)", words.size() - shown));
  entries_.push_front(std::move(entry));
  trim(length_max);
}

void SlowLog::trim(size_t length_max) {
  while (entries_.size() > length_max) entries_.pop_back();
}

}  // namespace holdfast::family
