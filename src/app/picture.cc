#include "app/picture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <thread>

#include "app/process.h"
#include "net/ask.h"
#include "net/clock.h"
#include "net/file.h"

namespace holdfast::app {
namespace {

constexpr Duration kAskLimit = 500ms;
constexpr int kWritesPerServer = 4;  // enough to meet each server, whatever the balance algorithm
constexpr Duration kLook = 20ms;     // between two looks at a process that is ending

/// mkdir -p.
int make_directories(const std::string& path) {
  for (size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) return errno;
    if (at == std::string::npos) return 0;
  }
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::string link_target(const std::string& path) {
  std::array<char, 4096> out{};
  const ssize_t n = readlink(path.c_str(), out.data(), out.size() - 1);
  std::string target = n > 0 ? std::string(out.data(), static_cast<size_t>(n)) : std::string();
  constexpr std::string_view kDeleted = " (deleted)";  // the binary was replaced while the process runs
  if (target.ends_with(kDeleted)) target.resize(target.size() - kDeleted.size());
  return target;
}

bool is_zombie(int64_t pid) {
  const auto stat = net::read_whole_file(fmt::format("/proc/{}/stat", pid));
  if (!stat) return true;
  const size_t at = stat->rfind(") ");
  return at == std::string::npos || at + 2 >= stat->size() || (*stat)[at + 2] == 'Z';
}

/// Pids are reused: a pid file alone proves nothing.
bool belongs_to(int64_t pid, const std::string& root) {
  if (::kill(static_cast<pid_t>(pid), 0) != 0 && errno != EPERM) return false;
  if (is_zombie(pid)) return false;
  const std::string inside = root + '/';
  const std::string cwd = link_target(fmt::format("/proc/{}/cwd", pid)) + '/';
  const auto words = net::read_whole_file(fmt::format("/proc/{}/cmdline", pid));
  const bool in_place = cwd.starts_with(inside) || (words && words->find(inside) != std::string::npos);
  return in_place;
}

std::string last_lines(const std::string& path, size_t count) {
  const auto text = net::read_whole_file(path);
  if (!text || text->empty()) return "(it printed nothing)\n";
  size_t at = text->size() - 1;
  while (count > 0 && at > 0) {
    at = text->rfind('\n', at - 1);
    if (at == std::string::npos) return *text;
    --count;
  }
  return text->substr(at + 1);
}

/// All that a member answers to one inline command, or empty.
std::string answer_of(uint16_t port, std::string_view command) {
  constexpr size_t kAnswerMax = size_t{64} << 10;
  const auto reply = net::ask({"127.0.0.1", port, ""}, fmt::format("{}QUIT\r\n", command), kAskLimit, kAnswerMax);
  return reply.value_or("");
}

/// The number behind a field's name in a flat RESP2 list; 0 if it is not there.
int64_t number_after(std::string_view reply, std::string_view field) {
  size_t at = reply.find(fmt::format("\n{}\r\n", field));
  if (at == std::string_view::npos) return 0;
  at = reply.find('\n', at + field.size() + 3);  // the end of the value's length
  if (at == std::string_view::npos) return 0;
  int64_t number = 0;
  std::from_chars(reply.data() + at + 1, reply.data() + reply.size(), number);
  return number;
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

}  // namespace

Picture::Picture(const Plan& plan, std::string root, std::string executable)
    : plan_(plan), root_(std::move(root)), executable_(std::move(executable)), members_(members_of(plan, root_)) {}

std::string Picture::prepare() {
  std::vector<std::string> directories = {root_ + "/log", root_ + "/run"};
  for (const Member& member : members_) directories.push_back(member.directory);
  for (const std::string& directory : directories) {
    if (const int error = make_directories(directory); error != 0) {
      return fmt::format("cannot make the directory {}: {}", directory, std::strerror(error));
    }
  }
  std::vector<std::pair<std::string, std::string>> files = {{root_ + "/up.conf", print_plan(plan_)}};
  for (const Member& member : members_) files.emplace_back(member.conf, member.conf_text);
  for (const auto& [path, text] : files) {
    if (exists(path)) continue;
    if (const int error = net::replace_file(path, text, 0644); error != 0) {
      return fmt::format("cannot write {}: {}", path, std::strerror(error));
    }
  }
  return {};
}

std::string Picture::busy_port() const {
  for (const Member& member : members_) {
    if (pid_of(member) != 0) continue;
    const int error = net::port_is_free({plan_.bind, member.port, ""});
    if (error == EADDRINUSE) return fmt::format("port {} ({}) is already in use", member.port, member.name);
    if (error != 0) {
      return fmt::format("cannot listen on {}:{} ({}): {}", plan_.bind, member.port, member.name, std::strerror(error));
    }
  }
  return {};
}

int64_t Picture::pid_of(const Member& member) const {
  const int64_t pid = read_pidfile(member.pidfile);
  return pid > 0 && belongs_to(pid, root_) ? pid : 0;
}

size_t Picture::running() const {
  return static_cast<size_t>(
      std::count_if(members_.begin(), members_.end(), [this](const Member& m) { return pid_of(m) != 0; }));
}

std::vector<std::string> Picture::command_of(const Member& member) const {
  std::vector<std::string> out = {executable_};
  out.insert(out.end(), member.command.begin(), member.command.end());
  if (member.kind != Member::Kind::kServer) return out;
  std::vector<std::string> confs;
  for (const Member& other : members_) {
    if (other.kind == Member::Kind::kSentinel) confs.push_back(net::read_whole_file(other.conf).value_or(""));
  }
  const auto options = role_options(member, net::read_whole_file(member.conf).value_or(""), primary_port(confs));
  out.insert(out.end(), options.begin(), options.end());
  return out;
}

std::string Picture::start_missing() {
  for (const Member::Kind kind : {Member::Kind::kServer, Member::Kind::kSentinel, Member::Kind::kProxy}) {
    if (std::string error = start_missing(kind); !error.empty()) return error;
  }
  return {};
}

std::string Picture::start_missing(Member::Kind kind) {
  for (const Member& member : members_) {
    if (member.kind != kind || pid_of(member) != 0) continue;
    ::unlink(member.pidfile.c_str());  // of an earlier run
    const int output = ::open(member.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (output < 0) return fmt::format("cannot write {}: {}", member.log, std::strerror(errno));
    const auto child = net::spawn(command_of(member), {output, true});
    ::close(output);
    if (!child) return fmt::format("cannot start {}: {}", member.name, std::strerror(child.error()));
    children_.push_back({member.name, *child});
    // The servers and Sentinels write their own; a proxy in the foreground writes none.
    if (member.kind == Member::Kind::kProxy) {
      net::replace_file(member.pidfile, std::to_string(child->pid) + '\n', 0644);
    }
  }
  return {};
}

bool Picture::reap_ended(Child& child) {
  if (child.child.pidfd < 0) return true;
  pollfd one{child.child.pidfd, POLLIN, 0};
  return poll(&one, 1, 0) > 0;
}

std::string Picture::next_death() {
  for (Child& child : children_) {
    if (child.child.pidfd < 0 || !reap_ended(child)) continue;
    const pid_t pid = child.child.pid;
    const int status = net::reap(child.child);
    const auto member =
        std::find_if(members_.begin(), members_.end(), [&](const Member& m) { return m.name == child.name; });
    return fmt::format("{} (pid {}) {}; its log {} ends with:\n{}", child.name, pid, describe_end(status), member->log,
                       last_lines(member->log, 3));
  }
  return {};
}

void Picture::stop(const Member& member, Duration patience) {
  int64_t pid = pid_of(member);
  for (const Child& child : children_) {  // a child that has not written its pid file yet
    if (pid == 0 && child.name == member.name && child.child.pidfd >= 0) pid = child.child.pid;
  }
  if (pid == 0) {
    ::unlink(member.pidfile.c_str());  // of a member that died
    return;
  }
  ::kill(static_cast<pid_t>(pid), SIGTERM);
  ::kill(static_cast<pid_t>(pid), SIGCONT);  // a stopped process would never see it
  const Mono end = net::read_monotonic() + patience;
  const auto running = [&] {
    for (Child& child : children_) {
      if (child.child.pidfd >= 0 && child.child.pid == pid && reap_ended(child)) net::reap(child.child);
    }
    return ::kill(static_cast<pid_t>(pid), 0) == 0 && !is_zombie(pid);
  };
  while (running()) {
    if (net::read_monotonic() >= end) {
      ::kill(static_cast<pid_t>(pid), SIGKILL);
      while (running()) std::this_thread::sleep_for(kLook);
      break;
    }
    std::this_thread::sleep_for(kLook);
  }
  ::unlink(member.pidfile.c_str());
}

int Picture::stop_all(Duration patience) {
  // Clients first, then those who would start a failover, then the data: replicas before their primary.
  std::vector<std::pair<int, const Member*>> order;
  int running = 0;
  for (const Member& member : members_) {
    running += pid_of(member) != 0;
    int rank = 0;
    if (member.kind == Member::Kind::kSentinel) rank = 1;
    if (member.kind == Member::Kind::kServer) rank = role_of(member) == "primary" ? 3 : 2;
    order.emplace_back(rank, &member);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [rank, member] : order) stop(*member, patience);
  return running;
}

bool Picture::accepts_writes(std::string* why_not) const {
  for (int i = 0; i < kWritesPerServer * (plan_.replicas + 1); ++i) {
    if (!accepts_write(why_not)) return false;
  }
  return true;
}

bool Picture::accepts_write(std::string* why_not) const {
  const std::string value = std::to_string(getpid());
  const std::string request = fmt::format(
      "*5\r\n$3\r\nSET\r\n$14\r\nholdfast:probe\r\n${}\r\n{}\r\n$2\r\nPX\r\n$4\r\n1000\r\n", value.size(), value);
  const auto reply = net::ask({"127.0.0.1", plan_.proxy_port, ""}, request, kAskLimit);
  if (reply && *reply == "+OK\r\n") return true;
  if (!reply) {
    *why_not = std::strerror(reply.error());
  } else if (reply->empty()) {
    *why_not = "the proxy closed the connection: it knows no primary yet";
  } else {
    *why_not = reply->substr(0, reply->find('\r'));
  }
  return false;
}

bool Picture::replicas_follow(std::string* why_not) const {
  for (const Member& member : members_) {
    if (member.kind != Member::Kind::kServer) continue;
    const std::string reply = answer_of(member.port, "ROLE\r\n");
    const bool primary = reply.find("\nmaster\r") != std::string::npos;
    if (primary || reply.find("\nconnected\r") != std::string::npos) continue;
    *why_not = fmt::format("{} is not connected to its primary yet", member.name);
    return false;
  }
  return true;
}

bool Picture::sentinels_know_all(std::string* why_not) const {
  for (const Member& member : members_) {
    if (member.kind != Member::Kind::kSentinel) continue;
    const std::string reply = answer_of(member.port, "SENTINEL MASTER master01\r\n");
    const int64_t replicas = number_after(reply, "num-slaves");
    const int64_t sentinels = number_after(reply, "num-other-sentinels");
    if (replicas >= plan_.replicas && sentinels >= plan_.sentinels - 1) continue;
    *why_not = fmt::format("{} knows {} of {} replicas and {} of {} other Sentinels", member.name, replicas,
                           plan_.replicas, sentinels, plan_.sentinels - 1);
    return false;
  }
  return true;
}

std::string Picture::role_of(const Member& member) const {
  if (member.kind == Member::Kind::kProxy) return pid_of(member) != 0 ? "proxy" : "down";
  const auto reply = net::ask({"127.0.0.1", member.port, ""}, "*1\r\n$4\r\nROLE\r\n", kAskLimit, 12);
  if (!reply) return pid_of(member) != 0 ? "starting" : "down";
  if (reply->find("\nmaster\r") != std::string::npos) return "primary";
  if (reply->find("\nslave\r") != std::string::npos) return "replica";
  if (reply->find("\nsentinel\r") != std::string::npos) return "sentinel";
  return "starting";
}

}  // namespace holdfast::app
