#include "net/reactor.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "net/clock.h"

namespace holdfast::net {
namespace {
constexpr int kAcceptsPerTurn = 64;
constexpr Duration kAcceptRest = 100ms;  // after EMFILE and its like
constexpr Duration kDiscardMax = 1s;     // how long a closed connection's late input is read away
}  // namespace

std::expected<std::unique_ptr<Reactor>, int> Reactor::make(Backend backend, ReactorClient& client) {
  if (backend != Backend::kEpoll) {
    auto uring = make_uring_reactor(client);
    if (uring || backend == Backend::kUring) return uring;
  }
  return make_epoll_reactor(client);
}

Reactor::~Reactor() {
  for (Slot& slot : slots_) {
    if (slot.fd >= 0) ::close(slot.fd);
  }
  for (Listener& listener : listeners_) {
    if (listener.fd >= 0) ::close(listener.fd);
  }
}

void Reactor::refresh_clock() {
  const Now fresh = read_clock();
  now_.mono = std::max(now_.mono, fresh.mono);
  now_.wall = fresh.wall;
}

// ---- slots ------------------------------------------------------------------------------------------------------

Reactor::Slot* Reactor::find(ConnId conn) {
  if (!conn || conn.index >= by_conn_.size() || by_conn_[conn.index] == 0) return nullptr;
  Slot& slot = slots_[by_conn_[conn.index] - 1];
  return slot.conn == conn ? &slot : nullptr;
}

int Reactor::descriptor(ConnId conn) const {
  if (conn.index >= by_conn_.size() || by_conn_[conn.index] == 0) return -1;
  const Slot& slot = slots_[by_conn_[conn.index] - 1];
  return slot.conn == conn ? slot.fd : -1;
}

Reactor::Slot& Reactor::new_slot(ConnId conn, int fd, Phase phase) {
  HF_ASSERT(conn);
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back().index = free_slots_.back();
  }
  Slot& slot = slots_[free_slots_.back()];
  free_slots_.pop_back();
  HF_ASSERT(slot.phase == Phase::kFree);
  slot.fd = fd;
  slot.conn = conn;
  slot.phase = phase;
  if (conn.index >= by_conn_.size()) by_conn_.resize(conn.index + 1, 0);
  HF_ASSERT(by_conn_[conn.index] == 0);  // the client reuses an index only after the id before it is dead
  by_conn_[conn.index] = slot.index + 1;
  ++live_;
  return slot;
}

/// The client's name for the connection ends here.
void Reactor::forget(Slot& slot) {
  if (!slot.conn) return;
  by_conn_[slot.conn.index] = 0;
  slot.conn = {};
}

void Reactor::close_slot(Slot& slot) {
  HF_ASSERT(slot.phase != Phase::kFree && slot.in_flight == 0);
  if (slot.fd >= 0) ::close(slot.fd);
  forget(slot);
  const uint32_t index = slot.index;
  const uint32_t generation = slot.generation + 1;
  slot = Slot{};
  slot.index = index;
  slot.generation = generation == 0 ? 1 : generation;
  free_slots_.push_back(index);
  --live_;
}

// ---- the client's side ------------------------------------------------------------------------------------------

void Reactor::add_listener(ListenerId listener, int fd) {
  auto at = std::find_if(listeners_.begin(), listeners_.end(), [](const Listener& l) { return l.fd < 0; });
  if (at == listeners_.end()) {
    listeners_.emplace_back();
    at = std::prev(listeners_.end());
    at->index = static_cast<uint32_t>(listeners_.size() - 1);
  }
  at->id = listener;
  at->fd = fd;
  at->closing = false;
  arm_listener(*at);
}

void Reactor::remove_listener(ListenerId listener) {
  for (Listener& at : listeners_) {
    if (at.fd >= 0 && !at.closing && at.id == listener) disarm_listener(at);
  }
}

std::vector<int> Reactor::listener_descriptors() const {
  std::vector<int> out;
  for (const Listener& at : listeners_) {
    if (at.fd >= 0 && !at.closing) out.push_back(at.fd);
  }
  return out;
}

void Reactor::adopt(ConnId conn, int fd) {
  const int error = start_reading(new_slot(conn, fd, Phase::kOpen));
  if (error != 0) refused_.push_back({conn, error});
}

void Reactor::connect(ConnId conn, int fd, const SockAddr& to, bool datagram) {
  Slot& slot = new_slot(conn, fd, Phase::kConnecting);
  slot.hangup = datagram;
  const int error = start_connect(slot, to);
  if (error != 0) refused_.push_back({conn, error});
}

void Reactor::connect_failed(ConnId conn, int error) {
  new_slot(conn, -1, Phase::kConnecting);
  refused_.push_back({conn, error});
}

