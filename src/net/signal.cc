#include "net/signal.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace holdfast::net {

SignalSource::SignalSource(std::span<const int> numbers) {
  if (numbers.empty()) return;
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

SignalSource::~SignalSource() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<int> SignalSource::next() {
  signalfd_siginfo info{};
  if (fd_ < 0 || ::read(fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

void ignore_signals(std::initializer_list<int> numbers) {
  for (const int number : numbers) ::signal(number, SIG_IGN);
}

}  // namespace holdfast::net
