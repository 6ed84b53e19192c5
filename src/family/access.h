// Access bits: when a key was last used, or how often - what OBJECT IDLETIME and FREQ answer and eviction goes by.
//
// 24 bits per key (Entry::access). LRU policies: seconds of the wall clock. LFU policies: minutes (16 bits) and a
// logarithmic counter (8 bits) that grows the slower the higher it is (lfu-log-factor) and loses one every
// lfu-decay-time minutes; new keys start at 5. Which one is meant depends on maxmemory-policy alone.
#pragma once

#include <cstdint>

#include "family/context.h"

namespace holdfast::family {

bool tracks_frequency(const State& state);
/// Once per command, before its handler: the bits new keys get.
void refresh_access_clock(State& state, Now now);
/// A key was used. Nothing happens for a client with NO-TOUCH, except in TOUCH itself.
void note_access(Context& c, const store::Entry& entry);

int64_t idle_seconds(const store::Entry& entry, Now now);
/// 0..255, decayed up to now.
uint32_t frequency(const Settings& settings, const store::Entry& entry, Now now);
int64_t idle_seconds(const Context& c, const store::Entry& entry);
uint32_t frequency(const Context& c, const store::Entry& entry);
/// Bits for RESTORE's IDLETIME and FREQ.
uint32_t bits_of_idle(const Context& c, int64_t seconds);
uint32_t bits_of_frequency(const Context& c, uint32_t counter);

}  // namespace holdfast::family
