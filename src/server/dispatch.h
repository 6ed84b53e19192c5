// Dispatch: from the words of a request to a handler's run - lookup, arity, the gate, queueing in MULTI, statistics,
// and the effect handed to propagation.
//
// Source: the order of redis-server 7.2's command processing.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "command/catalogue.h"
#include "family/bindings.h"
#include "family/context.h"
#include "server/propagate.h"

namespace holdfast::server {

class Evictor;

/// Which handler serves which row; built once from the families' tables.
class HandlerTable {
 public:
  HandlerTable();
  family::Handler at(command::SpecIndex index) const { return handlers_[index]; }

 private:
  std::vector<family::Handler> handlers_;
};

/// Whether a script was left in the middle, and whether others are refused (kBusy) or held back for it.
enum class ScriptState : uint8_t { kNone, kStopped, kBusy };

struct DispatchHost {
  family::State& state;
  family::Services& services;
  Propagator& propagator;
  /// Whether effects are to be kept: a backlog, a replica or an append-only file exists.
  bool propagating = false;
  size_t good_replicas = 0;
  Evictor* evictor = nullptr;
  /// CLIENT PAUSE holds this command back: dispatch() answers false and has done nothing.
  bool paused_all = false;
  bool paused_writes = false;
  ScriptState script = ScriptState::kNone;
};

class Dispatcher {
 public:
  /// Runs one request of `session`. False: it has to wait for the end of a pause.
  bool dispatch(const DispatchHost& host, family::Session& session, std::span<const std::string_view> argv, Now now);
  /// A command out of an append-only file: no gate, no reply. False: there is no such command.
  bool replay(const DispatchHost& host, family::Session& session, std::span<const std::string_view> argv, Now now);
  /// A command out of EXEC's queue; everything was checked when it was queued, but for the gate.
  void run_queued(const DispatchHost& host, family::Context& outer, const family::QueuedCommand& command);
  /// The command of a client that waited for a key; it passed the gate when it came.
  void run_again(const DispatchHost& host, family::Session& session, const family::QueuedCommand& command, Now now);
  /// A command of a script, on the script's session; its effects are the caller's.
  void run_from_script(const DispatchHost& host, family::Context& outer, family::Session& session,
                       command::SpecIndex index, std::span<const std::string_view> argv);
  /// A command a script may not run: `text` with or without `-CODE`.
  void count_refusal(family::State& state, command::SpecIndex index, std::string_view text);
  bool has_handler(command::SpecIndex index) const { return table_.at(index) != nullptr; }

 private:
  struct Resolved {
    command::SpecIndex index = command::kNoSpec;
    std::string error;
  };
  Resolved resolve(std::span<const std::string_view> argv) const;
  struct Request {
    std::span<const std::string_view> argv;
    Now now;
  };
  void refuse_request(const DispatchHost& host, family::Session& session, command::SpecIndex index,
                      command::Reply& reply, const Request& request, std::string_view error);
  bool work_off(const DispatchHost& host, family::Session& session, std::span<const std::string_view> argv, Now now);
  enum class Run : uint8_t {
    kFirst,
    kAgain,   // the client waited for a key: MONITOR has shown it
    kReplay,  // out of a file: not counted, not shown
  };
  void call(const DispatchHost& host, family::Context& context, command::SpecIndex index, Run run = Run::kFirst);

  HandlerTable table_;
};

}  // namespace holdfast::server
