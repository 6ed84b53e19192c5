#include "acl/log.h"

#include <algorithm>
#include <cstdlib>

#include "base/assert.h"

namespace holdfast::acl {
namespace {

constexpr int64_t kSameEventMs = 60'000;
constexpr size_t kEntriesCompared = 10;

bool same_event(const LogEntry& a, const LogEntry& b) {
  return a.reason == b.reason && a.context == b.context && std::llabs(a.updated_ms - b.updated_ms) <= kSameEventMs &&
         a.object == b.object && a.username == b.username;
}

}  // namespace

void Log::add(LogEntry event, size_t entries_max) {
  switch (event.reason) {
    case Denied::kNo:
      HF_ASSERT(false);
      break;
    case Denied::kCommand:
      ++counts_.command;
      break;
    case Denied::kKey:
      ++counts_.key;
      break;
    case Denied::kAuth:
      ++counts_.auth;
      break;
    case Denied::kChannel:
      ++counts_.channel;
      break;
  }
  const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(std::min(entries_.size(), kEntriesCompared));
  const auto same = std::find_if(entries_.begin(), end, [&](const LogEntry& e) { return same_event(e, event); });
  if (same != end) {
    LogEntry merged = std::move(*same);
    entries_.erase(same);
    merged.client = std::move(event.client);
    merged.updated_ms = event.updated_ms;
    ++merged.count;
    entries_.push_front(std::move(merged));
    return;
  }
  event.id = next_id_++;
  event.created_ms = event.updated_ms;
  entries_.push_front(std::move(event));
  if (entries_.size() > entries_max) entries_.resize(entries_max);
}

}  // namespace holdfast::acl
