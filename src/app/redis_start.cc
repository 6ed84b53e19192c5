#include "app/redis_start.h"

#include <fmt/format.h>
#include <glob.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "app/process.h"
#include "base/text.h"
#include "base/version.h"
#include "net/clock.h"
#include "net/file.h"

namespace holdfast::app {
namespace {

constexpr int kIncludeDepthMax = 16;
constexpr std::string_view kDefaultPidfile = "/var/run/redis.pid";

std::string usage(const std::string& program) {
  std::string out = fmt::format(
      "Usage: {0} [/path/to/redis.conf] [options] [-]\n"
      "       {0} - (read config from stdin)\n"
      "       {0} -v or --version\n"
      "       {0} -h or --help\n"
      "       {0} --test-memory <megabytes>\n"
      "       {0} --check-system\n\n"
      "Options are directives of redis.conf, e.g. --port 7000 --replicaof 127.0.0.1 6379.\n"
      "Sentinel mode: {0} /path/to/sentinel.conf --sentinel\n",
      program);
  return out;
}

std::string version_line() {
  return fmt::format("Redis server v={} sha=00000000:0 malloc=jemalloc bits={} build=holdfast-{}\n", kRedisVersion,
                     sizeof(void*) * 8, kHoldfastVersion);
}

/// What Redis checks that still matters to a server without fork: the kernel's overcommit and clock source.
RedisCommandLine::Answer check_system() {
  const auto overcommit = net::read_whole_file("/proc/sys/vm/overcommit_memory");
  const auto clock = net::read_whole_file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  const bool strict = overcommit && overcommit->starts_with('2');
  const bool xen = clock && clock->starts_with("xen");
  RedisCommandLine::Answer out;
  out.output = fmt::format("[xen-clocksource]...{}\n[overcommit]...{}\n", xen ? "WARNING: slow clock source" : "OK",
                           strict ? "WARNING: vm.overcommit_memory is 2" : "OK");
  out.code = xen || strict ? 1 : 0;
  return out;
}

/// Writes patterns over `megabytes` and reads them back, in both directions.
RedisCommandLine::Answer test_memory(const std::string& megabytes) {
  const auto size = parse_int64(megabytes);
  if (!size || *size <= 0 || *size > (int64_t{1} << 20)) return {"", "--test-memory wants a number of megabytes\n", 1};
  std::vector<uint64_t> words;
  words.resize(static_cast<size_t>(*size) * 1024 * 1024 / sizeof(uint64_t));
  for (const uint64_t pattern : {0x5555555555555555ull, 0xaaaaaaaaaaaaaaaaull, 0ull}) {
    for (size_t i = 0; i < words.size(); ++i) words[i] = pattern ^ i;
    for (size_t i = words.size(); i-- > 0;) {
      if (words[i] != (pattern ^ i)) return {"", "*** MEMORY ERROR DETECTED ***\n", 1};
    }
  }
  return {"Your memory passed this test.\n", "", 0};
}

std::optional<RedisCommandLine::Answer> special_option(const std::string& program,
                                                       const std::vector<std::string>& arguments) {
  const std::string& first = arguments[0];
  if (first == "-v" || first == "--version") return RedisCommandLine::Answer{version_line(), "", 0};
  // COMPAT: Redis prints its help on standard error and exits with 1.
  if (first == "-h" || first == "--help") return RedisCommandLine::Answer{"", usage(program), 1};
  if (first == "--check-system") return check_system();
  if (first == "--test-memory") {
    if (arguments.size() == 2) return test_memory(arguments[1]);
    return RedisCommandLine::Answer{"",
                                    fmt::format("Please specify the amount of memory to test in megabytes.\n"
                                                "Example: {} --test-memory 4096\n\n",
                                                program),
                                    1};
  }
  return std::nullopt;
}

std::string read_standard_input() {
  std::string out;
  char piece[4096];
  while (true) {
    const ssize_t n = ::read(STDIN_FILENO, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return out;
    out.append(piece, static_cast<size_t>(n));
  }
}

std::string cannot_open(const std::string& path, int error) {
  return fmt::format("Fatal error, can't open config file '{}': {}", path, std::strerror(error));
}

/// Appends the directives of `parsed` to `out`, each `include` replaced by the files it names (globs, in order).
std::optional<std::string> splice(conf::ParsedConf parsed, conf::ParsedConf& out, int depth) {
  for (conf::Diagnostic& error : parsed.errors) out.errors.push_back(std::move(error));
  for (conf::Directive& directive : parsed.directives) {
    if (directive.words[0] != "include" || directive.words.size() != 2) {
      out.directives.push_back(std::move(directive));
      continue;
    }
    const std::string& pattern = directive.words[1];
    if (depth >= kIncludeDepthMax) return fmt::format("include of '{}' is nested too deeply", pattern);
    glob_t found{};
    const bool wild = pattern.find_first_of("*?[") != std::string::npos;
    std::vector<std::string> paths;
    if (!wild) {
      paths.push_back(pattern);
    } else if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
      for (size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    }
    globfree(&found);
    for (const std::string& path : paths) {
      const auto text = net::read_whole_file(path);
      if (!text) return cannot_open(path, text.error());
      if (auto error = splice(conf::parse_redis_conf(*text, path), out, depth + 1)) return error;
    }
  }
  return std::nullopt;
}

void notify_systemd(const std::string& text) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const size_t size = std::strlen(path);
  if (size >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, path, size);
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to),
         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size));
  ::close(fd);
}

