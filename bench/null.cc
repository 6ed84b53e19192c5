// The floor of the server's figures: reads requests, finds or stores a string, answers; nothing else. One thread, one
// io_uring with multishot receive into provided buffers, sends batched per turn. No errors, no expiry, no memory bound:
// a measure, not a server.
//
//   null --port 6379
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr unsigned kEntries = 256;
constexpr unsigned kBuffers = 64;
constexpr unsigned kBufferSize = 16 * 1024;
constexpr uint64_t kAccept = UINT64_MAX;
constexpr uint64_t kSend = uint64_t{1} << 32;

[[noreturn]] void die(const char* text, int error) {
  std::fprintf(stderr, "null: %s: %s\n", text, std::strerror(error));
  std::exit(1);
}

/// Open addressing over records `[key length][value length][key][value]`.
class Map {
 public:
  Map() : slots_(size_t{1} << 22) {}

  void set(std::string_view key, std::string_view value) {
    char*& slot = place(key);
    if (slot == nullptr || sizes(slot)[1] != value.size()) {
      std::free(slot);
      slot = static_cast<char*>(std::malloc(2 * sizeof(uint32_t) + key.size() + value.size()));
      sizes(slot)[0] = static_cast<uint32_t>(key.size());
      sizes(slot)[1] = static_cast<uint32_t>(value.size());
      std::memcpy(bytes(slot), key.data(), key.size());
    }
    std::memcpy(bytes(slot) + key.size(), value.data(), value.size());
  }
  /// Null data if absent.
  std::string_view get(std::string_view key) {
    char* const slot = place(key);
    return slot == nullptr ? std::string_view() : std::string_view(bytes(slot) + key.size(), sizes(slot)[1]);
  }

 private:
  static uint32_t* sizes(char* record) { return reinterpret_cast<uint32_t*>(record); }
  static char* bytes(char* record) { return record + 2 * sizeof(uint32_t); }
  char*& place(std::string_view key) {
    size_t at = std::hash<std::string_view>()(key);
    while (true) {
      char*& slot = slots_[at++ & (slots_.size() - 1)];
      if (slot == nullptr || std::string_view(bytes(slot), sizes(slot)[0]) == key) return slot;
    }
  }
  std::vector<char*> slots_;
};

struct Connection {
  std::string in;       // an incomplete request
  std::string out;      // collected
  std::string sending;  // with the kernel
  bool in_flight = false;
  bool listed = false;
};

