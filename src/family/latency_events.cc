#include "family/latency_events.h"

#include <algorithm>

#include "base/text.h"

namespace holdfast::family {

void LatencyEvents::add(std::string_view event, int64_t ms, int64_t now_unix_s) {
  auto at = events_.find(event);
  if (at == events_.end()) at = events_.emplace(std::string(event), LatencyHistory{}).first;
  LatencyHistory& history = at->second;
  history.worst_ms = std::max(history.worst_ms, ms);
  if (!history.samples.empty() && history.samples.back().at_unix_s == now_unix_s) {
    history.samples.back().ms = std::max(history.samples.back().ms, ms);
    return;
  }
  if (history.samples.size() == LatencyHistory::kSamplesMax) history.samples.pop_front();
  history.samples.push_back({now_unix_s, ms});
}

const LatencyHistory* LatencyEvents::find(std::string_view event) const {
  const auto at = events_.find(event);
  return at == events_.end() ? nullptr : &at->second;
}

size_t LatencyEvents::reset(std::string_view event) {
  return std::erase_if(events_, [&](const auto& row) { return equal_ignoring_case(row.first, event); });
}

size_t LatencyEvents::reset_all() {
  const size_t count = events_.size();
  events_.clear();
  return count;
}

}  // namespace holdfast::family
