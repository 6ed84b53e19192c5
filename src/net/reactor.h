// Reactor: one thread's event loop behind one face; epoll and io_uring implement it.
//
// A turn: write the queues the client marked with flush() since the last turn, wait, report every event to the client.
// All writing is done in one place, so many appends to one connection become one system call.
// Connections are named by the client's ConnId (dense index, fresh generation). Rules:
//  - after close() or on_closed() the reactor never names that id again, and ignores calls that do;
//  - received views are valid during the callback; output queues are consumed by the reactor only;
//  - a connection closed with kFlush lives on without its id until its bytes are out, at most linger_max.
// Single-threaded; other threads reach it through a watched eventfd.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/action.h"
#include "base/ids.h"
#include "base/out_queue.h"
#include "base/time.h"
#include "net/socket.h"

namespace holdfast::net {

enum class Backend : uint8_t { kAuto, kEpoll, kUring };

/// Who is told. Callbacks come inside Reactor::turn() only, and may call the reactor.
class ReactorClient {
 public:
  virtual ~ReactorClient() = default;
  /// A new socket; the client adopts or closes `fd`.
  virtual void on_accepted(ListenerId listener, int fd) = 0;
  virtual void on_connected(ConnId conn) = 0;
  virtual void on_received(ConnId conn, std::string_view bytes) = 0;
  /// The peer finished sending; for half_open() clients only, the others get on_closed(conn, 0).
  virtual void on_eof(ConnId conn) = 0;
  /// `error`: 0 = orderly end, else errno. The id is dead.
  virtual void on_closed(ConnId conn, int error) = 0;
  /// The output queue went empty, or shrank below half of what it was when writing stalled.
  virtual void on_drained(ConnId conn) = 0;
  /// A watched descriptor is readable.
  virtual void on_watched(int fd) = 0;
  /// The queue to write from; asked for anew at every use.
  virtual OutQueue& output(ConnId conn) = 0;
  virtual bool half_open(ConnId conn) const = 0;
};

class Reactor {
 public:
  /// kAuto takes io_uring where the kernel has what is needed, else epoll. An explicit backend that is not available is
  /// an error (errno).
  static std::expected<std::unique_ptr<Reactor>, int> make(Backend backend, ReactorClient& client);
  virtual ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  virtual std::string_view name() const = 0;
  /// From now on this one is told; for a layer put in between.
  void set_client(ReactorClient& client) { client_ = &client; }
  void set_linger_max(Duration linger) { linger_max_ = linger; }

  /// Takes over a listening descriptor.
  void add_listener(ListenerId listener, int fd);
  void remove_listener(ListenerId listener);
  /// The descriptors of all open listeners.
  std::vector<int> listener_descriptors() const;
  /// Takes over an accepted descriptor.
  void adopt(ConnId conn, int fd);
  /// Takes over an unconnected descriptor; answered by on_connected or on_closed, never from inside this call.
  void connect(ConnId conn, int fd, const SockAddr& to, bool datagram = false);
  /// A connection that failed before it had a socket: on_closed(conn, error) comes in the next turn.
  void connect_failed(ConnId conn, int error);
  void flush(ConnId conn);
  void pause(ConnId conn, bool paused);
  void shutdown_write(ConnId conn);
  void close(ConnId conn, action::CloseMode mode);
  /// The descriptor of a connection, -1 if unknown. For naming it (local_address), not for I/O.
  int descriptor(ConnId conn) const;

  /// Reports when `fd` is readable (level-triggered) until unwatch().
  virtual void watch(int fd) = 0;
  virtual void unwatch(int fd) = 0;

  /// Writes what is marked, waits until `deadline` at most (Mono::min() = do not wait), then reports what happened.
  void turn(Mono deadline);
  /// Writes every marked queue once, without waiting for events; before the process ends.
  void write_marked_now();
  /// The clock as read after the last wait.
  const Now& now() const { return now_; }
  void refresh_clock();
  /// Connections the reactor holds, lingering ones included.
  size_t connections() const { return live_; }

