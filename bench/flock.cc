// The server side of many small clusters in one process: what a Sentinel sees of a primary and its replicas, on a port
// each. Stands in for thousands of data servers when the Sentinel is what is measured.
//
//   flock --port 21000 --clusters 500 --replicas 2 --info FILE
//
// Cluster N has its primary on port + N * (replicas + 1), its replicas behind it. INFO is FILE (a real server's answer)
// with its own run id, port and Replication section. PUBLISH on a primary reaches the subscribers of its replicas, a
// promotion closes the clients it asks to close. `kill FIRST COUNT` on standard input ends so many primaries at once:
// connections are reset, further ones refused. Every promotion is told on standard output: `promoted PORT US`, the
// microseconds since the last kill. No replication takes place: replicas have what their primary has.
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "base/text.h"
#include "codec/resp/encode.h"
#include "codec/resp/request.h"

namespace {

using namespace holdfast;
using Clock = std::chrono::steady_clock;

struct Node {
  int port = 0;
  int listener = -1;
  int follows = 0;  // a port; 0: it is a primary
  std::string runid, replid, replid2 = std::string(40, '0');
  int64_t offset = 1000, second_offset = -1;
  std::set<int> connections;
};

struct Connection {
  Node* node = nullptr;
  codec::RequestStream in;
  std::string out;
  bool subscribed = false;
  bool in_multi = false;
  bool waits_for_room = false;
  std::vector<std::vector<std::string>> queued;
};

[[noreturn]] void die(std::string_view text) {
  std::fprintf(stderr, "flock: %.*s: %s\n", static_cast<int>(text.size()), text.data(), std::strerror(errno));
  std::exit(1);
}

std::string read_file(const char* path) {
  FILE* file = std::fopen(path, "r");
  if (file == nullptr) die(path);
  std::string out(1 << 20, '\0');
  out.resize(std::fread(out.data(), 1, out.size(), file));
  std::fclose(file);
  return out;
}

class Flock {
 public:
  Flock(int port, int clusters, int replicas, std::string info)
      : first_port_(port), per_cluster_(replicas + 1), info_(std::move(info)), prng_(1) {
    epoll_ = epoll_create1(0);
    for (int i = 0; i < clusters * per_cluster_; ++i) add_node(i);
    watch(STDIN_FILENO, EPOLLIN);
  }

