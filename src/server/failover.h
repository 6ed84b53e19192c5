// Failover: FAILOVER - the primary waits until a replica has everything, then follows it, and the replica becomes the
// primary through `PSYNC ... FAILOVER`. Writes are paused meanwhile, so that nothing is lost.
//
// Source: redis-server 7.2 (states, texts). The pause ends when the new primary has answered, or with an abort.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "family/context.h"

namespace holdfast::server {

class Engine;

class Failover {
 public:
  enum class State : uint8_t { kNone, kWaitForSync, kInProgress };
  explicit Failover(Engine& engine) : engine_(engine) {}

  void command(family::Context& context);
  State state() const { return state_; }
  std::string_view state_name() const;
  void work(Now now);
  Mono next_deadline() const;
  /// The target answered the PSYNC that asked it to take over.
  void answered(bool accepted, Now now);

 private:
  struct Request {
    std::string host;  // empty: any replica
    int64_t port = 0;
    int64_t timeout_ms = 0;
    bool force = false;
  };
  /// False: the error was answered.
  bool parse(family::Context& context, Request& out) const;
  bool may_begin(family::Context& context, const Request& request) const;
  void abort(std::string_view why, Now now);
  void clear();
  void follow_target(Now now);
  void ask(Now now);
  int64_t needed() const;
  bool target_has(int64_t offset, std::string& host, int64_t& port) const;

  Engine& engine_;
  State state_ = State::kNone;
  Request request_;
  Mono deadline_ = kNever;
  // Where the history stood behind the first and the second of the two questions that are asked at once.
  int64_t first_asked_ = 0;
  int64_t second_asked_ = 0;
};

}  // namespace holdfast::server