void Reactor::mark_flush(Slot& slot) {
  if (slot.flush_marked) return;
  slot.flush_marked = true;
  flushes_.push_back(slot.index);
}

void Reactor::flush(ConnId conn) {
  if (Slot* slot = find(conn); slot != nullptr && slot->phase == Phase::kOpen) mark_flush(*slot);
}

void Reactor::pause(ConnId conn, bool paused) {
  Slot* slot = find(conn);
  if (slot == nullptr || slot->paused == paused) return;
  slot->paused = paused;
  if (slot->phase == Phase::kOpen) pause_changed(*slot);
}

void Reactor::shutdown_write(ConnId conn) {
  Slot* slot = find(conn);
  if (slot == nullptr || slot->shutdown_wanted) return;
  slot->shutdown_wanted = true;
  if (slot->phase == Phase::kOpen) mark_flush(*slot);
}

void Reactor::close(ConnId conn, action::CloseMode mode) {
  Slot* slot = find(conn);
  if (slot == nullptr) return;
  const bool flush_first = mode == action::CloseMode::kFlush && slot->phase == Phase::kOpen && !slot->write_ended;
  // A send may be under way inside the kernel: its bytes must outlive the machine's connection.
  if (flush_first || slot->sending) slot->own = std::move(client_->output(conn));
  forget(*slot);
  if (flush_first) {
    begin_linger(*slot);
    return;
  }
  if (mode == action::CloseMode::kReset && slot->fd >= 0) set_reset_on_close(slot->fd);
  if (slot->fd < 0) {
    close_slot(*slot);
    return;
  }
  release(*slot);
}

// ---- closing with care ------------------------------------------------------------------------------------------

void Reactor::begin_linger(Slot& slot) {
  slot.phase = Phase::kFlushing;
  slot.linger_deadline = now_.mono + linger_max_;
  lingering_.push_back(slot.index);
  if (slot.paused) {
    slot.paused = false;
    pause_changed(slot);
  }
  mark_flush(slot);
}

/// Every byte is out: FIN, then stay only if the peer is still talking. Closing over unread input sends RST, and an
/// RST makes the peer drop what it has not read yet, which is the error message we just sent.
void Reactor::advance_linger(Slot& slot) {
  HF_ASSERT(slot.phase == Phase::kFlushing && slot.own.empty());
  finish_write_side(slot);
  char byte = 0;
  const bool talking =
      !slot.read_ended && (slot.discarded_input || recv(slot.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0);
  if (!talking) {
    release(slot);
    return;
  }
  slot.phase = Phase::kDiscarding;
  slot.linger_deadline = std::min(slot.linger_deadline, now_.mono + kDiscardMax);
}

void Reactor::finish_write_side(Slot& slot) {
  if (slot.write_ended) return;
  slot.write_ended = true;
  ::shutdown(slot.fd, SHUT_WR);
}

void Reactor::expire_lingering() {
  for (size_t i = 0; i < lingering_.size();) {
    Slot& slot = slots_[lingering_[i]];
    const bool lingers = slot.phase == Phase::kFlushing || slot.phase == Phase::kDiscarding;
    if (lingers && now_.mono < slot.linger_deadline) {
      ++i;
      continue;
    }
    if (lingers) release(slot);
    lingering_[i] = lingering_.back();
    lingering_.pop_back();
  }
}

// ---- what backends report ---------------------------------------------------------------------------------------

void Reactor::report_accepted(Listener& listener, int fd) {
  if (listener.closing) {
    ::close(fd);
    return;
  }
  client_->on_accepted(listener.id, fd);
}

int Reactor::accept_all(Listener& listener, int flags) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int fd = accept4(listener.fd, nullptr, nullptr, flags);
    if (fd >= 0) {
      report_accepted(listener, fd);
      if (listener.fd < 0) return 0;
      continue;
    }
    if (errno == EAGAIN) return 0;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return errno;
    // ECONNABORTED and its like concern one peer only
  }
  return 0;
}

void Reactor::report_accept_failed(Listener& listener, int error) {
  const bool exhausted = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
  listener.armed = false;
  if (listener.closing) return;
  if (exhausted) {
    accept_again_ = now_.mono + kAcceptRest;
  } else {
    arm_listener(listener);
  }
}

void Reactor::resume_listeners() {
  if (now_.mono < accept_again_) return;
  accept_again_ = kNever;
  for (Listener& listener : listeners_) {
    if (listener.fd >= 0 && !listener.closing && !listener.armed) arm_listener(listener);
  }
}

