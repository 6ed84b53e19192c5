// A closed-loop load on a Redis-protocol server: N connections, P requests in flight on each, GET and SET 4:1 over a
// keyspace. Prints one JSON line with the operations done and the seconds they took; CPU is measured by bench/run.py.
//
//   load --port 6379 --connections 50 --pipeline 16 --operations 1000000 [--keys 1000000] [--value 64] [--fill]
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "codec/resp/encode.h"
#include "codec/resp/reply.h"

namespace {

using namespace holdfast;

struct Options {
  int port = 6379;
  int connections = 50;
  int pipeline = 1;
  int64_t operations = 100000;
  uint64_t keys = 1000000;
  size_t value = 64;
  bool fill = false;
};

[[noreturn]] void die(std::string_view text) {
  std::fprintf(stderr, "load: %.*s: %s\n", static_cast<int>(text.size()), text.data(), std::strerror(errno));
  std::exit(1);
}

struct Connection {
  int fd = -1;
  std::string out;
  std::string in;
  int in_flight = 0;
  codec::ReplyFramer framer;
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options), prng_(1), value_(options.value, 'v') {}

  double run() {
    connect_all();
    const auto begin = std::chrono::steady_clock::now();
    for (Connection& connection : connections_) refill(connection);
    while (done_ < options_.operations) turn();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  void connect_all() {
    epoll_ = epoll_create1(0);
    connections_.resize(static_cast<size_t>(options_.connections));
    for (size_t i = 0; i < connections_.size(); ++i) {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(static_cast<uint16_t>(options_.port));
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      const int fd = socket(AF_INET, SOCK_STREAM, 0);
      const int on = 1;
      if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) die("connect");
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      connections_[i].fd = fd;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  void add_request(Connection& connection) {
    char key[32];
    const uint64_t number = options_.fill ? static_cast<uint64_t>(sent_) % options_.keys : prng_.below(options_.keys);
    const int size = std::snprintf(key, sizeof key, "key:%012llu", static_cast<unsigned long long>(number));
    const std::string_view name(key, static_cast<size_t>(size));
    if (options_.fill || sent_ % 5 == 4) {
      codec::append_request(connection.out, {"SET", name, value_});
    } else {
      codec::append_request(connection.out, {"GET", name});
    }
    ++sent_;
    ++connection.in_flight;
  }

  /// Sends the next batch once the last one is answered.
  void refill(Connection& connection) {
    while (connection.in_flight < options_.pipeline && sent_ < options_.operations) add_request(connection);
    std::string_view rest = connection.out;
    while (!rest.empty()) {
      const ssize_t n = send(connection.fd, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n < 0) die("send");
      rest.remove_prefix(static_cast<size_t>(n));
    }
    connection.out.clear();
  }

  void turn() {
    epoll_event events[64];
    const int count = epoll_wait(epoll_, events, 64, 5000);
    if (count <= 0) die("no reply within five seconds");
    for (int i = 0; i < count; ++i) receive(connections_[events[i].data.u64]);
  }

  void receive(Connection& connection) {
    char buffer[65536];
    const ssize_t n = recv(connection.fd, buffer, sizeof buffer, 0);
    if (n <= 0) die("recv");
    std::string_view data(buffer, static_cast<size_t>(n));
    if (!connection.in.empty()) {
      connection.in.append(data);
      data = connection.in;
    }
    size_t used = 0;
    while (connection.in_flight > 0 &&
           connection.framer.scan(data.substr(used)) == codec::ReplyFramer::Status::kComplete) {
      if (data[used] == '-') die("an error reply");
      used += connection.framer.length();
      connection.framer.reset();
      --connection.in_flight;
      ++done_;
    }
    std::string rest(data.substr(used));
    connection.in = std::move(rest);
    if (connection.in_flight == 0) refill(connection);
  }

  Options options_;
  Prng prng_;
  std::string value_;
  std::vector<Connection> connections_;
  int epoll_ = -1;
  int64_t sent_ = 0;
  int64_t done_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--fill") {
      options.fill = true;
      continue;
    }
    if (i + 1 == argc) die("an option without its value");
    const int64_t value = std::atoll(argv[++i]);
    if (name == "--port") options.port = static_cast<int>(value);
    if (name == "--connections") options.connections = static_cast<int>(value);
    if (name == "--pipeline") options.pipeline = static_cast<int>(value);
    if (name == "--operations") options.operations = value;
    if (name == "--keys") options.keys = static_cast<uint64_t>(value);
    if (name == "--value") options.value = static_cast<size_t>(value);
  }
  const double seconds = Load(options).run();
  fmt::print("{{\"operations\": {}, \"seconds\": {:.6f}}}\n", options.operations, seconds);
  return 0;
}
