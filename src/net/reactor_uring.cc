// The io_uring backend: one system call per turn submits every send and collects every completion.
//
// Multishot receive into a ring of provided buffers; sends point into the output queues, which stay alive until their
// completion. Needs Linux 6.1 (DEFER_TASKRUN); older kernels get epoll. A socket is closed only when no operation on it
// is outstanding (Slot::in_flight).
// tidy: long because every operation of a slot ends in the same accounting, which is read as one.
#include <liburing.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "net/reactor.h"

namespace holdfast::net {
namespace {

// The rings are no longer than keeps them in the first-level cache. The kernel stores completions that do not fit.
constexpr unsigned kEntries = 256;
constexpr unsigned kCompletions = 2048;
constexpr unsigned kBuffers = 128;  // a power of two
constexpr unsigned kBufferSize = 16 * 1024;
constexpr unsigned kBufferStride = kBufferSize + 5 * 64;  // so that their first lines do not share one cache set
// How many buffers the kernel has: it uses them in turn, and the fewer there are the warmer they stay.
constexpr unsigned kSupplyLeast = 16;
constexpr unsigned kSupplyTurns = 1024;  // turns between two looks at how many are used
// A multishot receive ends after so many bytes: what arrives before a pause takes effect has to be held here.
constexpr unsigned kReceiveMost = 64 * 1024;
// Up to so many sends of one turn go out by plain calls: completions, and entering the ring again, cost more.
constexpr size_t kDirectSends = 4;
constexpr unsigned kGroup = 0;
constexpr size_t kViews = 32;

enum class Op : uint8_t { kNone, kReceive, kSend, kConnect, kAccept, kWatch };

uint64_t tag(Op op, uint32_t index) { return (static_cast<uint64_t>(op) << 56) | index; }

/// What must stay in place while the kernel reads it; only connections that need it have one.
struct Side {
  msghdr message{};
  std::array<iovec, kViews> pieces{};
  SockAddr to;
};

struct Watch {
  int fd = -1;
  bool armed = false;
};

class UringReactor final : public Reactor {
 public:
  explicit UringReactor(ReactorClient& client) : Reactor(client) {}
  ~UringReactor() override;
  int open();

  std::string_view name() const override { return "io_uring"; }
  void watch(int fd) override;
  void unwatch(int fd) override;

 protected:
  void arm_listener(Listener& listener) override;
  void disarm_listener(Listener& listener) override;
  int start_connect(Slot& slot, const SockAddr& to) override;
  int start_reading(Slot& slot) override;
  void pause_changed(Slot& slot) override;
  void write(Slot& slot, OutQueue& queue) override;
  void release(Slot& slot) override;
  void wait(Mono deadline) override;
  bool has_ready() const override { return !resumed_.empty(); }

 private:
  io_uring_sqe* next_sqe(uint64_t user_data);
  char* buffer_at(unsigned buffer) { return memory_ + static_cast<size_t>(buffer) * kBufferStride; }
  void supply(unsigned buffer);
  void recycle(unsigned buffer);
  void raise_supply();
  void review_supply();
  void arm_watch(uint32_t index);
  void cancel_receive(Slot& slot);
  Side& side_of(const Slot& slot);
  void drop_side(const Slot& slot);
  bool send_directly(Slot& slot, OutQueue& queue);
  void deliver_held();
  void deliver(Slot& slot, std::string_view bytes);
  void dispatch(uint64_t user_data, int result, unsigned flags);
  void received(Slot& slot, int result, unsigned flags);
  void sent(Slot& slot, int result);
  void connect_done(Slot& slot, int result);
  void arm_listeners_poll();
  void accept_ready();
  void operation_over(Slot& slot);

