// ServerName: how a server's name is being resolved; handles into the engines. Values; resolve/server_names.h decides.
#pragma once

#include <cstdint>

namespace holdfast::proxy {

struct ServerName {
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t section = kNone;     // of resolvers
  uint32_t resolution = kNone;  // of its own name
  uint32_t service = kNone;     // SRV request that gives it a name
  bool renamed = false;         // since the start; COMPAT: shown once its state changes the next time
};

}  // namespace holdfast::proxy