class Null {
 public:
  explicit Null(int port) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    const int one = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<uint16_t>(port));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(listener_, 512) != 0) {
      die("listen", errno);
    }
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    if (const int error = io_uring_queue_init_params(kEntries, &ring_, &params); error < 0) die("io_uring", -error);
    void* const place =
        mmap(nullptr, kBuffers * sizeof(io_uring_buf), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) die("mmap", errno);
    buffers_ = static_cast<io_uring_buf_ring*>(place);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<uint64_t>(place);
    registration.ring_entries = kBuffers;
    if (const int error = io_uring_register_buf_ring(&ring_, &registration, 0); error < 0) die("buffer ring", -error);
    io_uring_buf_ring_init(buffers_);
    memory_ = std::make_unique<char[]>(size_t{kBuffers} * kBufferSize);
    for (unsigned i = 0; i < kBuffers; ++i) recycle(i);
    io_uring_sqe* sqe = next_sqe(kAccept);
    io_uring_prep_multishot_accept(sqe, listener_, nullptr, nullptr, 0);
    io_uring_sqe_set_data64(sqe, kAccept);
  }

  [[noreturn]] void run() {
    while (true) {
      for (const int fd : written_) flush(fd);
      written_.clear();
      if (const int n = io_uring_submit_and_wait(&ring_, 1); n < 0 && n != -EINTR) die("wait", -n);
      io_uring_cqe* cqe = nullptr;
      unsigned head = 0;
      unsigned seen = 0;
      io_uring_for_each_cqe(&ring_, head, cqe) {
        ++seen;
        dispatch(*cqe);
      }
      io_uring_cq_advance(&ring_, seen);
    }
  }

 private:
  io_uring_sqe* next_sqe(uint64_t data) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) {
      io_uring_submit(&ring_);
      sqe = io_uring_get_sqe(&ring_);
    }
    io_uring_sqe_set_data64(sqe, data);
    return sqe;
  }
  void recycle(unsigned buffer) {
    io_uring_buf_ring_add(buffers_, memory_.get() + size_t{buffer} * kBufferSize, kBufferSize,
                          static_cast<unsigned short>(buffer), io_uring_buf_ring_mask(kBuffers), 0);
    io_uring_buf_ring_advance(buffers_, 1);
  }
  void receive(int fd) {
    io_uring_sqe* sqe = next_sqe(0);
    io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
    io_uring_sqe_set_data64(sqe, static_cast<uint64_t>(fd));
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
  }
  void flush(int fd) {
    Connection& connection = *connections_[static_cast<size_t>(fd)];
    connection.listed = false;
    if (connection.in_flight || connection.out.empty()) return;
    connection.sending.swap(connection.out);
    connection.out.clear();
    connection.in_flight = true;
    io_uring_sqe* sqe = next_sqe(0);
    io_uring_prep_send(sqe, fd, connection.sending.data(), connection.sending.size(), MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_data64(sqe, kSend | static_cast<uint64_t>(fd));
  }
  void dispatch(const io_uring_cqe& cqe) {
    const uint64_t data = io_uring_cqe_get_data64(&cqe);
    if (data == kAccept) {
      if (cqe.res >= 0) accepted(cqe.res);
      return;
    }
    const int fd = static_cast<int>(data & UINT32_MAX);
    if ((data & kSend) != 0) {
      connections_[static_cast<size_t>(fd)]->in_flight = false;
      list(fd);
      return;
    }
    if (cqe.res <= 0 && cqe.res != -ENOBUFS) {
      ::close(fd);
      return;
    }
    if (cqe.res > 0) {
      const unsigned buffer = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
      received(fd, {memory_.get() + size_t{buffer} * kBufferSize, static_cast<size_t>(cqe.res)});
      recycle(buffer);
    }
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) receive(fd);
  }
  void accepted(int fd) {
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connections_.size() <= static_cast<size_t>(fd)) connections_.resize(static_cast<size_t>(fd) + 1);
    connections_[static_cast<size_t>(fd)] = std::make_unique<Connection>();
    receive(fd);
  }
  void list(int fd) {
    Connection& connection = *connections_[static_cast<size_t>(fd)];
    if (!connection.listed) written_.push_back(fd);
    connection.listed = true;
  }
  void received(int fd, std::string_view bytes) {
    Connection& connection = *connections_[static_cast<size_t>(fd)];
    if (!connection.in.empty()) {
      connection.in.append(bytes);
      bytes = connection.in;
    }
    size_t used = 0;
    while (const size_t size = serve(bytes.substr(used), connection.out)) used += size;
    const std::string rest(bytes.substr(used));
    connection.in = rest;
    list(fd);
  }
  /// One request; its size, 0 if it is incomplete.
  size_t serve(std::string_view bytes, std::string& out) {
    std::string_view words[3];
    size_t at = 0;
    const auto number = [&]() -> int64_t {
      int64_t value = 0;
      for (++at; at < bytes.size() && bytes[at] != '\r'; ++at) value = value * 10 + (bytes[at] - '0');
      at += 2;
      return at <= bytes.size() ? value : -1;
    };
    if (bytes.empty()) return 0;
    const int64_t count = number();
    if (count < 0) return 0;
    for (int64_t i = 0; i < count; ++i) {
      if (at >= bytes.size()) return 0;
      const int64_t length = number();
      if (length < 0 || bytes.size() < at + static_cast<size_t>(length) + 2) return 0;
      if (i < 3) words[i] = bytes.substr(at, static_cast<size_t>(length));
      at += static_cast<size_t>(length) + 2;
    }
    if (words[0] == "SET") {
      map_.set(words[1], words[2]);
      out += "+OK\r\n";
    } else if (words[0] == "GET") {
      const std::string_view value = map_.get(words[1]);
      if (value.data() == nullptr) {
        out += "$-1\r\n";
      } else {
        out += '$';
        out += std::to_string(value.size());
        out += "\r\n";
        out += value;
        out += "\r\n";
      }
    } else {
      out += "+PONG\r\n";
    }
    return at;
  }

  int listener_ = -1;
  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
  std::unique_ptr<char[]> memory_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<int> written_;
  Map map_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--port") {
    std::fputs("usage: null --port PORT\n", stderr);
    return 2;
  }
  Null(std::atoi(argv[2])).run();
}
