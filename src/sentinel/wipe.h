// Wipe: a primary that came back without its data must be replaced, not followed.
//
// Ours, not the original's (which logs +reboot and looks on while the replicas copy the emptiness). A primary whose
// run id changed has lost history if either
//  - its replication history is a new one, its dataset is empty, and a replica still holds keys of the former history;
//  - it says itself that it went on from the former history at an offset that a replica has passed.
// It then counts as down for us, until it is replaced or no replica is left that knows more. A data set that came back
// from a file without the history's id (AOF) is not empty, and is followed as before.
// Off where `fast-failover` is `no`.
#pragma once

#include "sentinel/core.h"
#include "sentinel/info.h"

namespace holdfast::sentinel {

/// An INFO of the primary: notices that its history changed; after a restart once the file is read. To be called before
/// `report` is recorded.
void watch_history(Core& core, Primary& primary, const InfoReport& report);
/// Has it lost what one of its replicas still has?
bool lost_history(const Core& core, const Primary& primary);

}  // namespace holdfast::sentinel
