// Conversations over TCP: `rt_socket --port P [--oracle] FILE...` against any server that speaks RESP. Exit code 1 and
// a line per difference if a reply is not what the file says; the dataset is flushed before each file.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "codec/resp/encode.h"
#include "conversation.h"

namespace {

using namespace holdfast;

constexpr int kPatienceMs = 5000;  // a reply that takes longer does not come

class SocketTalker final : public rt::Talker {
 public:
  explicit SocketTalker(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    open_ = connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~SocketTalker() override { close(fd_); }
  SocketTalker(const SocketTalker&) = delete;
  SocketTalker& operator=(const SocketTalker&) = delete;

  void send(std::string_view bytes) override {
    while (open_ && !bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      open_ = n > 0;
      if (open_) bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  std::optional<codec::Reply> next() override {
    while (true) {
      if (auto reply = reader_.next()) return reply;
      pollfd wait{fd_, POLLIN, 0};
      if (!open_ || reader_.failed() || poll(&wait, 1, kPatienceMs) <= 0) return std::nullopt;
      char buffer[16384];
      const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
      open_ = n > 0;
      if (open_) reader_.feed({buffer, static_cast<size_t>(n)});
    }
  }

 private:
  int fd_;
  bool open_ = false;
  codec::ReplyReader reader_;
};

class SocketServer final : public rt::Server {
 public:
  SocketServer(uint16_t port, bool oracle) : port_(port), oracle_(oracle) {}
  std::unique_ptr<rt::Talker> connect() override { return std::make_unique<SocketTalker>(port_); }
  bool advance(int64_t) override { return false; }
  bool is_oracle() const override { return oracle_; }

 private:
  uint16_t port_;
  bool oracle_;
};

}  // namespace

int main(int argc, char** argv) {
  uint16_t port = 6379;
  bool oracle = false;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--oracle") {
      oracle = true;
    } else if (word == "--port" && i + 1 < argc) {
      port = static_cast<uint16_t>(holdfast::parse_int64(argv[++i]).value_or(0));
    } else {
      files.emplace_back(word);
    }
  }
  SocketServer server(port, oracle);
  size_t compared = 0;
  size_t failures = 0;
  for (const std::string& file : files) {
    std::string flush;
    holdfast::codec::append_request(flush, {"FLUSHALL"});
    const auto cleaner = server.connect();
    cleaner->send(flush);
    if (!cleaner->next()) {
      fmt::print(stderr, "rt_socket: no server answers on port {}\n", port);
      return 1;
    }
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    if (!in) {
      fmt::print(stderr, "rt_socket: cannot read {}\n", file);
      return 1;
    }
    const holdfast::rt::Outcome outcome = holdfast::rt::run_conversation(file, text.str(), server);
    compared += outcome.compared;
    failures += outcome.failures.size();
    for (const std::string& failure : outcome.failures) fmt::print("{}\n", failure);
  }
  fmt::print("{} files, {} replies compared, {} differences\n", files.size(), compared, failures);
  return failures == 0 && compared > 0 ? 0 : 1;
}