  io_uring ring_{};
  bool ring_open_ = false;
  bool receive_most_works_ = true;  // since Linux 6.17
  io_uring_buf_ring* buffers_ = nullptr;
  char* memory_ = nullptr;
  std::vector<uint16_t> spare_;  // buffers the kernel does not have; the warmest last
  unsigned supplied_ = 0;        // buffers the kernel has
  unsigned supply_ = kSupplyLeast;
  unsigned used_this_turn_ = 0, used_most_ = 0;  // the most since the last review
  unsigned turns_left_ = kSupplyTurns;
  std::vector<std::unique_ptr<Side>> sides_;
  std::deque<Watch> watches_;
  int listeners_poll_ = -1;  // an epoll set
  bool listeners_poll_armed_ = false;
  std::vector<std::pair<uint32_t, uint32_t>> resumed_;  // slot index, generation
};

int UringReactor::open() {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = kCompletions;
  if (const int error = io_uring_queue_init_params(kEntries, &ring_, &params); error < 0) return -error;
  ring_open_ = true;
  listeners_poll_ = epoll_create1(EPOLL_CLOEXEC);
  if (listeners_poll_ < 0) return errno;
  io_uring_register_ring_fd(&ring_);  // only saves time; the plain descriptor works too

  const size_t ring_bytes = kBuffers * sizeof(io_uring_buf);
  const size_t bytes = ring_bytes + static_cast<size_t>(kBuffers) * kBufferStride;
  void* place = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return errno;
  buffers_ = static_cast<io_uring_buf_ring*>(place);
  memory_ = static_cast<char*>(place) + ring_bytes;
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(buffers_);
  registration.ring_entries = kBuffers;
  registration.bgid = kGroup;
  if (const int error = io_uring_register_buf_ring(&ring_, &registration, 0); error < 0) return -error;
  io_uring_buf_ring_init(buffers_);
  spare_.reserve(kBuffers);
  for (unsigned i = 0; i < kBuffers; ++i) recycle(i);
  return 0;
}

UringReactor::~UringReactor() {
  if (ring_open_) io_uring_queue_exit(&ring_);
  if (listeners_poll_ >= 0) ::close(listeners_poll_);
  if (buffers_ != nullptr) munmap(buffers_, kBuffers * (sizeof(io_uring_buf) + static_cast<size_t>(kBufferStride)));
}

io_uring_sqe* UringReactor::next_sqe(uint64_t user_data) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (sqe == nullptr) {
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
  }
  // The prep functions leave user_data alone, so it can be set first.
  io_uring_sqe_set_data64(sqe, user_data);
  return sqe;
}

// ---- receive buffers --------------------------------------------------------------------------------------------

void UringReactor::supply(unsigned buffer) {
  io_uring_buf_ring_add(buffers_, buffer_at(buffer), kBufferSize, static_cast<unsigned short>(buffer),
                        io_uring_buf_ring_mask(kBuffers), 0);
  io_uring_buf_ring_advance(buffers_, 1);
  ++supplied_;
}

void UringReactor::recycle(unsigned buffer) {
  if (supplied_ < supply_) return supply(buffer);
  spare_.push_back(static_cast<uint16_t>(buffer));
}

/// A receive found no buffer.
void UringReactor::raise_supply() {
  used_most_ = supply_ = kBuffers;
  for (; !spare_.empty(); spare_.pop_back()) supply(spare_.back());
}

void UringReactor::review_supply() {
  used_most_ = std::max(used_most_, std::exchange(used_this_turn_, 0));
  if (--turns_left_ > 0) return;
  turns_left_ = kSupplyTurns;
  supply_ = std::clamp(std::exchange(used_most_, 0) * 2, kSupplyLeast, kBuffers);
  for (; supplied_ < supply_ && !spare_.empty(); spare_.pop_back()) supply(spare_.back());
}

Side& UringReactor::side_of(const Slot& slot) {
  if (slot.index >= sides_.size()) sides_.resize(slot.index + 1);
  if (!sides_[slot.index]) sides_[slot.index] = std::make_unique<Side>();
  return *sides_[slot.index];
}

void UringReactor::drop_side(const Slot& slot) {
  if (slot.index < sides_.size()) sides_[slot.index].reset();
}

// ---- watches and listeners --------------------------------------------------------------------------------------

void UringReactor::watch(int fd) {
  uint32_t index = 0;
  while (index < watches_.size() && (watches_[index].fd >= 0 || watches_[index].armed)) ++index;
  if (index == watches_.size()) watches_.emplace_back();
  watches_[index].fd = fd;
  arm_watch(index);
}

void UringReactor::arm_watch(uint32_t index) {
  watches_[index].armed = true;
  io_uring_prep_poll_add(next_sqe(tag(Op::kWatch, index)), watches_[index].fd, POLLIN);
}

void UringReactor::unwatch(int fd) {
  for (uint32_t index = 0; index < watches_.size(); ++index) {
    Watch& watch = watches_[index];
    if (watch.fd != fd) continue;
    watch.fd = -1;
    if (watch.armed) io_uring_prep_poll_remove(next_sqe(0), tag(Op::kWatch, index));
  }
}

// Listeners are watched by an epoll set that the ring polls. The ring holds a reference to what it works on until its
// asynchronous end: were that a listener, its port would stay taken for a moment after the process was killed, and an
// immediate restart would fail.
void UringReactor::arm_listener(Listener& listener) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = listener.index;
  listener.armed = epoll_ctl(listeners_poll_, EPOLL_CTL_ADD, listener.fd, &event) == 0;
  arm_listeners_poll();
}