  void run() {
    std::printf("ready\n");
    std::fflush(stdout);
    std::vector<epoll_event> events(512);
    while (!ended_) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) handle(events[static_cast<size_t>(i)]);
      for (const int fd : std::exchange(to_write_, {})) write_out(fd);
    }
  }

 private:
  void add_node(int i) {
    auto node = std::make_unique<Node>();
    node->port = first_port_ + i;
    node->runid = prng_.hex(40);
    if (i % per_cluster_ != 0) node->follows = first_port_ + i - i % per_cluster_;
    node->replid = node->follows != 0 ? by_port(node->follows).replid : prng_.hex(40);
    node->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(node->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(static_cast<uint16_t>(node->port));
    if (bind(node->listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(node->listener, 64) != 0) {
      die("listen");
    }
    watch(node->listener, EPOLLIN);
    listeners_[node->listener] = node.get();
    nodes_.push_back(std::move(node));
  }

  Node& by_port(int port) { return *nodes_[static_cast<size_t>(port - first_port_)]; }

  void watch(int fd, uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void handle(const epoll_event& event) {
    const int fd = event.data.fd;
    if (fd == STDIN_FILENO) return read_orders();
    if (const auto at = listeners_.find(fd); at != listeners_.end()) return accept_all(*at->second);
    const auto at = connections_.find(fd);
    if (at == connections_.end()) return;
    if ((event.events & EPOLLOUT) != 0) to_write_.push_back(fd);
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(fd, at->second);
  }

  void accept_all(Node& node) {
    while (true) {
      const int fd = accept4(node.listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      connections_[fd].node = &node;
      node.connections.insert(fd);
      watch(fd, EPOLLIN);
    }
  }

  void drop(int fd, bool reset) {
    const auto at = connections_.find(fd);
    if (at == connections_.end()) return;
    at->second.node->connections.erase(fd);
    connections_.erase(at);
    const linger hard{1, 0};
    if (reset) setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
  }

  void receive(int fd, Connection& connection) {
    char buffer[16384];
    const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return drop(fd, false);
    connection.in.feed({buffer, static_cast<size_t>(size)});
    while (connection.in.next({}) == codec::RequestParser::Status::kRequest) {
      const auto& args = connection.in.args();
      if (!args.empty()) request(fd, connection, {args.begin(), args.end()});
    }
    connection.in.finish();
    to_write_.push_back(fd);
  }

  void write_out(int fd) {
    const auto at = connections_.find(fd);
    if (at == connections_.end() || at->second.out.empty()) return;
    Connection& connection = at->second;
    const ssize_t sent = send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return drop(fd, false);
    if (sent > 0) connection.out.erase(0, static_cast<size_t>(sent));
    if (connection.waits_for_room == !connection.out.empty()) return;
    connection.waits_for_room = !connection.out.empty();
    epoll_event event{};
    event.events = EPOLLIN | (connection.waits_for_room ? EPOLLOUT : 0u);
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
  }

  void request(int fd, Connection& connection, const std::vector<std::string>& words) {
    const std::string name = to_lower(words[0]);
    if (connection.in_multi && name != "exec") {
      connection.queued.push_back(words);
      connection.out += "+QUEUED\r\n";
      return;
    }
    if (name == "multi") {
      connection.in_multi = true;
      connection.out += "+OK\r\n";
    } else if (name == "exec") {
      connection.in_multi = false;
      connection.out += fmt::format("*{}\r\n", connection.queued.size());
      for (const auto& queued : std::exchange(connection.queued, {})) {
        connection.out += answer(fd, connection, to_lower(queued[0]), queued);
      }
    } else {
      connection.out += answer(fd, connection, name, words);
    }
  }

  std::string answer(int fd, Connection& connection, const std::string& name, const std::vector<std::string>& words) {
    Node& node = *connection.node;
    if (name == "ping") return "+PONG\r\n";
    if (name == "info") return bulk(info(node));
    if (name == "publish" && words.size() == 3) return publish(node, words);
    if (name == "subscribe" && words.size() == 2) {
      connection.subscribed = true;
      return fmt::format("*3\r\n{}{}:1\r\n", bulk("subscribe"), bulk(words[1]));
    }
    if (name == "slaveof" && words.size() == 3) return follow(node, words);
    if (name == "client" && words.size() == 4 && to_lower(words[1]) == "kill") {
      const bool pubsub = to_lower(words[3]) == "pubsub";
      std::vector<int> gone;
      for (const int other : node.connections) {
        if (other != fd && connections_[other].subscribed == pubsub) gone.push_back(other);
      }
      for (const int other : gone) drop(other, false);
      return fmt::format(":{}\r\n", gone.size());
    }
    if (name == "client" || name == "config" || name == "auth" || name == "script") return "+OK\r\n";
    return fmt::format("-ERR unknown command '{}'\r\n", name);
  }

  static std::string bulk(std::string_view text) { return fmt::format("${}\r\n{}\r\n", text.size(), text); }

  std::string publish(Node& node, const std::vector<std::string>& words) {
    const std::string message = fmt::format("*3\r\n{}{}{}", bulk("message"), bulk(words[1]), bulk(words[2]));
    const int count = deliver(node, message);
    if (node.follows != 0) return fmt::format(":{}\r\n", count);
    node.offset += static_cast<int64_t>(message.size());
    const int first = node.port - (node.port - first_port_) % per_cluster_;
    for (int port = first; port < first + per_cluster_; ++port) {
      Node& other = by_port(port);
      if (other.follows != node.port) continue;
      deliver(other, message);
      other.offset = node.offset;
    }
    return fmt::format(":{}\r\n", count);
  }

  int deliver(Node& node, const std::string& message) {
    int count = 0;
    for (const int fd : node.connections) {
      Connection& connection = connections_[fd];
      if (!connection.subscribed) continue;
      connection.out += message;
      to_write_.push_back(fd);
      ++count;
    }
    return count;
  }

  std::string follow(Node& node, const std::vector<std::string>& words) {
    if (to_lower(words[1]) != "no") {
      node.follows = std::atoi(words[2].c_str());
      if (node.follows < first_port_ || node.follows >= first_port_ + static_cast<int>(nodes_.size()))
        return "-ERR\r\n";
      node.replid = by_port(node.follows).replid;
      return "+OK\r\n";
    }
    if (node.follows == 0) return "+OK\r\n";
    node.follows = 0;
    node.replid2 = node.replid;
    node.second_offset = node.offset + 1;
    node.replid = prng_.hex(40);
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - killed_at_);
    std::printf("promoted %d %lld\n", node.port, static_cast<long long>(took.count()));
    std::fflush(stdout);
    return "+OK\r\n";
  }

  std::string info(const Node& node) {
    std::string text = info_;
    replace_line(text, "run_id:", node.runid);
    replace_line(text, "tcp_port:", std::to_string(node.port));
    const size_t from = text.find("# Replication");
    const size_t to = std::min(text.find("\r\n\r\n", from), text.size());
    if (from != std::string::npos) text.replace(from, to - from, replication(node));
    return text;
  }

  static void replace_line(std::string& text, std::string_view key, const std::string& value) {
    const size_t at = text.find(key);
    if (at != std::string::npos) text.replace(at + key.size(), text.find('\r', at) - at - key.size(), value);
  }

  std::string replication(const Node& node) {
    std::string out = fmt::format("# Replication\r\nrole:{}\r\n", node.follows == 0 ? "master" : "slave");
    if (node.follows != 0) {
      const bool up = by_port(node.follows).listener >= 0;
      out += fmt::format(
          "master_host:127.0.0.1\r\nmaster_port:{}\r\nmaster_link_status:{}\r\nmaster_last_io_seconds_ago:{}\r\n"
          "master_sync_in_progress:0\r\nslave_read_repl_offset:{}\r\nslave_repl_offset:{}\r\n{}slave_priority:100\r\n"
          "slave_read_only:1\r\nreplica_announced:1\r\n",
          node.follows, up ? "up" : "down", up ? 0 : -1, node.offset, node.offset,
          up ? "" : "master_link_down_since_seconds:0\r\n");
    }
    std::string replicas;
    int count = 0;
    const int first = node.port - (node.port - first_port_) % per_cluster_;
    for (int port = first; port < first + per_cluster_; ++port) {
      const Node& other = by_port(port);
      if (other.follows != node.port || other.listener < 0) continue;
      replicas +=
          fmt::format("slave{}:ip=127.0.0.1,port={},state=online,offset={},lag=0\r\n", count++, port, other.offset);
    }
    out += fmt::format(
        "connected_slaves:{}\r\n{}master_failover_state:no-failover\r\nmaster_replid:{}\r\nmaster_replid2:{}\r\n"
        "master_repl_offset:{}\r\nsecond_repl_offset:{}\r\nrepl_backlog_active:1\r\nrepl_backlog_size:1048576\r\n"
        "repl_backlog_first_byte_offset:1\r\nrepl_backlog_histlen:{}",
        count, replicas, node.replid, node.replid2, node.offset, node.second_offset, node.offset);
    return out;
  }

  void read_orders() {
    char buffer[256];
    const ssize_t size = read(STDIN_FILENO, buffer, sizeof buffer - 1);
    if (size <= 0) {
      ended_ = true;
      return;
    }
    buffer[size] = '\0';
    int first = 0;
    int count = 0;
    if (std::sscanf(buffer, "kill %d %d", &first, &count) != 2) return;
    killed_at_ = Clock::now();
    for (int cluster = first; cluster < first + count; ++cluster) {
      Node& node = by_port(first_port_ + cluster * per_cluster_);
      if (node.listener < 0) continue;
      listeners_.erase(node.listener);
      close(std::exchange(node.listener, -1));
      for (const int fd : std::set<int>(node.connections)) drop(fd, true);
    }
  }

  const int first_port_;
  const int per_cluster_;
  const std::string info_;
  Prng prng_;
  int epoll_ = -1;
  bool ended_ = false;
  Clock::time_point killed_at_{};
  std::vector<std::unique_ptr<Node>> nodes_;  // by port
  std::unordered_map<int, Node*> listeners_;
  std::unordered_map<int, Connection> connections_;
  std::vector<int> to_write_;
};

}  // namespace

int main(int argc, char** argv) {
  int port = 21000;
  int clusters = 1;
  int replicas = 2;
  const char* info = nullptr;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--port") port = std::atoi(argv[i + 1]);
    if (option == "--clusters") clusters = std::atoi(argv[i + 1]);
    if (option == "--replicas") replicas = std::atoi(argv[i + 1]);
    if (option == "--info") info = argv[i + 1];
  }
  if (info == nullptr || port < 1 || clusters < 1 || replicas < 0 || port + clusters * (replicas + 1) > 65536) {
    std::fprintf(stderr, "usage: flock --port P --clusters N --replicas N --info FILE\n");
    return 2;
  }
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  Flock(port, clusters, replicas, read_file(info)).run();
  return 0;
}
