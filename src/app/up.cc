#include "app/up.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <thread>

#include "app/picture.h"
#include "app/process.h"
#include "net/clock.h"
#include "net/file.h"
#include "net/signal.h"

namespace holdfast::app {
namespace {

constexpr Duration kStartPatience = 30s;
constexpr Duration kStopPatience = 15s;
constexpr Duration kLook = 100ms;
constexpr std::string_view kDefaultDirectory = "holdfast-data";

void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

int fail(const std::string& text) {
  std::fflush(stdout);
  std::fputs(("holdfast: " + text + "\n").c_str(), stderr);
  return 1;
}

/// Parses with CLI11. Returns an exit code when there is nothing to run.
std::optional<int> parse(CLI::App& app, std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  }
  return std::nullopt;
}

struct UpOptions {
  Plan plan;
  std::string directory{kDefaultDirectory};
  bool detach = false;
  bool numbers_given = false;
};

/// The plan of an existing directory, or the wanted one; refuses numbers that contradict the directory.
std::expected<Plan, std::string> choose_plan(const UpOptions& options, const std::string& root) {
  const std::string path = root + "/up.conf";
  const auto text = net::read_whole_file(path);
  if (!text) {
    const std::string wrong = check_plan(options.plan);
    if (!wrong.empty()) return std::unexpected(wrong);
    return options.plan;
  }
  auto known = parse_plan(*text);
  if (!known) return std::unexpected(fmt::format("{}: {}", path, known.error()));
  if (options.numbers_given && !(options.plan == *known)) {
    return std::unexpected(
        fmt::format("{} already holds another set-up (see {}).\nRun `holdfast up --dir {}` without "
                    "numbers to continue it, or choose another --dir.",
                    root, path, root));
  }
  return known;
}

std::string guide(const Picture& picture, bool detach) {
  const Plan& plan = picture.plan();
  std::string out = fmt::format(
      "\nReady: writes through the proxy are acknowledged.\n\n  {:<16} 127.0.0.1:{}   <- "
      "your clients connect here\n",
      "proxy", plan.proxy_port);
  uint16_t primary = plan.port;
  for (const Member& member : picture.members()) {
    if (member.kind == Member::Kind::kProxy) continue;
    const std::string role = picture.role_of(member);
    if (role == "primary") primary = member.port;
    out += fmt::format("  {:<16} 127.0.0.1:{}\n", role, member.port);
  }
  out += fmt::format(
      "\nData, configuration and logs: {0}\n\nTry\n"
      "  redis-cli -p {1} set hello world\n"
      "  redis-cli -p {2} debug segfault            kill the primary; a replica takes over\n"
      "  redis-cli -p {1} get hello                 the same address, the same data\n"
      "  holdfast up --dir {0}   bring it back; it joins as a replica\n"
      "  redis-cli -p {3} sentinel masters          what the Sentinel knows\n",
      picture.root(), plan.proxy_port, primary, plan.sentinel_port);
  out += detach ? fmt::format("  holdfast status --dir {0}\n  holdfast down --dir {0}\n", picture.root())
                : std::string("\nEvents of the Sentinel follow. Ctrl-C stops everything.\n\n");
  return out;
}

/// Prints what a growing file gains.
class Tail {
 public:
  explicit Tail(std::string path) : path_(std::move(path)) {}
  void skip_to_end() {
    if (open()) offset_ = lseek(fd_, 0, SEEK_END);
  }
  void print_more() {
    if (!open()) return;
    std::array<char, 8192> piece{};
    while (true) {
      const ssize_t n = pread(fd_, piece.data(), piece.size(), offset_);
      if (n <= 0) break;
      offset_ += n;
      say(std::string(piece.data(), static_cast<size_t>(n)));
    }
  }
  ~Tail() {
    if (fd_ >= 0) ::close(fd_);
  }
  Tail(const Tail&) = delete;
  Tail& operator=(const Tail&) = delete;