void UringReactor::arm_listeners_poll() {
  if (listeners_poll_armed_) return;
  listeners_poll_armed_ = true;
  io_uring_prep_poll_add(next_sqe(tag(Op::kAccept, 0)), listeners_poll_, POLLIN);
}

void UringReactor::disarm_listener(Listener& listener) {
  listener.closing = true;
  listener.armed = false;
  epoll_ctl(listeners_poll_, EPOLL_CTL_DEL, listener.fd, nullptr);  // another process may hold it open (handover.h)
  ::close(std::exchange(listener.fd, -1));
}

void UringReactor::accept_ready() {
  listeners_poll_armed_ = false;
  std::array<epoll_event, 16> events;
  const int count = epoll_wait(listeners_poll_, events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    Listener& listener = listeners_[events[static_cast<size_t>(i)].data.u32];
    if (listener.fd < 0) continue;
    // Blocking descriptors: io_uring answers EAGAIN for others instead of waiting.
    if (const int error = accept_all(listener, SOCK_CLOEXEC); error != 0) {
      epoll_ctl(listeners_poll_, EPOLL_CTL_DEL, listener.fd, nullptr);
      report_accept_failed(listener, error);
    }
  }
  arm_listeners_poll();
}

// ---- connections ------------------------------------------------------------------------------------------------

int UringReactor::start_connect(Slot& slot, const SockAddr& to) {
  Side& side = side_of(slot);
  side.to = to;
  ++slot.in_flight;
  io_uring_prep_connect(next_sqe(tag(Op::kConnect, slot.index)), slot.fd, &side.to.base, side.to.length);
  return 0;
}

int UringReactor::start_reading(Slot& slot) {
  if (slot.receiving || slot.paused || slot.read_ended || slot.held_eof) return 0;
  slot.receiving = true;
  slot.cancelling = false;
  ++slot.in_flight;
  io_uring_sqe* sqe = next_sqe(tag(Op::kReceive, slot.index));
  // Without a bound, who has once filled a whole buffer gets one buffer at a time.
  io_uring_prep_recv(sqe, slot.fd, nullptr, 0, 0);
  if (receive_most_works_ || !slot.bulk) sqe->ioprio |= IORING_RECV_MULTISHOT;
  if (receive_most_works_) sqe->file_index = kReceiveMost;  // `optlen`, which our headers do not know by name
  io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
  sqe->buf_group = kGroup;
  return 0;
}

void UringReactor::cancel_receive(Slot& slot) {
  if (!slot.receiving || slot.cancelling) return;
  slot.cancelling = true;
  io_uring_prep_cancel64(next_sqe(0), tag(Op::kReceive, slot.index), 0);
}

void UringReactor::pause_changed(Slot& slot) {
  if (slot.paused) {
    cancel_receive(slot);
    return;
  }
  start_reading(slot);  // if the cancelled receive has not ended yet, its end starts the next
  if (slot.held != nullptr || slot.held_eof) resumed_.emplace_back(slot.index, slot.generation);
}