std::string logo(const ProcessFacts& facts) {
  return fmt::format(
      "\n"
      "     _||_        Holdfast {} (Redis {} protocol) {} bit\n"
      "    / || \\       Running in {} mode\n"
      "   |  ||  |      Port: {}\n"
      "    \\_||_/       PID: {}\n\n",
      kHoldfastVersion, kRedisVersion, sizeof(void*) * 8, facts.mode, facts.port, getpid());
}

void say_hello(RedisLog& log, const RedisCommandLine& line) {
  log.say(LogLevel::kNotice, "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
  log.say(LogLevel::kNotice, fmt::format("Redis version={}, bits={}, commit=00000000, modified=0, pid={}, just started",
                                         kRedisVersion, sizeof(void*) * 8, getpid()));
  if (line.any) {
    log.say(LogLevel::kNotice, "Configuration loaded");
  } else {
    log.say(LogLevel::kWarning, fmt::format("Warning: no config file specified, using the default config. In order to "
                                            "specify a config file use {} /path/to/redis.conf",
                                            line.program));
  }
}

}  // namespace

bool asks_for_sentinel(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--sentinel") return true;
  }
  return false;
}

RedisCommandLine parse_redis_command_line(const std::string& program, const std::vector<std::string>& arguments) {
  RedisCommandLine out;
  out.program = program;
  out.any = !arguments.empty();
  if (arguments.empty()) return out;
  out.answer = special_option(program, arguments);
  if (out.answer) return out;
  size_t i = 0;
  if (!arguments[0].starts_with('-')) out.config_path = absolute_path(arguments[i++]);
  bool has_value = true;  // the option before has at least one; only then does `--x` open the next
  for (; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const bool last = i + 1 == arguments.size();
    const bool option_follows = !last && arguments[i + 1].starts_with("--");
    if (argument == "-" && (i == 0 || last)) {
      out.from_stdin = true;
      continue;
    }
    if (!has_value || !argument.starts_with("--")) {
      out.options.push_back(argument.starts_with("--") ? "\"" + argument + "\"" : argument);
      has_value = true;
      continue;
    }
    // COMPAT: `--sentinel` alone is a mode, not a directive; a lone `--save` means no save points.
    if (argument == "--sentinel" && (last || option_follows)) continue;
    out.options.push_back(argument);
    const bool one_word = argument.find_first_of(" \t") == std::string::npos;
    has_value = !one_word;
    if (one_word && equal_ignoring_case(argument, "--save") && (last || option_follows)) {
      out.options.push_back("");
      has_value = true;
    }
  }
  return out;
}

