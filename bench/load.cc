// A closed-loop load on a Redis-protocol server: N connections, P requests in flight on each, GET and SET 4:1 over a
// keyspace. Prints one JSON line with the operations done and the seconds they took; CPU is measured by bench/run.py.
//
//   load --port 6379 --connections 50 --pipeline 16 --operations 1000000 [--keys 1000000] [--value 64] [--fill]
//   load --port 6379 --script SHA1 ...       EVALSHA with three random keys instead
//   load --port 6379 --subscribers 1000 ...  PUBLISH from one connection more; each waits until everybody has it
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
  int subscribers = 0;
  std::string script;  // SHA-1
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
    if (options_.subscribers > 0) subscribe_all();
    const auto begin = std::chrono::steady_clock::now();
    for (Connection& connection : connections_) {
      if (options_.subscribers == 0 || &connection == &connections_.back()) refill(connection);
    }
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

  std::string random_key() {
    const uint64_t number = options_.fill ? static_cast<uint64_t>(sent_) % options_.keys : prng_.below(options_.keys);
    char key[32];
    const int size = std::snprintf(key, sizeof key, "key:%012llu", static_cast<unsigned long long>(number));
    return {key, static_cast<size_t>(size)};
  }

  /// The last connection publishes, all others listen.
  void subscribe_all() {
    for (size_t i = 0; i + 1 < connections_.size(); ++i) {
      codec::append_request(connections_[i].out, {"SUBSCRIBE", "channel"});
      connections_[i].in_flight = 1;
      refill(connections_[i]);
      while (connections_[i].in_flight > 0) turn();
    }
    done_ = 0;
  }

  void add_request(Connection& connection) {
    const std::string name = random_key();
    if (options_.subscribers > 0) {
      codec::append_request(connection.out, {"PUBLISH", "channel", value_});
      missing_ = options_.subscribers;
    } else if (!options_.script.empty()) {
      codec::append_request(connection.out, {"EVALSHA", options_.script, "3", name, random_key(), random_key()});
    } else if (options_.fill || sent_ % 5 == 4) {
      codec::append_request(connection.out, {"SET", name, value_});
    } else {
      codec::append_request(connection.out, {"GET", name});
    }
    ++sent_;
    ++connection.in_flight;
  }

  /// Sends the next batch once the last one is answered.
  void refill(Connection& connection) {
    const bool asks = options_.subscribers == 0 || &connection == &connections_.back();
    while (asks && connection.in_flight < options_.pipeline && sent_ < options_.operations) add_request(connection);
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
    const bool listens = options_.subscribers > 0 && &connection != &connections_.back();
    while ((connection.in_flight > 0 || (listens && used < data.size())) &&
           connection.framer.scan(data.substr(used)) == codec::ReplyFramer::Status::kComplete) {
      if (data[used] == '-') die("an error reply");
      used += connection.framer.length();
      connection.framer.reset();
      if (listens && connection.in_flight == 0) {
        --missing_;
        continue;
      }
      --connection.in_flight;
      ++done_;
    }
    std::string rest(data.substr(used));
    connection.in = std::move(rest);
    if (options_.subscribers > 0) {
      if (missing_ == 0 && connections_.back().in_flight == 0) refill(connections_.back());
    } else if (connection.in_flight == 0) {
      refill(connection);
    }
  }

  Options options_;
  Prng prng_;
  std::string value_;
  std::vector<Connection> connections_;
  int epoll_ = -1;
  int64_t sent_ = 0;
  int64_t done_ = 0;
  int missing_ = 0;  // subscribers that have not got the last message
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
    if (name == "--script") {
      options.script = argv[++i];
      continue;
    }
    const int64_t value = std::atoll(argv[++i]);
    if (name == "--port") options.port = static_cast<int>(value);
    if (name == "--connections") options.connections = static_cast<int>(value);
    if (name == "--pipeline") options.pipeline = static_cast<int>(value);
    if (name == "--operations") options.operations = value;
    if (name == "--keys") options.keys = static_cast<uint64_t>(value);
    if (name == "--value") options.value = static_cast<size_t>(value);
    if (name == "--subscribers") options.subscribers = static_cast<int>(value);
  }
  if (options.subscribers > 0) {
    options.connections = options.subscribers + 1;
    options.pipeline = 1;
  }
  const double seconds = Load(options).run();
  fmt::print("{{\"operations\": {}, \"seconds\": {:.6f}}}\n", options.operations, seconds);
  return 0;
}
