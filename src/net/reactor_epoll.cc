// The epoll backend: edge-triggered, every socket registered once for its whole life.
//
// No epoll_ctl per request: reading stops by not reading, writing waits by remembering that the kernel was full. What
// an edge announced and was not read yet is kept in `ready_` and continued in the next turn.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "net/clock.h"
#include "net/reactor.h"

namespace holdfast::net {
namespace {

constexpr size_t kReadSize = 64 * 1024;
constexpr int kReadsPerTurn = 4;  // then the others get their share
constexpr size_t kEventsPerTurn = 256;
constexpr size_t kViews = 64;
constexpr uint32_t kWatchFlag = 0x80000000u;
constexpr uint32_t kSlotEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

class EpollReactor final : public Reactor {
 public:
  EpollReactor(ReactorClient& client, int fd) : Reactor(client), epoll_(fd), buffer_(new char[kReadSize]) {}
  ~EpollReactor() override { ::close(epoll_); }

  std::string_view name() const override { return "epoll"; }
  void watch(int fd) override { control(EPOLL_CTL_ADD, fd, EPOLLIN, kWatchFlag | static_cast<uint32_t>(fd)); }
  void unwatch(int fd) override { control(EPOLL_CTL_DEL, fd, 0, 0); }

 protected:
  void arm_listener(Listener& listener) override;
  void disarm_listener(Listener& listener) override;
  int start_connect(Slot& slot, const SockAddr& to) override;
  int start_reading(Slot& slot) override;
  void pause_changed(Slot& slot) override;
  void write(Slot& slot, OutQueue& queue) override;
  void release(Slot& slot) override { close_slot(slot); }
  void wait(Mono deadline) override;
  bool has_ready() const override { return !ready_.empty(); }

 private:
  int control(int operation, int fd, uint32_t events, uint64_t tag) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    return epoll_ctl(epoll_, operation, fd, &event) == 0 ? 0 : errno;
  }
  static uint64_t tag_of(const Slot& slot) { return (static_cast<uint64_t>(slot.generation) << 32) | slot.index; }
  void mark_ready(Slot& slot);
  void dispatch(const epoll_event& event);
  void socket_event(Slot& slot, uint32_t events);
  void read(Slot& slot);

