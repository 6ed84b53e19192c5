// Eviction: what goes when more memory is used than maxmemory allows.
//
// Source: redis-server 7.2. Victims are chosen by sampling: maxmemory-samples keys of every database feed a pool of the
// best candidates so far, the best of them goes. The bound is data and clients' buffers; replicas' buffers do not
// count, or feeding them with deletions would cause deletions. Work per call is bounded (maxmemory-eviction-tenacity);
// what is left over goes on in later turns.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "family/state.h"

namespace holdfast::server {

class Engine;

class Evictor {
 public:
  enum class Outcome : uint8_t {
    kEnough,   // within the bound, or not bound
    kRunning,  // over it; the next call goes on
    kFailed,   // over it, and nothing may go
  };

  explicit Evictor(Engine& engine) : engine_(engine) {}

  Outcome make_room(Now now);
  /// A bound was set or lowered: makes room in the next turn.
  void wake() { running_ = true; }
  /// The last call left work over.
  bool running() const { return running_; }

 private:
  struct Candidate {
    uint64_t rank = 0;  // the higher the sooner
    int db = 0;
    std::string key;
  };
  enum class By : uint8_t { kIdle, kFrequency, kTimeToLive, kChance };
  struct Policy {
    By by;
    bool expiring_only;
  };

  static bool policy_of(const family::Settings& settings, Policy& policy);
  bool over() const;
  void fill_pool(const Policy& policy, int db, Now now);
  void offer(uint64_t rank, int db, std::string_view key);
  /// False: there is no key left that may go.
  bool choose(const Policy& policy, Now now, Candidate& victim);
  bool choose_by_chance(const Policy& policy, Candidate& victim);
  void evict(const Candidate& victim, Now now);

  Engine& engine_;
  std::vector<Candidate> pool_;  // ascending by rank
  int next_db_ = 0;              // of random policies
  bool running_ = false;
};

}  // namespace holdfast::server