void Reactor::report_connected(Slot& slot) {
  HF_ASSERT(slot.phase == Phase::kConnecting);
  const ConnId conn = slot.conn;
  slot.phase = Phase::kOpen;
  if (const int error = start_reading(slot); error != 0) {
    report_failed(slot, error);
    return;
  }
  client_->on_connected(conn);
  if (slot.conn == conn) mark_flush(slot);  // output queued while connecting was announced too early to be written
}

void Reactor::report_received(Slot& slot, std::string_view bytes) {
  if (slot.phase == Phase::kOpen) {
    client_->on_received(slot.conn, bytes);
  } else {
    slot.discarded_input = true;
  }
}

void Reactor::report_eof(Slot& slot) {
  if (slot.read_ended) return;
  slot.read_ended = true;
  if (slot.phase == Phase::kDiscarding) {
    release(slot);
    return;
  }
  if (slot.phase != Phase::kOpen) return;
  if (client_->half_open(slot.conn)) {
    client_->on_eof(slot.conn);
    return;
  }
  const ConnId conn = slot.conn;
  OutQueue& queue = client_->output(conn);
  const bool replies_left = !queue.empty() && !slot.write_ended;
  if (replies_left || slot.sending) slot.own = std::move(queue);
  forget(slot);
  if (replies_left) {
    begin_linger(slot);  // a client that sent its last command and FIN still reads the reply
  } else {
    release(slot);
  }
  client_->on_closed(conn, 0);
}

void Reactor::report_failed(Slot& slot, int error) {
  const ConnId conn = slot.conn;
  if (conn && slot.sending) slot.own = std::move(client_->output(conn));
  forget(slot);
  if (slot.fd < 0) {
    close_slot(slot);
  } else {
    release(slot);
  }
  if (conn) client_->on_closed(conn, error);
}

void Reactor::report_written(Slot& slot, OutQueue& queue, size_t bytes) {
  queue.consume(bytes);
  if (slot.phase == Phase::kFlushing) {
    if (queue.empty()) advance_linger(slot);
    return;
  }
  if (slot.phase != Phase::kOpen) return;
  if (queue.empty()) {
    slot.stalled_size = 0;
    if (slot.shutdown_wanted) finish_write_side(slot);
    client_->on_drained(slot.conn);
    return;
  }
  if (slot.stalled_size == 0) {
    slot.stalled_size = queue.size();
  } else if (queue.size() < slot.stalled_size / 2) {
    slot.stalled_size = queue.size();
    client_->on_drained(slot.conn);
  }
}

// ---- the turn ---------------------------------------------------------------------------------------------------

Mono Reactor::nearest(Mono deadline) const {
  if (!flushes_.empty() || !refused_.empty() || has_ready()) return Mono::min();
  for (const uint32_t index : lingering_) deadline = std::min(deadline, slots_[index].linger_deadline);
  return std::min(deadline, accept_again_);
}

void Reactor::flush_all() {
  flushing_.swap(flushes_);
  for (const uint32_t index : flushing_) {
    Slot& slot = slots_[index];
    slot.flush_marked = false;
    if (slot.phase != Phase::kOpen && slot.phase != Phase::kFlushing) continue;
    if (slot.stalled || slot.sending || slot.write_ended) continue;  // goes on when the kernel has room
    OutQueue& queue = queue_of(slot);
    if (!queue.empty()) {
      write(slot, queue);
    } else if (slot.phase == Phase::kFlushing) {
      advance_linger(slot);
    } else if (slot.shutdown_wanted) {
      finish_write_side(slot);
    }
  }
  flushing_.clear();
}

void Reactor::write_marked_now() {
  for (const uint32_t index : std::exchange(flushes_, {})) {
    Slot& slot = slots_[index];
    slot.flush_marked = false;
    if ((slot.phase != Phase::kOpen && slot.phase != Phase::kFlushing) || slot.sending) continue;
    OutQueue& queue = queue_of(slot);
    std::string_view view;
    while (queue.peek({&view, 1}) == 1) {
      const ssize_t n = send(slot.fd, view.data(), view.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n <= 0) break;
      queue.consume(static_cast<size_t>(n));
    }
  }
}

Duration Reactor::time_until(Mono deadline) {
  if (deadline == kNever) return Duration::max();
  if (deadline == Mono::min()) return Duration(0);
  return std::max(Duration(0), Duration(deadline - read_monotonic()));
}

void Reactor::report_refused() {
  for (const Refused& refused : std::exchange(refused_, {})) {
    if (Slot* slot = find(refused.conn)) report_failed(*slot, refused.error);
  }
}

void Reactor::turn(Mono deadline) {
  flush_all();
  wait(nearest(deadline));
  if (!refused_.empty()) report_refused();
  if (!lingering_.empty()) expire_lingering();
  if (accept_again_ != kNever) resume_listeners();
}

}  // namespace holdfast::net