/// True if nothing is left to ask the ring for. Errors are left to the ring: it reports them in the next turn.
bool UringReactor::send_directly(Slot& slot, OutQueue& queue) {
  std::string_view view;
  queue.peek({&view, 1});
  if (view.size() != queue.size()) return false;
  const ssize_t n = ::send(slot.fd, view.data(), view.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n <= 0) return false;
  const bool whole = static_cast<size_t>(n) == view.size();
  report_written(slot, queue, static_cast<size_t>(n));
  return whole;
}

void UringReactor::write(Slot& slot, OutQueue& queue) {
  if (flushing_count() <= kDirectSends) {
    const uint32_t generation = slot.generation;
    if (send_directly(slot, queue)) return;
    // The client was told of progress and may have acted on it.
    if (slot.generation != generation || (slot.phase != Phase::kOpen && slot.phase != Phase::kFlushing)) return;
  }
  std::array<std::string_view, kViews> views;
  const size_t count = queue_of(slot).peek(views);
  if (count == 0) return;
  slot.sending = true;
  ++slot.in_flight;
  io_uring_sqe* sqe = next_sqe(tag(Op::kSend, slot.index));
  if (count == 1) {
    io_uring_prep_send(sqe, slot.fd, views[0].data(), views[0].size(), MSG_NOSIGNAL);
    return;
  }
  Side& side = side_of(slot);
  for (size_t i = 0; i < count; ++i) side.pieces[i] = {const_cast<char*>(views[i].data()), views[i].size()};
  side.message.msg_iov = side.pieces.data();
  side.message.msg_iovlen = count;
  io_uring_prep_sendmsg(sqe, slot.fd, &side.message, MSG_NOSIGNAL);
}

void UringReactor::release(Slot& slot) {
  slot.phase = Phase::kReleasing;
  if (slot.in_flight == 0) {
    drop_side(slot);
    close_slot(slot);
    return;
  }
  io_uring_prep_cancel_fd(next_sqe(0), slot.fd, IORING_ASYNC_CANCEL_ALL);
}

void UringReactor::operation_over(Slot& slot) {
  HF_ASSERT(slot.in_flight > 0);
  --slot.in_flight;
  if (slot.phase == Phase::kReleasing && slot.in_flight == 0) {
    drop_side(slot);
    close_slot(slot);
  }
}

// ---- completions ------------------------------------------------------------------------------------------------

void UringReactor::wait(Mono deadline) {
  const Duration rest = time_until(deadline);
  if (rest == Duration(0)) {
    io_uring_submit_and_get_events(&ring_);
  } else {
    io_uring_cqe* first = nullptr;
    __kernel_timespec limit{rest.count() / 1'000'000, (rest.count() % 1'000'000) * 1000};
    io_uring_submit_and_wait_timeout(&ring_, &first, 1, rest == Duration::max() ? nullptr : &limit, nullptr);
  }
  refresh_clock();
  review_supply();
  if (!resumed_.empty()) deliver_held();
  // Only what is there now: completions that arrive while these are handled wait for the next turn.
  for (unsigned ready = io_uring_cq_ready(&ring_); ready > 0; --ready) {
    io_uring_cqe* cqe = nullptr;
    if (io_uring_peek_cqe(&ring_, &cqe) != 0) break;
    const io_uring_cqe copy = *cqe;
    io_uring_cqe_seen(&ring_, cqe);
    dispatch(copy.user_data, copy.res, copy.flags);
  }
}

void UringReactor::deliver_held() {
  for (const auto& [index, generation] : std::exchange(resumed_, {})) {
    Slot& slot = slots_[index];
    if (slot.generation == generation && !slot.paused && is_live(slot)) deliver(slot, {});
  }
}

/// Hands over what was held back, then `bytes`; while paused, holds them.
void UringReactor::deliver(Slot& slot, std::string_view bytes) {
  const uint32_t generation = slot.generation;
  if (slot.phase == Phase::kOpen && (slot.paused || slot.held != nullptr)) {
    if (slot.held == nullptr && !bytes.empty()) slot.held = std::make_unique<std::string>();
    if (!bytes.empty()) slot.held->append(bytes);
    if (slot.paused) return;
    if (const auto held = std::exchange(slot.held, {})) report_received(slot, *held);
  } else if (!bytes.empty()) {
    report_received(slot, bytes);
  }
  if (slot.generation != generation || !is_live(slot)) return;
  if (slot.held_eof && !slot.paused) {
    slot.held_eof = false;
    report_eof(slot);
  }
}

