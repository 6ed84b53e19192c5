// Signals as readable events: the chosen signals are blocked for the process and read from a signalfd.
//
// Make one before any thread is started, so that every thread inherits the blocked set.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>

namespace holdfast::net {

class SignalSource {
 public:
  explicit SignalSource(std::span<const int> numbers);
  ~SignalSource();
  SignalSource(const SignalSource&) = delete;
  SignalSource& operator=(const SignalSource&) = delete;

  /// Readable while a signal is pending; -1 if no signal was chosen.
  int descriptor() const { return fd_; }
  /// The next pending signal number.
  std::optional<int> next();

 private:
  int fd_ = -1;
};

/// SIG_IGN for each.
void ignore_signals(std::initializer_list<int> numbers);

}  // namespace holdfast::net
