// Suspended: the one request that may stop in the middle - a script - and what the server does meanwhile.
//
// A script runs on a stack of its own. After so much work it is left there, the turn ends, and the next tick goes on:
// the event loop lives. Nobody else sees or changes the dataset in between: requests of others are held back, or, when
// the script has run for busy-reply-threshold, refused with BUSY; only what says how the server is (PING, INFO) and
// what ends a script is served. Other inputs wait until it is over. Work is counted in instructions and commands, so
// that the machine stays a function of its inputs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/time.h"
#include "family/session.h"

namespace holdfast::server {

class Engine;

/// An input that came while a script was left in the middle.
struct DeferredInput {
  enum class Kind : uint8_t {
    kListening,
    kConnected,
    kSecured,
    kReceived,
    kDrained,
    kFileData,
    kJobDone,
    kResolved,
    kSignal
  };
  Kind kind{};
  ConnId conn{};
  ListenerId listener{};
  JobId job{};
  int number = 0;  // error, status or signal
  std::string bytes{};
  Address local{};
  Address peer{};
  std::vector<std::string> addresses{};
};

class Suspended {
 public:
  explicit Suspended(Engine& engine);
  ~Suspended();
  /// Ends a script that was left in the middle, so that what lies on its stack is left in order. The engine, this part
  /// of it included, is still needed for that. To be called before the end.
  void abandon();

  /// A script was left in the middle.
  bool active() const { return active_; }
  /// It runs for so long that others are refused instead of held back.
  bool answers_busy() const { return busy_; }

  /// True for requests that have to go through run().
  static bool may_stop(const family::Session& session, std::span<const std::string_view> argv);
  enum class Ran : uint8_t {
    kDone,
    kHeld,     // it may not run now: dispatch() answered false
    kStopped,  // it was left in the middle; the session is `suspended`
  };
  Ran run(family::Session& session, std::span<const std::string_view> argv, Now now);

  /// From inside a script: it did so much work; may leave it here.
  void spend(uint32_t instructions);
  /// The next slice.
  void go_on(Now now);
  void defer(DeferredInput input);
  /// A shutdown has begun: it waits for jobs.
  void let_jobs_through(Now now);

 private:
  struct Stack;
  void work();
  void switch_to_worker();
  void switch_to_caller();
  void turn_busy(Now now);
  void finish(Now now);
  void replay(const DeferredInput& input, Now now);

  Engine& engine_;
  std::unique_ptr<Stack> stack_;
  bool active_ = false;
  bool busy_ = false;
  bool inside_ = false;  // the worker's stack is the one in use
  bool done_ = false;
  bool held_ = false;
  uint64_t spent_ = 0;  // in this slice
  Mono started_{};
  Now now_{};

  family::ClientId client_ = 0;
  family::Session* session_ = nullptr;  // sessions are not freed while active
  std::vector<std::string> words_;
  std::vector<DeferredInput> deferred_;
};

}  // namespace holdfast::server
