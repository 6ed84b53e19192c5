// Resolver: host names to numeric addresses on threads of their own, because getaddrinfo() blocks for seconds.
//
// At most kThreads lookups run at a time and kQueueMax wait; beyond that a name is answered as not resolving.
// Threads blocked in a lookup are left behind at the end, sharing only the state they need.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"

namespace holdfast::net {

class Resolver {
 public:
  struct Answer {
    JobId job{};
    std::vector<std::string> addresses;
  };
  Resolver();
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  int descriptor() const;
  void look_up(JobId job, std::string host);
  std::vector<Answer> take();

 private:
  struct State;
  static void work(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::net
