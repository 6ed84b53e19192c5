// Switchover: a primary's record starts over, at the same or at another address.
//
// Source: redis-sentinel 7.2 (SENTINEL RESET and +switch-master). On a change of address the old primary becomes a
// replica of the new one and the other replicas are kept; replicas and Sentinels are never forgotten otherwise.
#pragma once

#include "sentinel/links.h"

namespace holdfast::sentinel {

/// Drops replicas (and Sentinels), failover, flags and connections; epochs stay.
void reset_primary(Core& core, Links& links, Primary& primary, bool keep_sentinels);

/// Moves the primary to another address, announces the replicas anew and saves.
void change_address(Core& core, Links& links, Primary& primary, const NodeAddress& to);

}  // namespace holdfast::sentinel