  int epoll_;
  std::unique_ptr<char[]> buffer_;
  std::array<epoll_event, kEventsPerTurn> events_{};
  std::vector<uint64_t> ready_;    // tags of slots with something left to read
  std::vector<uint64_t> reading_;  // the same, being worked on
};

void EpollReactor::arm_listener(Listener& listener) {
  listener.armed = control(EPOLL_CTL_ADD, listener.fd, EPOLLIN, listener.index) == 0;
}

void EpollReactor::disarm_listener(Listener& listener) {
  // Another process may hold the same socket (a handover): closing alone would leave it in the set.
  epoll_ctl(epoll_, EPOLL_CTL_DEL, listener.fd, nullptr);
  ::close(std::exchange(listener.fd, -1));
  listener.armed = false;
}

int EpollReactor::start_connect(Slot& slot, const SockAddr& to) {
  set_nonblocking(slot.fd, true);
  if (::connect(slot.fd, &to.base, to.length) != 0 && errno != EINPROGRESS) return errno;
  slot.registered = true;
  return control(EPOLL_CTL_ADD, slot.fd, kSlotEvents, tag_of(slot));
}

int EpollReactor::start_reading(Slot& slot) {
  if (slot.registered) {  // since connect(): the edge that said "connected" may have announced bytes too
    slot.readable = true;
    if (!slot.paused) mark_ready(slot);
    return 0;
  }
  slot.registered = true;
  return control(EPOLL_CTL_ADD, slot.fd, kSlotEvents, tag_of(slot));
}

void EpollReactor::mark_ready(Slot& slot) {
  if (slot.ready_marked) return;
  slot.ready_marked = true;
  ready_.push_back(tag_of(slot));
}

void EpollReactor::pause_changed(Slot& slot) {
  if (!slot.paused && slot.readable) mark_ready(slot);
}

void EpollReactor::wait(Mono deadline) {
  const Duration rest = time_until(deadline);
  timespec limit{};
  const timespec* timeout = nullptr;
  if (rest != Duration::max()) {
    limit.tv_sec = rest.count() / 1'000'000;
    limit.tv_nsec = (rest.count() % 1'000'000) * 1000;
    timeout = &limit;
  }
  const int n = epoll_pwait2(epoll_, events_.data(), static_cast<int>(events_.size()), timeout, nullptr);
  refresh_clock();
  reading_.swap(ready_);
  for (int i = 0; i < n; ++i) dispatch(events_[static_cast<size_t>(i)]);
  for (const uint64_t tag : reading_) {
    Slot& slot = slots_[static_cast<uint32_t>(tag)];
    if (slot.generation != tag >> 32 || !slot.ready_marked) continue;
    slot.ready_marked = false;
    if (slot.readable && !slot.paused) read(slot);
  }
  reading_.clear();
}

void EpollReactor::dispatch(const epoll_event& event) {
  const uint32_t index = static_cast<uint32_t>(event.data.u64);
  const uint32_t generation = static_cast<uint32_t>(event.data.u64 >> 32);
  if (generation != 0) [[likely]] {
    Slot& slot = slots_[index];
    if (slot.generation == generation) socket_event(slot, event.events);
  } else if ((index & kWatchFlag) != 0) {
    client_->on_watched(static_cast<int>(index & ~kWatchFlag));
  } else if (listeners_[index].fd >= 0) {
    Listener& listener = listeners_[index];
    if (const int error = accept_all(listener, SOCK_NONBLOCK | SOCK_CLOEXEC); error != 0) {
      control(EPOLL_CTL_DEL, listener.fd, 0, 0);
      report_accept_failed(listener, error);
    }
  }
}

void EpollReactor::socket_event(Slot& slot, uint32_t events) {
  if (slot.phase == Phase::kConnecting) {
    const int error = take_error(slot.fd);
    if (error != 0) {
      report_failed(slot, error);
    } else if ((events & (EPOLLOUT | EPOLLHUP)) != 0) {
      report_connected(slot);
    }
    return;
  }
  if (slot.stalled && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
    slot.stalled = false;
    mark_flush(slot);
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) slot.hangup = true;
  slot.readable = true;
  if (slot.paused || slot.read_ended) {
    // Nobody reads, so nobody would see the reset.
    const int error = (events & EPOLLERR) != 0 ? take_error(slot.fd) : 0;
    if (error != 0) report_failed(slot, error);
    return;
  }
  read(slot);
}

void EpollReactor::read(Slot& slot) {
  const uint32_t generation = slot.generation;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t n = recv(slot.fd, buffer_.get(), kReadSize, 0);
    if (n > 0) [[likely]] {
      const bool drained = static_cast<size_t>(n) < kReadSize && !slot.hangup;
      if (drained) slot.readable = false;  // a new arrival is a new edge
      report_received(slot, {buffer_.get(), static_cast<size_t>(n)});
      if (slot.generation != generation || drained || slot.paused) return;
    } else if (n == 0) {
      slot.readable = false;
      report_eof(slot);
      return;
    } else if (errno == EAGAIN) {
      slot.readable = false;
      return;
    } else if (errno != EINTR) {
      report_failed(slot, errno);
      return;
    }
  }
  mark_ready(slot);
}

void EpollReactor::write(Slot& slot, OutQueue& queue) {
  std::array<std::string_view, kViews> views;
  std::array<iovec, kViews> pieces;
  const size_t count = queue.peek(views);
  size_t offered = 0;
  ssize_t n = 0;
  if (count == 1) {
    offered = views[0].size();
    n = send(slot.fd, views[0].data(), offered, MSG_NOSIGNAL);
  } else {
    for (size_t i = 0; i < count; ++i) {
      pieces[i] = {const_cast<char*>(views[i].data()), views[i].size()};
      offered += views[i].size();
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    n = sendmsg(slot.fd, &message, MSG_NOSIGNAL);
  }
  if (n < 0 && errno != EAGAIN && errno != EINTR) {
    report_failed(slot, errno);
    return;
  }
  const size_t taken = n < 0 ? 0 : static_cast<size_t>(n);
  if (n < 0 && errno == EINTR) {
    mark_flush(slot);
  } else if (taken < offered) {
    slot.stalled = true;
  } else if (offered < queue.size()) {
    mark_flush(slot);
  }
  report_written(slot, queue, taken);
}

}  // namespace

std::expected<std::unique_ptr<Reactor>, int> make_epoll_reactor(ReactorClient& client) {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return std::unexpected(errno);
  return std::make_unique<EpollReactor>(client, fd);
}

}  // namespace holdfast::net
