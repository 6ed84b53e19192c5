// Lineage: whose history a node's data is, as a function of values.
//
// Source: replication ids of redis-server 4 and later: `master_replid` names the history a node follows now; a node
// that was promoted (or resynchronized after one) keeps the former id as `master_replid2`, valid up to
// `second_repl_offset`. Offsets of different histories say nothing about each other.
#pragma once

#include <cstdint>

#include "sentinel/instance.h"

namespace holdfast::sentinel {

/// How a node's data relates to a primary's, best first.
enum class Kinship : uint8_t {
  kHeir,      // was promoted out of the primary's history
  kSame,      // follows the primary's history
  kAncestor,  // ended on the history the primary itself came from, before it went its own way
  kUnknown,   // one of the two does not say
  kForeign,   // another history, or the same one with writes the primary never had
};

/// `primary` is what the primary last said of itself; `offset` is the node's.
Kinship kinship(const Lineage& primary, const Lineage& node, uint64_t offset);

/// Can a node that stands at `offset` go on from `source` (at `source_offset`) without a full copy? The backlog may
/// still be too short.
bool can_continue(const Lineage& source, uint64_t source_offset, const Lineage& node, uint64_t offset);

}  // namespace holdfast::sentinel
