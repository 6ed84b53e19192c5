// Stopwatch: how long something took, for figures that are only shown.
//
// Units: nanoseconds since an arbitrary moment. Handed to a machine at its making, as an input like the time; nothing a
// machine decides may depend on what it reads (docs/decisions/0027). Without a function time stands still: two runs of
// a simulation show the same figures.
#pragma once

#include <cstdint>

namespace holdfast {

struct Stopwatch {
  int64_t (*read)() = nullptr;  // never goes back
  int64_t now_ns() const { return read == nullptr ? 0 : read(); }
};

}  // namespace holdfast
