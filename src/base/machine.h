// Machine: the face that the data server, the Sentinel and the proxy show to whatever drives them.
//
// Bytes and time go in, bytes and actions come out. Rules for both sides:
//  - the host calls one input at a time, then drains poll_action() until it is empty;
//  - `now` never goes back on the monotonic scale; the wall scale may jump;
//  - after Close (action) or closed() (input) the ConnId is dead on both sides: a machine ignores a late input for a
//    dead id, a host ignores a late action for one;
//  - tick() is called no later than convenient after next_deadline(); being late changes nothing but latency.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/action.h"
#include "base/address.h"
#include "base/ids.h"
#include "base/out_queue.h"
#include "base/time.h"

namespace holdfast {

/// A connection that came in through a listener.
struct Accepted {
  ListenerId listener{};
  Address peer;
  Address local;
};

enum class CloseReason : uint8_t {
  kEof,          // orderly end by the peer (a machine that asked for half_open gets eof() instead)
  kReset,        // ECONNRESET, EPIPE
  kRefused,      // connect: ECONNREFUSED
  kUnreachable,  // connect: no route, network or host down, bad address
  kTimedOut,     // the kernel gave up (ETIMEDOUT)
  kTls,          // the handshake or the stream after it broke a rule; see the text
  kError,        // anything else; see the error number
};
struct Closed {
  CloseReason reason = CloseReason::kEof;
  int error = 0;               // errno, 0 where none
  std::string_view text = {};  // kTls: the library's words; valid during the call
};

class Machine {
 public:
  virtual ~Machine() = default;

  /// First input: the machine asks for its listeners, files and connections.
  virtual void start(Now now) = 0;
  /// Returns the handle for the new connection; the machine may queue a Close for it at once.
  virtual ConnId accepted(const Accepted& from, Now now) = 0;
  /// `error` 0 = listening on `bound` (with the real port), else errno; `text` names the failing address.
  virtual void listening(ListenerId listener, const Address& bound, int error, Now now) = 0;
  virtual void connected(ConnId conn, const Address& local, const Address& peer, Now now) = 0;
  /// The handshake that StartTls asked for is over.
  virtual void secured(ConnId, const TlsFacts&, Now) {}
  /// Bytes that arrived. The view is valid during the call only.
  virtual void receive(ConnId conn, std::string_view bytes, Now now) = 0;
  /// The peer finished sending; only for machines whose half_open() is true.
  virtual void eof(ConnId conn, Now now) = 0;
  virtual void closed(ConnId conn, Closed why, Now now) = 0;
  /// The output queue of `conn` went empty, or shrank below half of what it was when writing stalled.
  virtual void drained(ConnId conn, Now now) = 0;

  virtual void file_data(JobId job, std::string_view bytes, Now now) = 0;
  /// `status`: 0 or errno for files, the wait status for children.
  virtual void job_done(JobId job, int status, Now now) = 0;
  /// Numeric addresses in the resolver's order; empty = the name does not resolve.
  virtual void resolved(JobId job, const std::vector<std::string>& addresses, Now now) = 0;
  /// An operator's signal (SIGTERM, SIGINT, SIGHUP, SIGUSR1, ...), by number.
  virtual void signal(int number, Now now) = 0;
  virtual void tick(Now now) = 0;

  virtual Mono next_deadline() const = 0;
  /// The queue the host writes from. Valid until the connection is dead.
  virtual OutQueue& output(ConnId conn) = 0;
  /// The next action, in order. False = none left.
  bool poll_action(Action& out) {
    if (next_action_ == actions_.size()) {
      actions_.clear();  // keeps its capacity: a turn with one Flush allocates nothing
      next_action_ = 0;
      return false;
    }
    out = std::move(actions_[next_action_++]);
    return true;
  }
  virtual bool half_open() const { return false; }

 protected:
  template <typename A>
  void act(A&& a) {
    actions_.emplace_back(std::forward<A>(a));
  }

 private:
  std::vector<Action> actions_;
  size_t next_action_ = 0;  // actions before it were taken
};

}  // namespace holdfast
