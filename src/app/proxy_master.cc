#include "app/proxy_master.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "conf/haproxy_diagnostics.h"
#include "net/child.h"

namespace holdfast::app {
namespace {

void say(conf::Severity severity, const std::string& text) {
  const std::string line = conf::diagnostic_line(severity, text, getpid());
  std::fwrite(line.data(), 1, line.size(), stderr);
}

/// Options of the command line that belong to the master alone; the number is how many words they have.
int masters_words(std::string_view word) {
  if (word == "-W" || word == "-Ws" || word == "-D") return 1;
  if (word == "-p" || word == "-S" || word == "-x") return 2;
  return 0;
}

void notify_systemd(const std::string& text) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::strncpy(to.sun_path, path, sizeof to.sun_path - 1);
  const size_t length = std::strlen(to.sun_path);
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to),
         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
  ::close(fd);
}

class Master {
 public:
  explicit Master(const MasterOptions& options) : options_(options) {}
  ~Master() {
    for (Worker& worker : workers_) {
      if (worker.ready >= 0) ::close(worker.ready);
    }
    if (!directory_.empty()) {
      for (int number = 1; number <= last_number_; ++number) unlink(socket_path(number).c_str());
      rmdir(directory_.c_str());
    }
  }

  int run() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP, SIGCHLD}) sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    std::array<char, 64> place{};
    const char* base = std::getenv("TMPDIR");
    std::snprintf(place.data(), place.size(), "%.40s/holdfast-XXXXXX", base != nullptr ? base : "/tmp");
    if (signals_ < 0 || mkdtemp(place.data()) == nullptr) return 1;
    directory_ = place.data();  // mode 0700: nobody else reaches the sockets in it
    if (!options_.pidfile.empty() && !write_pidfile()) return 1;
    start_worker();
    while (!exit_code_) turn();
    ::close(signals_);
    return *exit_code_;
  }

 private:
  struct Worker {
    net::Child child;
    int number = 0;
    int ready = -1;  // read end; a byte comes when it serves
    bool serving = false;
    bool leaving = false;
  };

  std::string socket_path(int number) const { return fmt::format("{}/worker-{}.sock", directory_, number); }

  bool write_pidfile() const {
    FILE* file = std::fopen(options_.pidfile.c_str(), "w");
    if (file == nullptr) {
      say(conf::Severity::kAlert, fmt::format("[haproxy.main()] Cannot create pidfile {}", options_.pidfile));
      return false;
    }
    std::fprintf(file, "%d\n", getpid());
    std::fclose(file);
    return true;
  }

  std::vector<std::string> worker_command() const {
    std::vector<std::string> out{"/proc/self/exe", "proxy"};
    const auto& arguments = options_.arguments;
    for (size_t i = 0; i < arguments.size(); ++i) {
      const std::string& word = arguments[i];
      if (word == "-sf" || word == "-st") {
        while (i + 1 < arguments.size() && !arguments[i + 1].empty() && arguments[i + 1][0] != '-') ++i;
        continue;
      }
      if (const int words = masters_words(word); words > 0) {
        i += static_cast<size_t>(words) - 1;
      } else {
        out.push_back(word);
      }
    }
    return out;
  }

  void start_worker() {
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) return;
    fcntl(ready[1], F_SETFD, 0);  // the worker inherits it
    Worker worker;
    worker.number = ++last_number_;
    worker.ready = ready[0];
    setenv(kWorkerSocket, socket_path(worker.number).c_str(), 1);
    setenv(kWorkerReady, std::to_string(ready[1]).c_str(), 1);
    std::vector<std::string> command = worker_command();
    for (const Worker& old : workers_) {
      if (!old.serving || old.leaving) continue;
      command.insert(command.end(), {"-x", socket_path(old.number)});
    }
    const auto child = net::spawn(command, {.output = STDERR_FILENO});
    ::close(ready[1]);
    unsetenv(kWorkerSocket);
    unsetenv(kWorkerReady);
    if (!child) {
      ::close(ready[0]);
      say(conf::Severity::kAlert, fmt::format("cannot start a worker: {}", std::strerror(child.error())));
      if (workers_.empty()) exit_code_ = 1;
      return;
    }
    worker.child = *child;
    workers_.push_back(worker);
    say(conf::Severity::kNotice, fmt::format("New worker ({}) forked", worker.child.pid));
  }

  void turn() {
    std::vector<pollfd> waiting{{signals_, POLLIN, 0}};
    for (const Worker& worker : workers_) {
      waiting.push_back({worker.child.pidfd, POLLIN, 0});
      waiting.push_back({worker.ready, POLLIN, 0});
    }
    if (poll(waiting.data(), waiting.size(), -1) < 0) return;
    for (size_t i = 0; i < workers_.size(); ++i) {
      if (waiting[2 + 2 * i].revents != 0) readiness(workers_[i]);
    }
    for (size_t i = workers_.size(); i-- > 0;) {
      if (waiting[1 + 2 * i].revents != 0) ended(i);
    }
    signalfd_siginfo info{};
    while (!exit_code_ && read(signals_, &info, sizeof info) == sizeof info) signal(static_cast<int>(info.ssi_signo));
  }

  void readiness(Worker& worker) {
    char byte = 0;
    const bool serves = read(worker.ready, &byte, 1) == 1;
    ::close(worker.ready);
    worker.ready = -1;
    if (!serves) return;  // it ends without having served; ended() sees to it
    worker.serving = true;
    for (Worker& old : workers_) {
      if (old.number >= worker.number || old.leaving) continue;
      old.leaving = true;
      ::kill(old.child.pid, stopping_ != 0 ? stopping_ : SIGUSR1);
    }
    say(conf::Severity::kNotice, "Loading success.");
    if (options_.notify_systemd) notify_systemd(fmt::format("READY=1\nMAINPID={}\nSTATUS=Ready.\n", getpid()));
  }

  void ended(size_t at) {
    Worker worker = workers_[at];
    workers_.erase(workers_.begin() + static_cast<long>(at));
    if (worker.ready >= 0) ::close(worker.ready);
    unlink(socket_path(worker.number).c_str());
    const int status = net::reap(worker.child);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    const bool expected = worker.leaving || stopping_ != 0;
    if (!expected) {
      say(conf::Severity::kAlert,
          fmt::format("{} ({}) exited with code {} ({})", worker.serving ? "Current worker" : "New worker",
                      worker.child.pid, code, code > 128 ? strsignal(code - 128) : "Exit"));
    }
    const bool others_serve = std::ranges::any_of(workers_, [](const Worker& w) { return w.serving && !w.leaving; });
    if (!expected && !others_serve) {
      if (worker.serving && !options_.exit_on_failure) return start_worker();
      if (worker.serving) say(conf::Severity::kAlert, "exit-on-failure: killing every processes with SIGTERM");
      for (const Worker& other : workers_) ::kill(other.child.pid, SIGTERM);
      exit_code_ = code == 0 ? 1 : code;
      return;
    }
    if (workers_.empty()) exit_code_ = stopping_ == SIGUSR1 || stopping_ == 0 ? 0 : 128 + stopping_;
  }

  void signal(int number) {
    switch (number) {
      case SIGUSR2:
      case SIGHUP:
        if (stopping_ != 0) return;
        // One reload at a time: a worker that has not come up yet is given up.
        for (const Worker& worker : workers_) {
          if (!worker.serving) ::kill(worker.child.pid, SIGTERM);
        }
        if (options_.notify_systemd) notify_systemd("RELOADING=1\nSTATUS=Reloading Configuration.\n");
        say(conf::Severity::kNotice, "Reloading HAProxy");
        return start_worker();
      case SIGTERM:
      case SIGINT:
      case SIGUSR1:
        if (stopping_ == 0) say(conf::Severity::kNotice, fmt::format("haproxy stops by signal {}", number));
        stopping_ = number;
        for (const Worker& worker : workers_) ::kill(worker.child.pid, number);
        if (workers_.empty()) exit_code_ = number == SIGUSR1 ? 0 : 128 + number;
        return;
      default:
        return;
    }
  }

  const MasterOptions& options_;
  int signals_ = -1;
  int stopping_ = 0;
  int last_number_ = 0;
  std::string directory_;
  std::vector<Worker> workers_;
  std::optional<int> exit_code_;
};

}  // namespace

int run_master(const MasterOptions& options) {
  if (options.daemon) {
    if (const pid_t child = fork(); child != 0) return child < 0 ? 1 : 0;
    setsid();
  }
  Master master(options);
  return master.run();
}

}  // namespace holdfast::app