 protected:
  enum class Phase : uint8_t {
    kFree,
    kConnecting,
    kOpen,
    kFlushing,    // closed by the client, bytes still to send
    kDiscarding,  // everything sent and FIN out; reading away what the peer still sends so that no RST eats our bytes
    kReleasing,   // waits for the kernel to give back outstanding operations
  };
  /// One connection; ordered to be small, for there may be very many.
  struct Slot {
    uint32_t index = 0;
    uint32_t generation = 1;
    int fd = -1;
    ConnId conn;
    Phase phase = Phase::kFree;
    bool paused = false;
    bool read_ended = false;       // EOF was seen
    bool write_ended = false;      // FIN was sent
    bool shutdown_wanted = false;  // FIN after the queued output
    bool flush_marked = false;
    bool stalled = false;  // the kernel took less than offered; waits for room
    bool discarded_input = false;
    // epoll
    bool registered = false;
    bool readable = false;  // an edge was seen that is not read to its end yet
    bool ready_marked = false;
    bool hangup = false;  // FIN or an error was announced, or messages come one by one: read on to its end
    // io_uring
    uint8_t in_flight = 0;
    bool receiving = false;
    bool sending = false;
    bool cancelling = false;
    bool held_eof = false;
    bool bulk = false;                  // has filled a whole receive buffer
    std::unique_ptr<std::string> held;  // arrived between a pause and its taking effect; none or not empty
    size_t stalled_size = 0;            // queue size when writing stalled, for on_drained's half rule
    OutQueue own;                       // output of a connection its client has forgotten
    Mono linger_deadline = kNever;
  };
  static_assert(sizeof(Slot) <= 96);
  struct Listener {
    ListenerId id{};
    int fd = -1;
    bool armed = false;
    bool closing = false;
    uint32_t index = 0;
  };

  explicit Reactor(ReactorClient& client) : client_(&client) {}

  // What a backend provides. `release` ends in close_slot(), at once or when the kernel is done with the socket.
  virtual void arm_listener(Listener& listener) = 0;
  virtual void disarm_listener(Listener& listener) = 0;
  /// Returns 0, or the errno of a connect that failed at once.
  virtual int start_connect(Slot& slot, const SockAddr& to) = 0;
  /// Returns 0 or errno.
  virtual int start_reading(Slot& slot) = 0;
  virtual void pause_changed(Slot& slot) = 0;
  virtual void write(Slot& slot, OutQueue& queue) = 0;
  virtual void release(Slot& slot) = 0;
  virtual void wait(Mono deadline) = 0;
  /// True while the next turn must not sleep.
  virtual bool has_ready() const { return false; }

  // What a backend reports.
  /// Takes waiting connections, a bounded number; 0, or the errno that calls for a rest. `flags` are accept4's.
  int accept_all(Listener& listener, int flags);
  void report_accepted(Listener& listener, int fd);
  void report_accept_failed(Listener& listener, int error);
  void report_connected(Slot& slot);
  void report_received(Slot& slot, std::string_view bytes);
  void report_eof(Slot& slot);
  void report_failed(Slot& slot, int error);
  /// The kernel took `bytes` from the front of `queue`.
  void report_written(Slot& slot, OutQueue& queue, size_t bytes);
  OutQueue& queue_of(Slot& slot) { return slot.conn ? client_->output(slot.conn) : slot.own; }
  bool is_live(const Slot& slot) const { return slot.phase != Phase::kFree && slot.phase != Phase::kReleasing; }
  void close_slot(Slot& slot);
  /// How many queues this turn writes; for write() to choose its way.
  size_t flushing_count() const { return flushing_.size(); }
  void mark_flush(Slot& slot);
  Slot* find(ConnId conn);
  /// How long to sleep for `deadline`: 0 = not at all, Duration::max() = until something happens.
  static Duration time_until(Mono deadline);

  ReactorClient* client_;
  std::deque<Slot> slots_;
  std::deque<Listener> listeners_;
  Now now_{};

 private:
  Slot& new_slot(ConnId conn, int fd, Phase phase);
  void forget(Slot& slot);
  void begin_linger(Slot& slot);
  void advance_linger(Slot& slot);
  void finish_write_side(Slot& slot);
  void expire_lingering();
  void resume_listeners();
  Mono nearest(Mono deadline) const;
  void report_refused();
  void flush_all();

  std::vector<uint32_t> free_slots_;
  std::vector<uint32_t> by_conn_;  // ConnId::index -> slot + 1
  std::vector<uint32_t> flushes_;
  std::vector<uint32_t> flushing_;
  std::vector<uint32_t> lingering_;
  struct Refused {
    ConnId conn;
    int error;
  };
  std::vector<Refused> refused_;
  Mono accept_again_ = kNever;  // listeners rest until then after EMFILE
  Duration linger_max_ = 10s;
  size_t live_ = 0;
};

std::expected<std::unique_ptr<Reactor>, int> make_epoll_reactor(ReactorClient& client);
std::expected<std::unique_ptr<Reactor>, int> make_uring_reactor(ReactorClient& client);

}  // namespace holdfast::net
