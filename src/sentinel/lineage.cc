#include "sentinel/lineage.h"

namespace holdfast::sentinel {

Kinship kinship(const Lineage& primary, const Lineage& node, uint64_t offset) {
  if (primary.replid.empty() || node.replid.empty()) return Kinship::kUnknown;
  if (node.replid == primary.replid) return Kinship::kSame;
  if (node.replid2 == primary.replid) return Kinship::kHeir;
  const bool before_the_fork = primary.second_offset >= 0 && offset < static_cast<uint64_t>(primary.second_offset);
  return node.replid == primary.replid2 && before_the_fork ? Kinship::kAncestor : Kinship::kForeign;
}

bool can_continue(const Lineage& source, uint64_t source_offset, const Lineage& node, uint64_t offset) {
  if (source.replid.empty() || node.replid.empty()) return false;
  if (node.replid == source.replid) return offset <= source_offset;
  return node.replid == source.replid2 && source.second_offset >= 0 &&
         offset < static_cast<uint64_t>(source.second_offset);
}

}  // namespace holdfast::sentinel
