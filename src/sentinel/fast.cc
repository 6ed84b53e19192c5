#include "sentinel/fast.h"

#include <algorithm>

#include "base/text.h"
#include "sentinel/quorum.h"

namespace holdfast::sentinel {

int64_t count_ours(const Core& core, const Primary& primary) {
  int64_t ours = 1;
  for (const auto& [runid, sentinel] : primary.sentinels) ours += core.topology.link_of(*sentinel).extended ? 1 : 0;
  return ours;
}

bool is_fast(const Core& core, const Primary& primary) {
  switch (primary.fast_failover) {
    case FastFailover::kYes:
      return true;
    case FastFailover::kNo:
      return false;
    case FastFailover::kAuto:
      return count_ours(core, primary) >= primary.quorum;
  }
  HF_UNREACHABLE();
}

bool promises_bind(const Core& core, const Primary& primary) {
  if (primary.fast_failover == FastFailover::kNo) return false;
  return count_ours(core, primary) >= majority_of(static_cast<int64_t>(primary.sentinels.size()) + 1);
}

Duration fast_ping_period(const Core& core, const Primary& primary) {
  const Duration normal = std::min(primary.down_after, core.periods.ping);
  if (!is_fast(core, primary)) return normal;
  const auto primaries = static_cast<int64_t>(core.topology.primaries().size());
  const Duration affordable = Duration(1s) * primaries / kPingsPerSecondMax;
  return std::min(normal, std::max(kFastPing, affordable));
}

bool majority_confirms(const Core& core, const Primary& primary) {
  if (!core.keeps(Rule::kMajorityConfirms)) return true;
  const Duration recent = core.periods.publish * 2;
  int64_t confirmed = 1;
  for (const auto& [runid, sentinel] : primary.sentinels) {
    const bool same =
        sentinel->said_config_epoch >= primary.config_epoch && same_node(sentinel->said_primary, primary.address);
    confirmed += same && core.since(sentinel->hello_received) <= recent ? 1 : 0;
  }
  return confirmed >= majority_of(static_cast<int64_t>(primary.sentinels.size()) + 1);
}

std::string_view fast_failover_word(FastFailover value) {
  switch (value) {
    case FastFailover::kAuto:
      return "auto";
    case FastFailover::kYes:
      return "yes";
    case FastFailover::kNo:
      return "no";
  }
  HF_UNREACHABLE();
}

std::optional<FastFailover> parse_fast_failover(std::string_view word) {
  for (const FastFailover value : {FastFailover::kAuto, FastFailover::kYes, FastFailover::kNo}) {
    if (equal_ignoring_case(word, fast_failover_word(value))) return value;
  }
  return std::nullopt;
}

}  // namespace holdfast::sentinel
