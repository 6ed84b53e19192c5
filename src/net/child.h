// Child processes: start one, learn of its end through a pidfd, collect its status.
//
// A child gets default signal dispositions, an empty signal mask, /dev/null as input and no descriptor of ours.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <vector>

namespace holdfast::net {

struct Child {
  pid_t pid = -1;
  int pidfd = -1;  // readable when the child has ended
};

struct SpawnOptions {
  int output = -1;           // descriptor for standard output and error; -1 = discarded
  bool new_session = false;  // setsid: a terminal's Ctrl-C does not reach it
};

/// argv[0] is a path (no PATH search). Errno on failure, which includes a program that cannot be executed.
std::expected<Child, int> spawn(const std::vector<std::string>& argv, const SpawnOptions& options = {});
/// Waits for the child if it has not ended yet and closes the pidfd. Returns the raw wait status.
int reap(Child& child);

}  // namespace holdfast::net
