#include "app/proxy_master.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
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
#include <utility>

#include "app/master_sockets.h"
#include "conf/haproxy_diagnostics.h"
#include "net/child.h"
#include "net/clock.h"

namespace holdfast::app {
namespace {

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

class Master final : public MasterControl {
 public:
  explicit Master(const MasterOptions& options) : options_(options), sockets_(*this) {}
  ~Master() override {
    for (Worker& worker : workers_) {
      if (worker.ready >= 0) ::close(worker.ready);
      if (worker.messages >= 0) ::close(worker.messages);
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
    if (!open_socket()) return 1;
    start_worker();
    while (!exit_code_) turn();
    ::close(signals_);
    return *exit_code_;
  }

 private:
  struct Worker {
    net::Child child;
    int number = 0;
    int ready = -1;     // read end; a byte comes when it serves
    int messages = -1;  // a file in memory: what it said before
    bool serving = false;
    bool leaving = false;
    int reloads = 0;  // that it survived
    Mono since{};
  };

  static constexpr size_t kMessagesMost = 64 * 1024;  // kept of the latest start

  void say(conf::Severity severity, const std::string& text) {
    const std::string line = conf::diagnostic_line(severity, text, getpid());
    std::fwrite(line.data(), 1, line.size(), stderr);
    if (messages_.size() + line.size() <= kMessagesMost) messages_ += line;
  }

  proxy::MasterStatus status() const override {
    const Mono now = net::read_clock().mono;
    proxy::MasterStatus out{.pid = getpid(),
                            .reloads = reloads_,
                            .failed_reloads = failed_reloads_,
                            .last_reload_failed = last_reload_failed_,
                            .up = now - since_,
                            .startup_logs = messages_,
                            .workers = {}};
    for (auto worker = workers_.rbegin(); worker != workers_.rend(); ++worker) {
      if (worker->serving) {
        out.workers.push_back({worker->child.pid, worker->reloads, now - worker->since, worker->leaving});
      }
    }
    return out;
  }

  std::string worker_socket(int64_t pid) const override {
    for (const Worker& worker : workers_) {
      if (worker.serving && worker.child.pid == pid) return socket_path(worker.number);
    }
    return "";
  }

  bool open_socket() {
    if (!options_.socket) return true;
    const int error = sockets_.open(*options_.socket);
    if (error == 0) {
      setenv("HAPROXY_MASTER_CLI", options_.socket->text.c_str(), 1);
      return true;
    }
    say(conf::Severity::kAlert, fmt::format("Starting proxy MASTER: cannot bind socket ({}) [{}]", std::strerror(error),
                                            options_.socket->text));
    return false;
  }

  std::string socket_path(int number) const { return fmt::format("{}/worker-{}.sock", directory_, number); }

  bool write_pidfile() {
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

  /// False: there is none.
  bool start_worker() {
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) return false;
    fcntl(ready[1], F_SETFD, 0);  // the worker inherits it
    Worker worker;
    worker.number = ++last_number_;
    worker.ready = ready[0];
    worker.messages = memfd_create("startup", 0);
    worker.since = net::read_clock().mono;
    setenv(kWorkerMessages, std::to_string(worker.messages).c_str(), 1);
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
    unsetenv(kWorkerMessages);
    if (worker.messages >= 0) fcntl(worker.messages, F_SETFD, FD_CLOEXEC);  // the next worker has its own
    if (!child) {
      ::close(ready[0]);
      if (worker.messages >= 0) ::close(worker.messages);
      say(conf::Severity::kAlert, fmt::format("cannot start a worker: {}", std::strerror(child.error())));
      if (workers_.empty()) exit_code_ = 1;
      return false;
    }
    worker.child = *child;
    workers_.push_back(worker);
    say(conf::Severity::kNotice, fmt::format("New worker ({}) forked", worker.child.pid));
    return true;
  }

  void turn() {
    std::vector<pollfd> waiting{{signals_, POLLIN, 0}};
    for (const Worker& worker : workers_) {
      waiting.push_back({worker.child.pidfd, POLLIN, 0});
      waiting.push_back({worker.ready, POLLIN, 0});
    }
    const size_t processes = waiting.size();
    sockets_.watch(&waiting);
    if (poll(waiting.data(), waiting.size(), -1) < 0) return;
    sockets_.turn(waiting);
    for (size_t i = 0; 2 + 2 * i < processes; ++i) {
      if (waiting[2 + 2 * i].revents != 0) readiness(workers_[i]);
    }
    for (size_t i = (processes - 1) / 2; i-- > 0;) {
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
    take_messages(worker);
    if (!serves) return;  // it ends without having served; ended() sees to it
    worker.serving = true;
    for (Worker& old : workers_) {
      if (old.number >= worker.number || old.leaving) continue;
      old.leaving = true;
      ::kill(old.child.pid, stopping_ != 0 ? stopping_ : hard_reload_ ? SIGTERM : SIGUSR1);
    }
    say(conf::Severity::kNotice, "Loading success.");
    last_reload_failed_ = false;
    if (options_.notify_systemd) notify_systemd(fmt::format("READY=1\nMAINPID={}\nSTATUS=Ready.\n", getpid()));
    sockets_.reloaded(true, messages_);
  }

  /// What the worker said until it served, or failed.
  void take_messages(Worker& worker) {
    if (worker.messages < 0) return;
    std::string text(kMessagesMost, '\0');
    const ssize_t n = pread(worker.messages, text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<size_t>(n) : 0);
    ::close(std::exchange(worker.messages, -1));
    const bool newest = worker.number == last_number_;
    if (newest && messages_.size() + text.size() <= kMessagesMost) messages_ += text;
  }

  void ended(size_t at) {
    Worker worker = workers_[at];
    take_messages(worker);
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
    const bool failed_to_start = !worker.serving && worker.number == last_number_ && reloads_ > 0;
    if (failed_to_start) reload_failed();
    const bool others_serve = std::ranges::any_of(workers_, [](const Worker& w) { return w.serving && !w.leaving; });
    if (!expected && !others_serve) {
      if (worker.serving && !options_.exit_on_failure) {
        messages_.clear();
        start_worker();
        return;
      }
      if (worker.serving) say(conf::Severity::kAlert, "exit-on-failure: killing every processes with SIGTERM");
      for (const Worker& other : workers_) ::kill(other.child.pid, SIGTERM);
      exit_code_ = code == 0 ? 1 : code;
      return;
    }
    if (workers_.empty()) exit_code_ = stopping_ == SIGUSR1 || stopping_ == 0 ? 0 : 128 + stopping_;
  }

  void reload(bool hard) override {
    if (stopping_ != 0) return sockets_.reloaded(false, messages_);
    // One reload at a time: a worker that has not come up yet is given up.
    for (const Worker& worker : workers_) {
      if (!worker.serving) ::kill(worker.child.pid, SIGTERM);
    }
    if (options_.notify_systemd) notify_systemd("RELOADING=1\nSTATUS=Reloading Configuration.\n");
    hard_reload_ = hard;
    ++reloads_;
    for (Worker& worker : workers_) ++worker.reloads;
    messages_.clear();
    say(conf::Severity::kNotice, "Reloading HAProxy");
    if (!start_worker()) reload_failed();
  }

  void reload_failed() {
    ++failed_reloads_;
    last_reload_failed_ = true;
    sockets_.reloaded(false, messages_);
  }

  void signal(int number) {
    switch (number) {
      case SIGUSR2:
      case SIGHUP:
        return reload(false);
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
  int reloads_ = 0;
  int failed_reloads_ = 0;
  bool last_reload_failed_ = false;
  bool hard_reload_ = false;
  Mono since_ = net::read_clock().mono;
  std::string messages_;  // of the latest start of a worker
  std::string directory_;
  std::vector<Worker> workers_;
  std::optional<int> exit_code_;
  MasterSockets sockets_;
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