void UringReactor::dispatch(uint64_t user_data, int result, unsigned flags) {
  const uint32_t index = static_cast<uint32_t>(user_data);
  switch (static_cast<Op>(user_data >> 56)) {
    case Op::kNone:
      return;
    case Op::kReceive:
      return received(slots_[index], result, flags);
    case Op::kSend:
      return sent(slots_[index], result);
    case Op::kConnect:
      return connect_done(slots_[index], result);
    case Op::kAccept:
      return accept_ready();
    case Op::kWatch: {
      watches_[index].armed = false;
      const int fd = watches_[index].fd;
      if (fd < 0) return;
      client_->on_watched(fd);
      if (watches_[index].fd == fd && !watches_[index].armed) arm_watch(index);
      return;
    }
  }
}

void UringReactor::received(Slot& slot, int result, unsigned flags) {
  const uint32_t generation = slot.generation;
  const bool ended = (flags & IORING_CQE_F_MORE) == 0;
  if (ended) {
    slot.receiving = false;
    slot.cancelling = false;
  }
  const bool has_buffer = (flags & IORING_CQE_F_BUFFER) != 0;  // the end of the stream may come with one too
  const unsigned buffer = flags >> IORING_CQE_BUFFER_SHIFT;
  if (has_buffer) {
    --supplied_;
    ++used_this_turn_;
  }
  if (result > 0) {
    slot.bulk = slot.bulk || static_cast<unsigned>(result) == kBufferSize;
    if (is_live(slot)) deliver(slot, {buffer_at(buffer), static_cast<size_t>(result)});
  } else if (result == 0) {
    if (is_live(slot) && slot.paused && slot.phase == Phase::kOpen) {
      slot.held_eof = true;
    } else if (is_live(slot)) {
      report_eof(slot);
    }
  } else if (result == -EINVAL && receive_most_works_) {
    receive_most_works_ = false;
  } else if (result == -ENOBUFS) {
    raise_supply();
  } else if (result != -ECANCELED && result != -EINTR && result != -EAGAIN && is_live(slot)) {
    report_failed(slot, -result);
  }
  if (has_buffer) recycle(buffer);
  if (!ended) return;
  HF_ASSERT(slot.generation == generation);  // its own operation keeps it
  operation_over(slot);
  if (slot.generation == generation && is_live(slot) && !slot.held_eof) start_reading(slot);
}

void UringReactor::sent(Slot& slot, int result) {
  const uint32_t generation = slot.generation;
  slot.sending = false;
  drop_side(slot);
  if (is_live(slot)) {
    if (result < 0 && result != -EINTR && result != -EAGAIN) {
      report_failed(slot, -result);
    } else {
      OutQueue& queue = queue_of(slot);
      if (result > 0) report_written(slot, queue, static_cast<size_t>(result));
    }
  }
  HF_ASSERT(slot.generation == generation);
  operation_over(slot);
  const bool open = slot.generation == generation && (slot.phase == Phase::kOpen || slot.phase == Phase::kFlushing);
  if (open && !slot.sending && !queue_of(slot).empty()) mark_flush(slot);
}

void UringReactor::connect_done(Slot& slot, int result) {
  const uint32_t generation = slot.generation;
  drop_side(slot);
  if (is_live(slot)) {
    if (result < 0) {
      report_failed(slot, -result);
    } else {
      report_connected(slot);
    }
  }
  HF_ASSERT(slot.generation == generation);
  operation_over(slot);
}

}  // namespace

std::expected<std::unique_ptr<Reactor>, int> make_uring_reactor(ReactorClient& client) {
  auto reactor = std::make_unique<UringReactor>(client);
  if (const int error = reactor->open(); error != 0) return std::unexpected(error);
  return reactor;
}

}  // namespace holdfast::net
