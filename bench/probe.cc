// One connection that asks a Redis-protocol server the same thing again and again until standard input ends, then
// prints one JSON line: how often it asked, and the longest waits for an answer in milliseconds. What a client feels of
// a stall.
//
//   probe --port 6379 [--pause-us 100] [WORD...]    (WORD...: the request, PING by default)
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "codec/resp/reply.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kLongestKept = 5;

[[noreturn]] void die(std::string_view text) {
  std::fprintf(stderr, "probe: %.*s: %s\n", static_cast<int>(text.size()), text.data(), std::strerror(errno));
  std::exit(1);
}

int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) die("connect");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

bool input_ended() {
  char byte = 0;
  const ssize_t n = read(STDIN_FILENO, &byte, 1);
  return n == 0 || (n < 0 && errno != EAGAIN);
}

/// Until a whole reply is there.
void await_reply(int fd) {
  holdfast::codec::ReplyReader reader;
  char buffer[65536];
  for (;;) {
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) die("the server is gone");
    reader.feed({buffer, static_cast<size_t>(n)});
    if (reader.next()) return;
    if (reader.failed()) die("not a reply");
  }
}

}  // namespace

int main(int argc, char** argv) {
  int port = 6379;
  int pause_us = 100;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--port" && i + 1 < argc) {
      port = std::atoi(argv[++i]);
    } else if (word == "--pause-us" && i + 1 < argc) {
      pause_us = std::atoi(argv[++i]);
    } else {
      words.push_back(word);
    }
  }
  if (words.empty()) words = {"PING"};
  std::string request = fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) request += fmt::format("${}\r\n{}\r\n", word.size(), word);
  fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
  const int fd = connect_to(port);
  std::vector<double> longest;
  uint64_t asked = 0;
  while (!input_ended()) {
    const auto began = Clock::now();
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) die("send");
    await_reply(fd);
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - began).count();
    ++asked;
    longest.push_back(ms);
    std::sort(longest.begin(), longest.end(), std::greater<>());
    if (longest.size() > kLongestKept) longest.pop_back();
    std::this_thread::sleep_for(std::chrono::microseconds(pause_us));
  }
  fmt::print("{{\"asked\": {}, \"longest_ms\": [{:.3f}]}}\n", asked, fmt::join(longest, ", "));
  return 0;
}
