// Shutdown: the way from the wish to end to the end - replicas catch up, the append-only file is made durable, the last
// snapshot is written - and back, when something fails or somebody changes his mind.
//
// Source: redis-server 7.2 (order of steps, texts). Clients that asked for it stay blocked and are answered only if it
// does not come about.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "family/services.h"

namespace holdfast::server {

class Engine;

class Shutdown {
 public:
  using Options = family::Services::ShutdownOptions;
  explicit Shutdown(Engine& engine) : engine_(engine) {}

  /// `session`: who asked, null for a signal.
  void begin(family::Session* session, const Options& options, Now now);
  /// False: none is under way, or it has gone too far.
  bool abort(Now now);
  bool initiated() const { return step_ != Step::kNone; }
  void work(Now now);
  Mono next_deadline() const;
  /// The append-only file is durable.
  void append_only_synced(Now now);
  /// The last snapshot is written, or could not be (`status`: errno).
  void saved(int status, Now now);
  void session_gone(family::ClientId client) { std::erase(waiting_, client); }
  size_t waiting() const { return waiting_.size(); }
  /// INFO's shutdown_in_milliseconds; -1: no waiting for replicas.
  int64_t left_ms(Now now) const;

 private:
  enum class Step : uint8_t { kNone, kReplicas, kAppendOnly, kSnapshot };
  void finish(Now now);
  void save_or_end(Now now);
  void cancel(Now now);
  void fail(Now now);
  void end();

  Engine& engine_;
  Step step_ = Step::kNone;
  Options options_;
  Mono deadline_ = kNever;
  std::vector<family::ClientId> waiting_;
};

}  // namespace holdfast::server
