// Crash: telling a primary whose process is gone from one that is silent.
//
// The evidence, all of it needed: a connection that worked was ended by the other side; since then no connection could
// be made, and two attempts at least kProbeInterval apart were *refused* (a frozen host or a cut network refuses
// nothing); it lasted `crash-confirm-milliseconds`; and no replica contradicts. A replica contradicts while its link
// to the primary is up and its offset grows; one that says the link is up without moving is heard for kDoubtMax.
// One successful connection ends all suspicion.
#pragma once

#include "sentinel/agenda.h"
#include "sentinel/core.h"

namespace holdfast::sentinel {

inline constexpr int kRefusedNeeded = 2;
inline constexpr Duration kWitnessWait = 50ms;  // for a replica's first answer
inline constexpr Duration kDoubtMax = 1000ms;
inline constexpr Duration kWitnessPeriod = 20ms;  // INFO to replicas that say the link is up

/// A connection of the primary's command link ended or could not be made.
void note_lost(Core& core, Primary& primary, bool worked, CloseReason reason);
/// A command connection to the primary was made.
void note_connected(Primary& primary);
/// Plans the next attempt to connect and weighs the evidence. To be called before the link is maintained.
void look_for_crash(Core& core, Primary& primary, Agenda& agenda);

}  // namespace holdfast::sentinel
