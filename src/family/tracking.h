// Tracking: server-assisted client-side caching - who may have which keys cached, and how they learn of changes.
//
// Default mode: a key read by a tracking client is remembered until it changes, then every reader is told once.
// Broadcasting: clients register prefixes; keys that changed are told at the end of the turn. The table of remembered
// keys is bounded by tracking-table-max-keys: what is over it is told as if it had changed.
// Source: CLIENT TRACKING of redis-server 7.2. Keys are tracked by name, whatever their database.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "family/session.h"
#include "store/hash.h"

namespace holdfast {
class Prng;
}

namespace holdfast::family {

struct Context;
struct State;
class Services;

/// Which clients read which keys. Ids of clients that are gone stay until their keys change.
class ReadKeys {
 public:
  explicit ReadKeys(const store::HashSeed& seed) : readers_(0, Hash{seed}) {}
  void remember(std::string_view key, ClientId reader);
  /// Forgets the key; who read it.
  std::vector<ClientId> take(std::string_view key);
  /// Any one of them.
  const std::string& pick(Prng& prng) const;
  void clear();
  size_t keys() const { return names_.size(); }
  size_t items() const { return items_; }
  void check_invariants() const;

 private:
  struct Hash {
    using is_transparent = void;
    store::HashSeed seed;
    size_t operator()(std::string_view key) const { return store::hash_bytes(key, seed); }
  };
  struct Row {
    std::vector<ClientId> readers;  // ascending
    size_t place;                   // in names_
  };
  std::unordered_map<std::string, Row, Hash, std::equal_to<>> readers_;
  std::vector<const std::string*> names_;  // the keys of readers_, for picking one
  size_t items_ = 0;
};

struct TrackedPrefix {
  std::set<ClientId> clients;
  std::map<std::string, ClientId, std::less<>> changed;  // in this turn, with who changed it last (0: nobody)
};

struct Tracking {
  size_t clients = 0;
  std::optional<ReadKeys> read_keys;  // made by the first client that tracks
  std::map<std::string, TrackedPrefix, std::less<>> prefixes;
  /// Whose request is worked off; 0: nobody's. Inside its handler what it is to be told waits for the reply's end.
  ClientId current = 0;
  bool in_handler = false;
  std::vector<std::optional<std::string>> waiting;  // keys for `current`; nothing: all keys
  size_t over_bound = 0;                            // turns in a row the bound was not reached

  bool active() const { return clients > 0 || (read_keys && read_keys->keys() > 0); }
  void check_invariants() const;
};

/// Marks whose request is worked off until the end of the scope.
class CurrentClient {
 public:
  CurrentClient(Tracking& tracking, ClientId id);
  ~CurrentClient();
  CurrentClient(const CurrentClient&) = delete;
  CurrentClient& operator=(const CurrentClient&) = delete;

 private:
  Tracking& tracking_;
  ClientId before_;
};

void tracking_off(State& state, Session& session);
/// The keys of a read by the current client.
void remember_read_keys(State& state, Services& services, const command::Spec& spec,
                        std::span<const std::string_view> words);
/// `writer`: who changed the key, 0 for nobody.
void tell_changed_key(State& state, Services& services, std::string_view key, ClientId writer);
void tell_all_changed(State& state, Services& services);
/// After a request of `session`: what waited for the end of its reply; CLIENT CACHING ends with the next command.
void end_tracked_request(State& state, Services& services, Session& session);
/// At the end of a turn.
void tell_prefixes(State& state, Services& services);
/// Before a request: keys over the bound are given up, some at a time.
void bound_read_keys(State& state, Services& services);

}  // namespace holdfast::family
