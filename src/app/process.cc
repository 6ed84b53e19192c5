#include "app/process.h"

#include <execinfo.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "app/redis_log.h"
#include "base/assert.h"
#include "base/version.h"
#include "net/file.h"

namespace holdfast::app {
namespace {

char* title_begin = nullptr;
size_t title_room = 0;
RedisLog* crash_log = nullptr;
constexpr std::array kFatalSignals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/// Not async-signal-safe by the letter, like the original's: the process is lost anyway, and a second fault while
/// reporting ends it at once because the handler is reset.
void report_crash(int number, siginfo_t* info, void*) {
  for (const int fatal : kFatalSignals) ::signal(fatal, SIG_DFL);
  crash_log->say(LogLevel::kRaw, "\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n");
  crash_log->say(LogLevel::kWarning, fmt::format("Redis {} crashed by signal: {}, si_code: {}", kRedisVersion, number,
                                                 info == nullptr ? 0 : info->si_code));
  if (info != nullptr && (number == SIGSEGV || number == SIGBUS) && info->si_code != SI_TKILL) {
    crash_log->say(LogLevel::kWarning, fmt::format("Accessing address: {}", info->si_addr));
  }
  crash_log->say(LogLevel::kRaw, "\n------ STACK TRACE ------\n");
  std::array<void*, 64> frames{};
  const int count = backtrace(frames.data(), static_cast<int>(frames.size()));
  char** names = backtrace_symbols(frames.data(), count);
  for (int i = 0; names != nullptr && i < count; ++i) crash_log->say(LogLevel::kRaw, fmt::format("{}\n", names[i]));
  crash_log->say(LogLevel::kRaw, fmt::format("\n------ INFO OUTPUT ------\nholdfast_version:{}\r\nredis_version:{}\r\n"
                                             "process_id:{}\r\nos:{}\r\n",
                                             kHoldfastVersion, kRedisVersion, getpid(), system_name()));
  crash_log->say(LogLevel::kRaw,
                 "\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n"
                 "       Please report it to the Holdfast project, with everything between the two lines above.\n\n");
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  sigprocmask(SIG_UNBLOCK, &one, nullptr);
  ::kill(getpid(), number);
}

}  // namespace

void remember_arguments(int argc, char** argv) {
  if (argc == 0) return;
  char* end = argv[0];
  for (int i = 0; i < argc; ++i) {
    if (argv[i] == end) end += std::strlen(argv[i]) + 1;
  }
  // The environment follows the arguments; a copy of it makes its room available.
  for (char** at = environ; *at != nullptr; ++at) {
    if (*at != end) continue;
    end += std::strlen(*at) + 1;
    *at = strdup(*at);
  }
  for (int i = 1; i < argc; ++i) argv[i] = strdup(argv[i]);
  title_begin = argv[0];
  title_room = static_cast<size_t>(end - argv[0]);
  argv[0] = strdup(argv[0]);
}

void set_process_title(std::string_view title) {
  if (title_room == 0) return;
  const size_t size = std::min(title.size(), title_room - 1);
  std::memset(title_begin, 0, title_room);
  std::memcpy(title_begin, title.data(), size);
}

void daemonize() {
  const pid_t child = fork();
  if (child != 0) _exit(child < 0 ? 1 : 0);
  setsid();
  const int fd = ::open("/dev/null", O_RDWR);
  if (fd < 0) return;
  dup2(fd, STDIN_FILENO);
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
}

int write_pidfile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return errno;
  const std::string text = std::to_string(getpid()) + '\n';
  const int error = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
  ::close(fd);
  return error;
}

int64_t read_pidfile(const std::string& path) {
  const auto text = net::read_whole_file(path);
  if (!text) return 0;
  int64_t pid = 0;
  std::from_chars(text->data(), text->data() + text->size(), pid);
  return pid > 0 ? pid : 0;
}

std::string absolute_path(const std::string& path) {
  if (path.empty() || path[0] == '/') return path;
  std::array<char, 4096> here{};
  if (getcwd(here.data(), here.size()) == nullptr) return path;
  std::string_view rest = path;
  while (rest.starts_with("./")) rest.remove_prefix(2);
  return fmt::format("{}/{}", here.data(), rest);
}

std::string executable_path() {
  std::array<char, 4096> out{};
  const ssize_t n = readlink("/proc/self/exe", out.data(), out.size() - 1);
  return n > 0 ? std::string(out.data(), static_cast<size_t>(n)) : std::string();
}

int64_t make_room_for_clients(int64_t clients, int64_t reserved, RedisLog& log) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    log.say(LogLevel::kWarning, fmt::format("Unable to obtain the current NOFILE limit ({}), assuming 1024 and setting "
                                            "the max clients configuration accordingly.",
                                            std::strerror(errno)));
    return 1024 - reserved;
  }
  const rlim_t before = limit.rlim_cur;
  const rlim_t wanted = static_cast<rlim_t>(clients + reserved);
  if (before >= wanted) return clients;
  int error = 0;
  rlim_t best = wanted;
  while (best > before) {
    const rlimit attempt{best, std::max(best, limit.rlim_max)};
    if (setrlimit(RLIMIT_NOFILE, &attempt) == 0) break;
    error = errno;
    best = best > 16 ? best - 16 : before;
  }
  best = std::max(best, before);
  if (best >= wanted) {
    log.say(LogLevel::kNotice,
            fmt::format("Increased maximum number of open files to {} (it was originally set to {}).", wanted, before));
    return clients;
  }
  const int64_t room = static_cast<int64_t>(best) - reserved;
  if (room <= 0) {
    log.say(LogLevel::kWarning, fmt::format("Your current 'ulimit -n' of {} is not enough for the server to start. "
                                            "Please increase your open file limit to at least {}. Exiting.",
                                            before, wanted));
    return -1;
  }
  log.say(LogLevel::kWarning,
          fmt::format("You requested maxclients of {} requiring at least {} max file descriptors.", clients, wanted));
  log.say(LogLevel::kWarning, fmt::format("Server can't set maximum open files to {} because of OS error: {}.", wanted,
                                          std::strerror(error)));
  log.say(LogLevel::kWarning, fmt::format("Current maximum open files is {}. maxclients has been reduced to {} to "
                                          "compensate for low ulimit. If you need higher maxclients increase "
                                          "'ulimit -n'.",
                                          best, room));
  return room;
}

int64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int64_t>(limit.rlim_cur);
}

void install_crash_report(RedisLog& log) {
  crash_log = &log;
  std::array<void*, 4> warm{};
  backtrace(warm.data(), 4);  // loads what it needs now, not in the handler
  for (const int fatal : kFatalSignals) {
    struct sigaction action{};
    action.sa_sigaction = report_crash;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    sigaction(fatal, &action, nullptr);
  }
}

std::string random_secret() {
  std::string secret(32, '\0');
  const auto got = getrandom(secret.data(), secret.size(), 0);
  HF_ASSERT(got == static_cast<ssize_t>(secret.size()));
  return secret;
}

uint64_t random_seed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
    timespec ts{};
    clock_gettime(CLOCK_REALTIME, &ts);
    seed = static_cast<uint64_t>(ts.tv_nsec) ^ (static_cast<uint64_t>(getpid()) << 32);
  }
  return seed;
}

std::string system_name() {
  utsname name{};
  if (uname(&name) != 0) return "Linux";
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

}  // namespace holdfast::app
