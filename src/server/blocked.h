// Blocked clients: who waits for which key, in what order, until when.
//
// Rules (redis-server 7.2): clients that wait for one key are served first come, first served; they are served after
// the unit that made the key ready, never inside it; a served command may make further keys ready. A client waits for
// several keys in one place each. Invariants: a client is in waiters_ iff its session is blocked on keys, and then in
// the queue of each of its keys exactly once; no queue is empty; deadlines_ holds every deadline but kNever.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "family/context.h"

namespace holdfast::server {

class Engine;

class Blocked {
 public:
  explicit Blocked(Engine& engine) : engine_(engine) {}

  void wait(family::Context& context, store::Type type, std::span<const std::string_view> keys, int64_t timeout_ms,
            family::WhenGone when_gone);
  /// A key was written; whether it is of any use is looked at when clients are served.
  void key_changed(int db, std::string_view key);
  /// Databases were exchanged: every key somebody waits for may be there now.
  void all_changed();
  bool has_ready() const { return !ready_.empty(); }
  /// Runs the commands of those whose keys are ready, until no key is; then works off what freed clients have sent.
  /// With `held_back` (a pause of writes) keys stay ready.
  void serve(Now now, bool held_back);

  /// Answers those whose time is over.
  void tick(Now now);
  Mono next_deadline() const;

  /// CLIENT UNBLOCK; false if the client does not wait for keys. An empty error: as if its time were over.
  bool release(family::ClientId client, std::string_view error);
  /// Ends all waiting with an error and closes the clients: the server becomes a replica.
  void release_all(std::string_view error);
  void session_gone(family::ClientId client) { forget(client); }

  size_t clients() const { return waiters_.size(); }
  size_t keys() const { return queues_.size(); }
  void check_invariants() const;

 private:
  using DbKey = std::pair<int, std::string>;
  struct Waiter {
    store::Type type = store::Type::kList;
    family::WhenGone when_gone = family::WhenGone::kWait;
    std::vector<DbKey> keys;
    family::QueuedCommand command;
    Mono deadline = kNever;
  };

  void forget(family::ClientId client);
  void serve_key(const DbKey& key, Now now);
  /// Runs `client`'s command again.
  void run(family::ClientId client, Now now);

  Engine& engine_;
  std::map<family::ClientId, Waiter> waiters_;
  std::map<DbKey, std::vector<family::ClientId>> queues_;
  std::vector<DbKey> ready_;  // distinct, in the order they became ready
  std::set<std::pair<Mono, family::ClientId>> deadlines_;
  std::vector<family::ClientId> resumed_;  // free again; their further input is worked off between units
  Mono running_deadline_ = kNever;         // of the command that runs again
  bool serving_ = false;
};

}  // namespace holdfast::server