 private:
  bool open() {
    if (fd_ < 0) fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    return fd_ >= 0;
  }
  std::string path_;
  int fd_ = -1;
  off_t offset_ = 0;
};

bool interrupted(net::SignalSource& signals, Duration wait) {
  pollfd one{signals.descriptor(), POLLIN, 0};
  return poll(&one, 1, static_cast<int>(to_ms(wait))) > 0 && signals.next().has_value();
}

/// What a start waits for, one after the other.
struct Stage {
  bool (Picture::*reached)(std::string* why_not) const;
  std::string_view otherwise;  // what is true if it is not reached in time
  bool required;               // else a note is printed and the start goes on
};
constexpr Stage kFollowing = {&Picture::replicas_follow, "not every replica followed", false};
constexpr Stage kWritable = {&Picture::accepts_writes, "no write went through", true};
constexpr Stage kKnown = {&Picture::sentinels_know_all,
                          "the Sentinels did not meet everyone (a crash now may find no successor)", false};

/// Empty = reached, or late and not required.
std::string wait_until(const Stage& stage, Picture& picture, net::SignalSource& signals) {
  const Mono end = net::read_monotonic() + kStartPatience;
  std::string why = "no answer yet";
  while (!(picture.*stage.reached)(&why)) {
    if (std::string death = picture.next_death(); !death.empty()) return death;
    if (net::read_monotonic() >= end) {
      std::string late = fmt::format("{} within 30 s: {}", stage.otherwise, why);
      if (stage.required) return late;
      say(fmt::format("Note: {}\n", late));
      return {};
    }
    if (interrupted(signals, kLook)) return "interrupted";
  }
  return {};
}

/// Starts what is missing and waits until a write goes through and a crash would be survived. The Sentinels come after
/// the replicas are connected: they ask the primary for its replicas at once, and then every ten seconds only.
std::string start(Picture& picture, net::SignalSource& signals) {
  std::string error = picture.start_missing(Member::Kind::kServer);
  if (error.empty()) error = wait_until(kFollowing, picture, signals);
  if (error.empty()) error = picture.start_missing(Member::Kind::kSentinel);
  if (error.empty()) error = picture.start_missing(Member::Kind::kProxy);
  if (error.empty()) error = wait_until(kWritable, picture, signals);
  if (error.empty()) error = wait_until(kKnown, picture, signals);
  return error;
}

void follow(Picture& picture, net::SignalSource& signals, Tail& events) {
  do {
    events.print_more();
    if (const std::string death = picture.next_death(); !death.empty()) say("-- " + death);
  } while (!interrupted(signals, kLook));
}

int up(const UpOptions& options) {
  const std::string root = absolute_path(options.directory);
  const auto plan = choose_plan(options, root);
  if (!plan) return fail(plan.error());
  Picture picture(*plan, root, executable_path());
  const bool beside = picture.running() > 0;  // another `up` runs here: start what is missing and leave it to that one
  if (const std::string busy = picture.busy_port(); !busy.empty()) {
    return fail(busy + "; nothing was started. Other ports: --port, --sentinel-port, --proxy-port.");
  }
  if (const std::string error = picture.prepare(); !error.empty()) return fail(error);
  const std::array numbers = {SIGINT, SIGTERM, SIGHUP};
  net::SignalSource signals(numbers);
  Tail events(picture.members()[static_cast<size_t>(plan->replicas) + 1].log);
  events.skip_to_end();
  if (beside) {
    say(fmt::format("{} of {} are running; starting the rest...\n", picture.running(), picture.members().size()));
  } else {
    say(fmt::format("Starting a primary, {} replica(s), {} Sentinel(s) and a proxy...\n", plan->replicas,
                    plan->sentinels));
  }
  if (const std::string error = start(picture, signals); !error.empty()) {
    if (beside) return fail(error);
    picture.stop_all(kStopPatience);
    return fail(error + "\nEverything that had been started was stopped.");
  }
  say(guide(picture, options.detach || beside));
  if (options.detach || beside) return 0;
  follow(picture, signals, events);
  say("\nStopping...\n");
  picture.stop_all(kStopPatience);
  say(fmt::format("Stopped. `holdfast up --dir {}` continues with the same data.\n", root));
  return 0;
}

/// The picture of an existing directory.
std::expected<Picture, std::string> open_picture(const std::string& directory) {
  const std::string root = absolute_path(directory);
  const auto text = net::read_whole_file(root + "/up.conf");
  if (!text) return std::unexpected(fmt::format("{} was not made by `holdfast up` (it has no up.conf)", root));
  const auto plan = parse_plan(*text);
  if (!plan) return std::unexpected(fmt::format("{}/up.conf: {}", root, plan.error()));
  return Picture(*plan, root, executable_path());
}

}  // namespace

int run_up(const std::vector<std::string>& arguments) {
  UpOptions options;
  CLI::App app("Starts a primary, replicas, Sentinels and a proxy on this machine.", "holdfast up");
  std::vector<CLI::Option*> numbers = {
      app.add_option("--replicas", options.plan.replicas, "How many replicas (1)"),
      app.add_option("--sentinels", options.plan.sentinels, "How many Sentinels (1)"),
      app.add_option("--quorum", options.plan.quorum, "Sentinels that must agree on a failure (their majority)"),
      app.add_option("--port", options.plan.port, "Port of the primary (6379); replicas use the next ones"),
      app.add_option("--sentinel-port", options.plan.sentinel_port, "Port of the first Sentinel (26379)"),
      app.add_option("--proxy-port", options.plan.proxy_port, "Port of the proxy (6378)"),
      app.add_option("--bind", options.plan.bind, "Address to listen on (127.0.0.1)")};
  app.add_option("--dir", options.directory, "Data, configuration, logs and pid files (./holdfast-data)");
  app.add_flag("--detach", options.detach, "Return when it is ready; `holdfast down` stops it");
  if (const auto code = parse(app, arguments)) return *code;
  for (const CLI::Option* option : numbers) options.numbers_given |= option->count() > 0;
  return up(options);
}

int run_down(const std::vector<std::string>& arguments) {
  std::string directory(kDefaultDirectory);
  CLI::App app("Stops what `holdfast up` started.", "holdfast down");
  app.add_option("--dir", directory, "The directory given to `up` (./holdfast-data)");
  if (const auto code = parse(app, arguments)) return *code;
  auto picture = open_picture(directory);
  if (!picture) return fail(picture.error());
  const int stopped = picture->stop_all(kStopPatience);
  say(stopped == 0 ? std::string("Nothing was running.\n") : fmt::format("Stopped {} processes.\n", stopped));
  return 0;
}

int run_status(const std::vector<std::string>& arguments) {
  std::string directory(kDefaultDirectory);
  CLI::App app("Shows what `holdfast up` started and who has which role.", "holdfast status");
  app.add_option("--dir", directory, "The directory given to `up` (./holdfast-data)");
  if (const auto code = parse(app, arguments)) return *code;
  const auto picture = open_picture(directory);
  if (!picture) return fail(picture.error());
  bool all = true;
  for (const Member& member : picture->members()) {
    const int64_t pid = picture->pid_of(member);
    const std::string role = picture->role_of(member);
    all = all && pid != 0;
    say(fmt::format("{:<16} {:<9} port {:<6} {}\n", member.name, role, member.port,
                    pid != 0 ? fmt::format("pid {}", pid) : std::string("not running")));
  }
  return all ? 0 : 1;
}

}  // namespace holdfast::app
