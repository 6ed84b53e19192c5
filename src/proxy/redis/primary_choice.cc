#include "proxy/redis/primary_choice.h"

namespace holdfast::proxy {

PrimaryChoice choose_primary(int64_t current_epoch, std::span<const std::optional<PrimaryReport>> reports,
                             bool settled) {
  size_t spoken = 0;
  int64_t highest = current_epoch;
  for (const auto& report : reports) {
    if (!report) continue;
    ++spoken;
    if (report->epoch > highest) highest = report->epoch;
  }
  const size_t majority = reports.size() / 2 + 1;
  if (highest == current_epoch || (current_epoch < 0 && !settled && spoken < majority)) return {};
  // Two addresses with one epoch do not come from a sound set of Sentinels: the one more of them name, then the first.
  PrimaryChoice best;
  for (size_t i = 0; i < reports.size(); ++i) {
    if (!reports[i] || reports[i]->epoch != highest) continue;
    size_t voices = 0;
    for (const auto& other : reports)
      voices += other && other->epoch == highest && other->address == reports[i]->address;
    if (voices <= best.voices) continue;
    best = {PrimaryChoice::Verdict::kConfirm, reports[i]->address, highest, voices, i};
  }
  if (best.voices >= majority && best.voices >= 2) best.verdict = PrimaryChoice::Verdict::kAdopt;
  return best;
}

}  // namespace holdfast::proxy
