// Coordinate: a planned change of primary without losing a write: SENTINEL FAILOVER <name> COORDINATED.
//
// Source: Valkey 9's Sentinel. A real election, then the primary itself hands over (its FAILOVER command, known since
// Redis 6.2): it pauses writes, waits for the replica to have everything, and makes it the primary.
#pragma once

#include "sentinel/links.h"

namespace holdfast::sentinel {

/// Less time than this left of the failover timeout is too little to begin.
inline constexpr Duration kHandoverMin = 1000ms;

/// The primary's INFO shows that it knows FAILOVER.
bool knows_failover(const Primary& primary);
/// MULTI, CLIENT PAUSE, FAILOVER TO, EXEC; the reply comes as kPromotion of the primary. False: no connection.
bool send_handover(Core& core, Links& links, Primary& primary, const Instance& to, Duration timeout);
/// Afterwards, on both: the configuration is saved, clients are told to look again.
void finish_handover(Links& links, Instance& node);
/// The primary shall go on as before.
void cancel_handover(Core& core, Links& links, Primary& primary);

}  // namespace holdfast::sentinel