std::expected<LoadedConf, std::string> load_redis_conf(const RedisCommandLine& line) {
  LoadedConf out;
  if (!line.config_path.empty()) {
    auto text = net::read_whole_file(line.config_path);
    if (!text) return std::unexpected(cannot_open(line.config_path, text.error()));
    out.file_text = std::move(*text);
  }
  std::string all = out.file_text;
  const auto add = [&all](const std::string& more) {
    if (more.empty()) return;
    if (!all.empty() && all.back() != '\n') all += '\n';
    all += more;
  };
  if (line.from_stdin) add(read_standard_input());
  // COMPAT: an empty line precedes the options; it counts in the line numbers of errors.
  if (const std::string options = conf::options_to_conf(line.options); !options.empty()) all += '\n' + options;
  if (auto error = splice(conf::parse_redis_conf(all, line.config_path), out.conf, 0)) {
    return std::unexpected(*error);
  }
  return out;
}

std::expected<std::unique_ptr<RedisProcess>, std::string> RedisProcess::begin(const ProcessFacts& facts,
                                                                              const RedisCommandLine& line) {
  if (!facts.dir.empty() && chdir(facts.dir.c_str()) != 0) {
    return std::unexpected(fmt::format("Can't chdir to '{}': {}", facts.dir, std::strerror(errno)));
  }
  auto out = std::make_unique<RedisProcess>();
  RedisLog::Options options;
  options.path = absolute_path(facts.logfile);
  options.lowest = redis_level(facts.loglevel);
  options.role = 'C';
  options.syslog = facts.syslog_enabled;
  options.syslog_ident = facts.syslog_ident;
  options.syslog_facility = facts.syslog_facility;
  out->log_ = std::make_unique<RedisLog>(options);
  if (const int error = out->log_->check_writable(); error != 0) {
    return std::unexpected(fmt::format("Can't open the log file: {}", std::strerror(error)));
  }
  const bool notified = std::getenv("NOTIFY_SOCKET") != nullptr;
  out->systemd_ = facts.supervised == "systemd" || (facts.supervised == "auto" && notified);
  const bool background = facts.daemonize && facts.supervised == "no";
  if (background) daemonize();
  RedisLog& log = *out->log_;
  log.refresh_pid();
  // The Sentinel knows what it is from the start; the server is a starting child (C) until it is initialized.
  log.set_role(facts.role == 'X' ? 'X' : 'C');
  say_hello(log, line);
  log.set_role(facts.role);
  log.say(LogLevel::kNotice, "monotonic clock: POSIX clock_gettime");
  install_crash_report(log);
  if (background || !facts.pidfile.empty()) {
    out->pidfile_ = facts.pidfile.empty() ? std::string(kDefaultPidfile) : absolute_path(facts.pidfile);
    if (const int error = write_pidfile(out->pidfile_); error != 0) {
      log.say(LogLevel::kWarning, fmt::format("Failed to write PID file: {}", std::strerror(error)));
    }
  }
  if (!facts.title.empty()) set_process_title(facts.title);
  const bool on_terminal = facts.logfile.empty() && !facts.syslog_enabled && isatty(STDOUT_FILENO) != 0;
  if (on_terminal || facts.always_show_logo) {
    log.say(LogLevel::kRaw, logo(facts));
  } else {
    log.say(LogLevel::kNotice, fmt::format("Running mode={}, port={}.", facts.mode, facts.port));
  }
  return out;
}

void RedisProcess::announce_ready() const {
  if (systemd_) notify_systemd("STATUS=Ready to accept connections\nREADY=1\n");
}

void RedisProcess::end() {
  if (!pidfile_.empty() && read_pidfile(pidfile_) == getpid()) ::unlink(pidfile_.c_str());
}

}  // namespace holdfast::app
