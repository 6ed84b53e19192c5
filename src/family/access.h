// Access bits: when a key was last used, or how often - what OBJECT IDLETIME and FREQ answer and eviction goes by.
//
// 24 bits per key (Entry::access). LRU policies: seconds of the wall clock. LFU policies: minutes (16 bits) and a
// logarithmic counter (8 bits) that halves its growth as it rises and decays by one a minute; the original's figures
// (initial value 5, log factor 10, decay time 1). Which one is meant depends on maxmemory-policy alone.
#pragma once

#include <cstdint>

#include "family/context.h"

namespace holdfast::family {

bool tracks_frequency(const State& state);
/// Once per command, before its handler: the bits new keys get.
void refresh_access_clock(State& state, Now now);
/// A key was used. Nothing happens for a client with NO-TOUCH, except in TOUCH itself.
void note_access(Context& c, const store::Entry& entry);

int64_t idle_seconds(const Context& c, const store::Entry& entry);
/// 0..255, decayed up to now.
uint32_t frequency(const Context& c, const store::Entry& entry);
/// Bits for RESTORE's IDLETIME and FREQ.
uint32_t bits_of_idle(const Context& c, int64_t seconds);
uint32_t bits_of_frequency(const Context& c, uint32_t counter);

}  // namespace holdfast::family
