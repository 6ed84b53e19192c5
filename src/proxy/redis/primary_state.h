// PrimaryState: what a backend with `redis-primary` knows about its primary. Values; primary_watch.h decides.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "proxy/redis/primary_choice.h"

namespace holdfast::proxy {

struct PrimaryState {
  struct Candidate {
    Address address;
    int64_t epoch = 0;
    size_t voice = 0;              // the Sentinel that named it
    uint32_t server = UINT32_MAX;  // in the backend, UINT32_MAX = none has this address
    Mono since{};
  };
  bool watched = false;
  uint32_t sentinels = 0;        // index of the section
  uint32_t server = UINT32_MAX;  // the primary; UINT32_MAX = none adopted, or its address is not one of our servers
  Address address;
  int64_t epoch = -1;  // of its adoption; -1 = none yet
  Mono since{};
  std::string evidence;  // in words, for people
  std::optional<Candidate> candidate;
  std::vector<std::optional<PrimaryReport>> reports;  // by Sentinel
};

}  // namespace holdfast::proxy
