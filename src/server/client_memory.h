// ClientMemory: what one client costs, by what it is used for - CLIENT LIST's fields and what maxmemory-clients bounds.
//
// Units: bytes. Buffers here have no fixed part; the first 16 KiB of output are shown where the original shows its own
// fixed buffer, so that the fields say the same of the same traffic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "family/session.h"
#include "family/state.h"

namespace holdfast::server {

struct ClientMemory {
  size_t input = 0;       // requests not carried out (`qbuf`)
  size_t input_free = 0;  // room behind them (`qbuf-free`), not part of the total: it comes and goes by chance
  size_t arguments = 0;   // of the request being worked off (`argv-mem`)
  size_t queue = 0;       // of MULTI (`multi-mem`)
  size_t output = 0;      // not sent
  size_t total = 0;       // all of it, with what is watched, subscribed and tracked (`tot-mem`)

  static constexpr size_t kFirstOutput = 16 * 1024;
  size_t first_output() const { return output < kFirstOutput ? output : kFirstOutput; }  // `obl`
  size_t more_output() const { return output - first_output(); }                         // `omem`
  size_t output_blocks() const { return (more_output() + kFirstOutput - 1) / kFirstOutput; }
};

ClientMemory memory_of(const family::State& state, const family::Session& session);
/// What all ordinary clients may cost together; nullopt: no bound.
std::optional<size_t> client_memory_limit(const family::Settings& settings);

}  // namespace holdfast::server
