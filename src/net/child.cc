#include "net/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

extern "C" {  // glibc 2.36 forgot it in the header
#include <sys/pidfd.h>
}

namespace holdfast::net {
namespace {

/// Owns the two spawn tables.
struct SpawnTables {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  SpawnTables() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnTables() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnTables(const SpawnTables&) = delete;
  SpawnTables& operator=(const SpawnTables&) = delete;
};

void fill(SpawnTables& tables, const SpawnOptions& options) {
  posix_spawn_file_actions_addopen(&tables.files, 0, "/dev/null", O_RDONLY, 0);
  if (options.output < 0) {
    posix_spawn_file_actions_addopen(&tables.files, 1, "/dev/null", O_WRONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&tables.files, options.output, 1);
  }
  posix_spawn_file_actions_adddup2(&tables.files, 1, 2);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&tables.attributes, &none);
  posix_spawnattr_setsigdefault(&tables.attributes, &all);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (options.new_session) flags = static_cast<short>(flags | POSIX_SPAWN_SETSID);
  posix_spawnattr_setflags(&tables.attributes, flags);
}

}  // namespace

std::expected<Child, int> spawn(const std::vector<std::string>& argv, const SpawnOptions& options) {
  if (argv.empty()) return std::unexpected(EINVAL);
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  SpawnTables tables;
  fill(tables, options);
  Child child;
  const int error = posix_spawn(&child.pid, words[0], &tables.files, &tables.attributes, words.data(), environ);
  if (error != 0) return std::unexpected(error);
  child.pidfd = pidfd_open(child.pid, 0);
  if (child.pidfd < 0) {
    const int why = errno;
    ::kill(child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    return std::unexpected(why);
  }
  return child;
}

int reap(Child& child) {
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  ::close(std::exchange(child.pidfd, -1));
  return status;
}

}  // namespace holdfast::net
