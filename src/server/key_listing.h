// KeyListing: KEYS over a large database, so many keys per turn, while everybody else is served.
//
// The answer is the state of one moment between request and reply (store/key_walk.h; docs/decisions/0055): the request
// before which nobody waits takes the moment it comes at, one that waits for another's listing the moment it begins.
// Bounds: one listing at a time, one request per client; the reply is as long as the keys are.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/out_queue.h"
#include "base/time.h"
#include "family/context.h"
#include "store/key_walk.h"

namespace holdfast::server {

class Engine;

class KeyListing final : private store::KeyWalk::Reader {
 public:
  explicit KeyListing(Engine& engine) : engine_(engine) {}

  /// KEYS. False: it is small, or its client cannot wait, and is worked off at once.
  bool begin(family::Context& context);
  bool running() const { return !requests_.empty(); }
  /// The next slice.
  void work(Now now);
  void session_gone(family::ClientId client);
  /// Before the dataset is replaced: what is under way begins anew in the next one.
  void data_goes();

 private:
  struct Request {
    family::ClientId client = 0;
    int db = 0;
    std::string pattern;
    command::SpecIndex spec = command::kNoSpec;
  };
  void see(const store::Entry& entry) override;
  void start(Now now);
  void answer(Now now);

  Engine& engine_;
  std::deque<Request> requests_;          // the first is under way
  std::unique_ptr<store::KeyWalk> walk_;  // of the first; null: it has yet to begin
  int64_t at_ms_ = 0;                     // keys that are over by then are none
  size_t found_ = 0;
  char* head_ = nullptr;  // room for the array's header in front of them
  OutQueue names_;        // as the reply will have them
};

}  // namespace holdfast::server
